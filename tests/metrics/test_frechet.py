"""The Frechet distance where the answer is known, and its laws. tests/parity compares it with SciPy's matrix root."""

import numpy as np
import pytest

from minigan.errors import ShapeError
from minigan.metrics import RunningMoments, frechet_distance, moments


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


@pytest.mark.parametrize("counts", [(50, 40), (50, 5), (4, 60), (3, 5)])
def test_moments_have_the_distance_of_their_features(rng, counts):
    """By either of its two ways: with fewer rows than features, and with more."""
    x, y = (features(rng, count, 8) for count in counts)
    expected = frechet_distance(x, y)
    for first, second in ((moments(x), y), (x, moments(y)), (moments(x), moments(y)), (moments(y), x)):
        assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


def test_moments_of_parts_are_those_of_all(rng):
    x = features(rng, 30, 6) + 1e3
    running = RunningMoments(6)
    for part in np.split(x, [1, 2, 2, 19]):
        running.add(part.astype(np.float64))
    found = running.moments()
    assert found.count == 30
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found.covariance, np.cov(x, rowvar=False), rtol=1e-9)
    np.testing.assert_array_equal(moments(x).covariance, np.cov(x, rowvar=False))


def test_moments_that_do_not_fit_are_refused(rng):
    x = features(rng, 9, 4)
    with pytest.raises(ShapeError, match="samples have 4 and 3 features"):
        frechet_distance(moments(x), x[:, :3])
    with pytest.raises(ShapeError, match="at least two rows"):
        frechet_distance(x[:1], moments(x))
    with pytest.raises(ShapeError, match=r"\(9, 3\), not \(N, 4\)"):
        RunningMoments(4).add(x[:, :3])
    with pytest.raises(ShapeError, match="at least two rows, not 0"):
        RunningMoments(4).moments()


@pytest.mark.parametrize("shapes", [((5, 3), (5, 4)), ((5,), (5,)), ((1, 3), (5, 3))])
def test_features_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ShapeError, match="same D and at least two rows"):
        frechet_distance(*(np.zeros(s) for s in shapes))


def test_moments_that_are_no_numbers_are_refused():
    x = np.random.default_rng(0).standard_normal((30, 3))
    broken = moments(x)._replace(mean=np.array([0.0, np.nan, 0.0]))
    with pytest.raises(ShapeError, match="the moments contain NaN"):
        frechet_distance(x, broken)
