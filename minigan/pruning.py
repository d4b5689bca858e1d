"""Pruning by magnitude: set the smallest weights of a network to 0.

    pruned = mg.pruning.prune(gan.generator, 0.5)
    pruned.zeros, pruned.weights, pruned.layers["0"]

source: Han, Pool, Tran & Dally, Learning both weights and connections for efficient neural networks, arXiv:1506.02626;
for the choice of weights: Zhu & Gupta, To prune, or not to prune, arXiv:1710.01878. Unlike there, the network is not
trained again. For a measure other than magnitude: LeCun, Denker & Solla, Optimal brain damage, NIPS 1989
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from numbers import Real

import numpy as np

from minigan import devices
from minigan.autograd import memory
from minigan.autograd.tensor import Tensor
from minigan.errors import MiniganError, UnknownNameError
from minigan.models import GAN, VAE, Model
from minigan.nn import Conv2d, Embedding, Linear, Module

LAYERS = Linear, Conv2d, Embedding  # only the weights of these layers are pruned
SCOPES = "global", "layer"


@dataclass(frozen=True)
class Pruned:
    """The result of pruning a network.

    share, scope: the arguments of `prune`
    layers: for each weight array, by its name in the network: the number of zeros, and its size
    """

    share: float
    scope: str
    layers: dict[str, tuple[int, int]]

    @property
    def zeros(self) -> int:
        """The number of weights that are 0."""
        return sum(zeros for zeros, _ in self.layers.values())

    @property
    def weights(self) -> int:
        """The number of weights."""
        return sum(count for _, count in self.layers.values())

    def plain(self) -> dict:
        """A dict for JSON."""
        return {**asdict(self), "zeros": self.zeros, "weights": self.weights}


def prune(network: Module, share: float, scope: str = "global") -> Pruned:
    """Set the smallest weights of a network to 0, in place. Later training may change them again.

    Prunes the weights of dense and convolutional layers and embeddings, frozen ones too, but not biases or the
    parameters of norms. In a SpectralNorm, the weight before the division is pruned.
    share: the share of weights to set to 0, from 0 to below 1; weights that are already 0 count
    scope: "global" takes the smallest weights of the whole network, "layer" the same share of every layer
    Among equal weights, the first are taken, in the order of the layers and of memory.
    raises MiniganError for an invalid share or a network without weights, UnknownNameError for another scope
    """
    if not isinstance(share, Real) or not 0 <= share < 1:
        raise MiniganError(f"prune: share is {share!r}, expected a number from 0 (no weights) to below 1 (all weights)")
    UnknownNameError.check("scope of pruning", scope, SCOPES)
    weights = weights_of(network)
    if not weights:
        raise MiniganError(f"prune: {type(network).__name__} has no dense or convolutional layer, so no weights")
    sizes = [np.abs(weight.numpy()).ravel() for weight in weights.values()]
    ends = np.cumsum([len(part) for part in sizes])
    if scope == "global":
        masks = np.split(_smallest(np.concatenate(sizes), share), ends[:-1])
    else:
        masks = [_smallest(part, share) for part in sizes]
    for weight, mask in zip(weights.values(), masks, strict=True):
        kept = np.where(mask.reshape(weight.shape), 0, weight.numpy()).astype(weight.dtype)
        weight.data[...] = devices.move(kept, weight.device)
        memory.note_write(weight.data)
    layers = {name: (int(np.count_nonzero(weight.numpy() == 0)), weight.size) for name, weight in weights.items()}
    return Pruned(share, scope, layers)


def _smallest(sizes, share):
    """A mask (N,) of the round(share * N) smallest numbers; among equal ones, the first."""
    mask = np.zeros(len(sizes), bool)
    mask[np.argsort(sizes, kind="stable")[: round(share * len(sizes))]] = True
    return mask


def weights_of(network: Module) -> dict[str, Tensor]:
    """The weight arrays that `prune` changes, by their names in the network, each once."""
    found, seen = {}, set()
    for name, module in network.named_modules():
        if isinstance(module, LAYERS) and id(module.weight) not in seen:
            seen.add(id(module.weight))
            found[f"{name}.weight".lstrip(".")] = module.weight
    return found


def player_of(model: Model) -> str:
    """The name of a model's main network, which generates, classifies or restores images.

    For a GAN it is the average of the generator if there is one, for a VAE the decoder.
    """
    if isinstance(model, GAN):
        return "generator" if model.average is None else "average"
    return "decoder" if isinstance(model, VAE) else "network"


def deflated_size(network: Module) -> int:
    """The size in bytes of all parameters and buffers of a network after deflate compression, as in a .zip or .gz."""
    return len(zlib.compress(b"".join(array.tobytes() for array in network.state_dict().values())))
