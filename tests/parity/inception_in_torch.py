"""Random weights for the 2015 Inception network, in which no layer's output is near constant."""

import functools

import numpy as np
import torch

from minigan.models.inception import Inception


@functools.cache
def _arrays():
    rng = np.random.default_rng(0)
    arrays = Inception(rng).published()
    for name, array in arrays.items():
        if name.endswith(("bn.weight", "running_var")):
            arrays[name] = rng.uniform(0.5, 1.5, array.shape)
        elif name.endswith(("bn.bias", "running_mean")):
            arrays[name] = rng.normal(0, 0.2, array.shape)
        elif name.endswith("conv.weight"):
            arrays[name] = rng.normal(0, np.sqrt(2 / np.prod(array.shape[1:])), array.shape)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def ours() -> Inception:
    """minigan's network."""
    network = Inception(np.random.default_rng(0)).eval().freeze()
    network.load_published(_arrays())
    return network


def random_weights() -> dict[str, torch.Tensor]:
    """The same as the published file holds them: with counters of batches."""
    state = {name: torch.from_numpy(array) for name, array in _arrays().items()}
    norms = [name.removesuffix("running_var") for name in state if name.endswith("running_var")]
    return state | {f"{norm}num_batches_tracked": torch.tensor(0) for norm in norms}
