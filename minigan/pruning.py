"""Pruning by magnitude: the smallest weights of a network become 0.

    pruned = mg.pruning.prune(gan.generator, 0.5)
    pruned.zeros, pruned.weights, pruned.layers["0"]

source: Han, Pool, Tran & Dally, Learning both weights and connections for efficient neural networks, arXiv:1506.02626;
which weights: Zhu & Gupta, To prune, or not to prune, arXiv:1710.01878. Neither is trained again here. What other
measure there is of a weight's worth than its size: LeCun, Denker & Solla, Optimal brain damage, NIPS 1989
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

LAYERS = Linear, Conv2d, Embedding  # have weights; of other layers nothing is pruned
SCOPES = "global", "layer"


@dataclass(frozen=True)
class Pruned:
    """What was done to a network.

    share, scope: what was asked for
    layers: by each weight's name in the network how many of its numbers are 0 now, and how many there are
    """

    share: float
    scope: str
    layers: dict[str, tuple[int, int]]

    @property
    def zeros(self) -> int:
        """How many weights are 0."""
        return sum(zeros for zeros, _ in self.layers.values())

    @property
    def weights(self) -> int:
        """How many weights there are."""
        return sum(count for _, count in self.layers.values())

    def plain(self) -> dict:
        """All of it as JSON keeps it."""
        return {**asdict(self), "zeros": self.zeros, "weights": self.weights}


def prune(network: Module, share: float, scope: str = "global") -> Pruned:
    """Set the smallest weights of a network to 0, in place; they are not kept there by later training.

    Weights are those of dense and convolutional layers and of embeddings, frozen ones too. Biases and all that a norm
    has stay as they are; in a SpectralNorm it is the weight before the division.
    share: how many of the weights, from 0 to below 1: round(share * weights), those that are 0 already among them
    scope: "global" takes the smallest of the whole network, "layer" as large a share of every layer's
    Of equal weights the first are taken, in the order of the layers and of their numbers in memory.
    raises MiniganError for a share that is none, or a network without weights, UnknownNameError for another scope
    """
    if not isinstance(share, Real) or not 0 <= share < 1:
        raise MiniganError(f"prune: share is {share!r}, but it is from 0 (nothing) to below 1 (all weights)")
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
    """Which of some numbers are the round(share * N) smallest, (N,); the first of equal ones."""
    mask = np.zeros(len(sizes), bool)
    mask[np.argsort(sizes, kind="stable")[: round(share * len(sizes))]] = True
    return mask


def weights_of(network: Module) -> dict[str, Tensor]:
    """What `prune` takes for weights, by their names in the network, each once."""
    found, seen = {}, set()
    for name, module in network.named_modules():
        if isinstance(module, LAYERS) and id(module.weight) not in seen:
            seen.add(id(module.weight))
            found[f"{name}.weight".lstrip(".")] = module.weight
    return found


def player_of(model: Model) -> str:
    """The name of the network that does what a model is for: what makes images, says what they show, restores them.

    Of a GAN it is the average of the generator where there is one, of a VAE the decoder.
    """
    if isinstance(model, GAN):
        return "generator" if model.average is None else "average"
    return "decoder" if isinstance(model, VAE) else "network"


def deflated_size(network: Module) -> int:
    """How many bytes all parameters and buffers of a network take, deflated as in a .zip or .gz."""
    return len(zlib.compress(b"".join(array.tobytes() for array in network.state_dict().values())))
