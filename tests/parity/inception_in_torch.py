"""pytorch-fid's and torch-fidelity's Inception networks with random weights that minigan's can take."""

import functools
from pathlib import Path

import numpy as np
import pytorch_fid.inception
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from minigan.models.inception import Inception


@functools.cache
def ours() -> Inception:
    """minigan's network with random weights and statistics, under which no layer's output is near constant."""
    rng = np.random.default_rng(0)
    network = Inception(rng).eval()
    arrays = network.published()
    for name, array in arrays.items():
        if name.endswith(("bn.weight", "running_var")):
            arrays[name] = rng.uniform(0.5, 1.5, array.shape)
        elif name.endswith(("bn.bias", "running_mean")):
            arrays[name] = rng.normal(0, 0.2, array.shape)
        elif name.endswith("conv.weight"):
            arrays[name] = rng.normal(0, np.sqrt(2 / np.prod(array.shape[1:])), array.shape)
    network.load_published(arrays)
    return network


def state() -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in ours().published().items()}


@functools.cache
def of_pytorch_fid() -> torch.nn.Module:
    """pytorch-fid's network before it is cut into blocks, from minigan's weights in place of a download."""
    counters = {"num_batches_tracked": torch.tensor(0)}
    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: {
        **state(),
        **{
            f"{name.removesuffix('weight')}{counter}": value
            for name in state()
            if name.endswith("bn.weight")
            for counter, value in counters.items()
        },
    }
    return pytorch_fid.inception.fid_inception_v3().eval()


def of_torch_fidelity(path: Path, features: list[str], dtype="float32") -> FeatureExtractorInceptionV3:
    """torch-fidelity's network, from a file at `path` that is made of minigan's weights."""
    if not path.exists():
        torch.save(of_pytorch_fid().state_dict(), path)
    return FeatureExtractorInceptionV3(
        "inception", features, feature_extractor_weights_path=path, feature_extractor_internal_dtype=dtype
    )
