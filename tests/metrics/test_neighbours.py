"""Measures by nearest neighbours where the answer is known. tests/parity compares them with SciPy's tree."""

import numpy as np
import pytest

from minigan.errors import ShapeError
from minigan.metrics import nearest, neighbours, precision_recall

LINE = np.arange(10.0)[:, None]  # each has its nearest at 1, its third nearest at 2 or 3


def test_points_on_a_line_by_hand():
    assert precision_recall(LINE, LINE + 0.5) == (1, 1)
    assert precision_recall(LINE, LINE + 100) == (0, 0)
    # of 8.5 to 17.5 the first four lie within 3 of the last real ones: 9 + 3 = 12 > 11.5
    assert precision_recall(LINE, LINE + 8.5) == pytest.approx((0.4, 0.4))
    assert precision_recall(LINE, LINE + 8.5, k=1) == pytest.approx((0.2, 0.2))


def test_one_good_image_again_and_again_is_precise_and_recalls_little():
    made = np.full((20, 1), 4.0)
    assert precision_recall(LINE, made) == pytest.approx((1, 0.1))  # only the one that it is


def test_spread_too_far_recalls_all_and_is_not_precise():
    made = 30 * LINE - 120  # from -120 to 150
    found = precision_recall(LINE, made)
    assert found.recall == 1
    assert found.precision == pytest.approx(0.1)


def test_copies_of_copies_are_within():
    """Rounding in the difference of squares must not put a copy outside of a radius that is nothing."""
    points = np.random.default_rng(0).standard_normal((6, 50)) * 1e3
    copies = np.repeat(points, 8, 0)
    assert precision_recall(copies, copies[::-1]) == (1, 1)
    assert precision_recall(copies, points[[2] * 9]) == pytest.approx((1, 1 / 6))


@pytest.mark.parametrize("block", [1, 7, 1 << 24])
def test_the_nearest_is_what_all_distances_say(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rng = np.random.default_rng(1)
    points, others = rng.standard_normal((23, 5)) + 40, rng.standard_normal((31, 5)) + 40
    distances = np.linalg.norm(points[:, None] - others, axis=-1)
    indices, found = nearest(points, others)
    np.testing.assert_array_equal(indices, distances.argmin(1))
    np.testing.assert_allclose(found, distances.min(1), rtol=1e-10)
    assert nearest(others, others)[1].max() == 0
    assert precision_recall(points, others) == precision_recall(points[::-1], others)


def test_far_from_the_origin_nothing_is_lost():
    rng = np.random.default_rng(2)
    points, others = rng.standard_normal((40, 3)), rng.standard_normal((50, 3))
    far = [features + 1e6 for features in (points, others)]
    np.testing.assert_array_equal(nearest(*far)[0], nearest(points, others)[0])
    np.testing.assert_allclose(nearest(*far)[1], nearest(points, others)[1], rtol=1e-6)
    assert precision_recall(*far) == precision_recall(points, others)


def test_too_few_rows_for_k_are_refused():
    with pytest.raises(ShapeError, match="at least 4 rows"):
        precision_recall(LINE[:3], LINE)
    for k in (0, 1.5):
        with pytest.raises(ShapeError, match=f"k is {k}"):
            precision_recall(LINE, LINE, k=k)
