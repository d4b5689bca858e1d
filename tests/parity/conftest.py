import numpy as np
import pytest
import torch


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _single_thread():
    """PyTorch's threads spin after work and would take the cores from ours."""
    torch.set_num_threads(1)
