import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch


def _torchvision_without_its_operators():
    """Let torchvision be imported beside a PyTorch that its own operators were not built for and do not load with.

    It is a part of what networks are compared with, none of which calls them; its package asks for two by name.
    """
    file = Path(importlib.util.find_spec("torchvision").origin).with_name("_C.so")
    try:
        torch.ops.load_library(str(file))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library  # what it defines goes with it


TORCHVISION = _torchvision_without_its_operators()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _single_thread():
    """PyTorch's threads spin after work and would take the cores from ours."""
    torch.set_num_threads(1)
