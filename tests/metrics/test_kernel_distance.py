"""The kernel distance where the answer is known, and its laws. tests/parity compares it with torchmetrics."""

import numpy as np
import pytest

from minigan.errors import ShapeError
from minigan.metrics import kernel_distance


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_two_points_on_each_side_by_hand():
    """x = 0, 1 and y = 2, 3: k(a, b) = (a b + 1)^3 is 1 and 7^3 within, and between 1, 1, 27 and 64."""
    found = kernel_distance(np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]]), subsets=3, size=2)
    assert found.mean == pytest.approx(1 + 7**3 - 2 * (1 + 1 + 27 + 64) / 4, rel=1e-12)
    assert found.deviation == pytest.approx(0, abs=1e-9)


def test_two_points_that_stay_where_they_are_are_a_shift_apart_by_the_kernels_expansion(rng):
    """With D features of normal noise around 0 and around m, E = E[(x.x'/D + 1)^3] + ... is known: moments of x.x'."""
    width, count, shift = 4, 4000, 0.7
    x = rng.standard_normal((count, width))
    y = rng.standard_normal((count, width)) + shift

    def mean_cubed(first, second):
        """E (a / D + 1)^3 of a = x . y with independent x ~ N(first, 1), y ~ N(second, 1), by its cumulants."""
        mean = width * first * second
        variance = width * (1 + first**2 + second**2)
        third = width * 6 * first * second  # the third cumulant of a product of two such numbers
        m2, m3 = variance + mean**2, third + 3 * variance * mean + mean**3
        return m3 / width**3 + 3 * m2 / width**2 + 3 * mean / width + 1

    expected = mean_cubed(0, 0) + mean_cubed(shift, shift) - 2 * mean_cubed(0, shift)
    found = kernel_distance(x, y, subsets=1, size=count).mean
    assert found == pytest.approx(expected, rel=0.05)


def test_samples_of_one_distribution_are_at_nothing_on_average(rng):
    x, y = (rng.standard_normal((2000, 8)) for _ in range(2))
    found = kernel_distance(x, y, subsets=50, size=200)
    assert abs(found.mean) < found.deviation
    assert kernel_distance(x, y + 1, subsets=50, size=200).mean > 20 * found.deviation


def test_a_subset_is_at_most_half_of_a_set_so_that_subsets_differ(rng):
    x, y = rng.standard_normal((60, 3)), rng.standard_normal((50, 3))
    assert kernel_distance(x, y, subsets=6) == kernel_distance(x, y, subsets=6, size=25)
    assert kernel_distance(x, y, subsets=6).deviation > 0


@pytest.mark.parametrize("how", [{"subsets": 0}, {"width": 0}])
def test_nothing_to_average_is_refused(how):
    features = np.zeros((5, how.pop("width", 2)))
    with pytest.raises(ShapeError, match="both must be at least 1"):
        kernel_distance(features, features, **how)


def test_the_same_seed_draws_the_same_subsets(rng):
    x, y = rng.standard_normal((300, 4)), rng.standard_normal((200, 4))
    found = [kernel_distance(x, y, subsets=5, size=50, seed=seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_a_set_that_collapsed_to_one_point_is_far_from_what_it_should_be(rng):
    x = rng.standard_normal((100, 4))
    near, far = (kernel_distance(x, other, subsets=4).mean for other in (x + 0.0, np.repeat(x[:1], 100, 0)))
    assert np.isfinite(far)
    assert far > near + 0.5


@pytest.mark.parametrize("shapes", [((5, 3), (5, 4)), ((5,), (5,)), ((1, 3), (5, 3))])
def test_features_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ShapeError, match=r"kernel_distance: .*same D and at least two rows"):
        kernel_distance(*(np.zeros(s) for s in shapes))


def test_features_that_are_no_numbers_are_refused():
    with pytest.raises(ShapeError, match="second features contain NaN"):
        kernel_distance(np.zeros((4, 2)), np.full((4, 2), np.nan))


@pytest.mark.parametrize("size", [-5, 0, 1, 31])
def test_subsets_that_cannot_be_drawn_are_refused(size):
    x, y = np.random.default_rng(0).standard_normal((2, 30, 3))
    with pytest.raises(ShapeError, match=f"size is {size}, expected from 2 to 30"):
        kernel_distance(x, y, size=size)
