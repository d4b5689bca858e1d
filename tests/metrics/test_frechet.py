"""The Frechet distance where the answer is known, and its laws. tests/parity compares it with SciPy's matrix root."""

import numpy as np
import pytest

from minigan.errors import ShapeError
from minigan.metrics import frechet_distance


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def features(rng, count, width):
    return rng.standard_normal((count, width)) @ rng.standard_normal((width, width)) + rng.standard_normal(width)


def test_a_sample_is_at_no_distance_from_itself(rng):
    x = features(rng, 50, 6)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_a_shift_costs_its_squared_length(rng):
    x, shift = features(rng, 50, 6), rng.standard_normal(6)
    assert frechet_distance(x, x + shift) == pytest.approx(shift @ shift)


def test_scaling_costs_what_the_deviations_differ(rng):
    """For covariances S and a^2 S around 0 the distance is (1 - a)^2 tr S."""
    x = features(rng, 80, 5)
    x -= x.mean(0)
    assert frechet_distance(x, 3 * x) == pytest.approx(4 * np.trace(np.cov(x, rowvar=False)))


def test_both_orders_give_the_same(rng):
    x, y = features(rng, 30, 8), features(rng, 40, 8)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-10)


def test_fewer_samples_than_features_have_a_distance(rng):
    x, y = features(rng, 5, 12), features(rng, 7, 12)
    assert 0 < frechet_distance(x, y) < np.inf


@pytest.mark.parametrize("shapes", [((5, 3), (5, 4)), ((5,), (5,)), ((1, 3), (5, 3))])
def test_features_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ShapeError, match="same D and at least two rows"):
        frechet_distance(*(np.zeros(s) for s in shapes))
