"""The Frechet distance against SciPy's square root of a matrix."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from minigan.metrics import frechet_distance


def by_scipy(x, y):
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(s + t - 2 * np.real(sqrtm(s @ t)))


@pytest.mark.parametrize("width", [2, 7, 64])
def test_it_is_the_distance_by_a_matrix_root(width, rng):
    x, y = (rng.standard_normal((300, width)) @ rng.standard_normal((width, width)) for _ in range(2))
    assert frechet_distance(x, y) == pytest.approx(by_scipy(x, y), rel=1e-7)
