import numpy as np
import pytest

import minigan as mg


@pytest.fixture(autouse=True)
def _same_weights():
    """Layers begin with the same weights whatever ran before."""
    mg.seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
