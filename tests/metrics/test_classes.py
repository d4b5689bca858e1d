"""What a classifier says of images, where the answer is known. tests/parity compares the score with torchmetrics."""

import numpy as np
import pytest

from minigan.errors import ShapeError
from minigan.metrics import classes_covered, classifier_score


def test_a_sure_classifier_that_sees_all_classes_alike_scores_their_number():
    logits = 100.0 * np.eye(7)[np.arange(700) % 7]
    assert classifier_score(logits, splits=1).mean == pytest.approx(7, rel=1e-12)


def test_one_that_says_the_same_of_all_scores_one():
    logits = np.tile(np.random.default_rng(0).standard_normal(5), (60, 1))
    assert classifier_score(logits) == pytest.approx((1, 0), abs=1e-12)


def test_two_classes_by_hand():
    """Half the images (p, 1 - p), half the other way round: the marginal is (1/2, 1/2), the score 2 exp(-H(p))."""
    p = 0.8
    logits = np.log([[p, 1 - p], [1 - p, p]] * 50) + 3.0  # a constant changes nothing
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert classifier_score(logits, splits=1).mean == pytest.approx(2 * np.exp(-entropy), rel=1e-12)


def test_images_in_the_order_of_their_classes_are_parted_at_random():
    logits = 50.0 * np.eye(10)[np.repeat(np.arange(10), 100)]
    found = classifier_score(logits)
    assert found.mean > 9  # in order each part would have one class, and the score be 1
    assert 0 < found.deviation < 0.5


def test_without_a_seed_they_are_parted_as_they_come():
    logits = 50.0 * np.eye(10)[np.repeat(np.arange(10), 100)]
    assert classifier_score(logits, seed=None) == pytest.approx((1, 0), abs=1e-12)


def test_the_score_is_the_mean_over_parts_and_their_deviation():
    logits = np.random.default_rng(1).standard_normal((90, 4)) * 3
    order = np.random.default_rng(5).permutation(90)
    parts = [classifier_score(logits[order[i : i + 30]], splits=1).mean for i in (0, 30, 60)]
    assert classifier_score(logits, splits=3, seed=5) == pytest.approx((np.mean(parts), np.std(parts)), rel=1e-12)


@pytest.mark.parametrize("size", [1e3, 1e4, 1e308])
def test_logits_as_large_as_they_come_are_no_overflow(size):
    logits = np.array([[size, -size], [-size, size]] * 10)
    assert classifier_score(logits, splits=1).mean == pytest.approx(2, rel=1e-12)


@pytest.mark.parametrize("shape", [(5, 3), (20,)])
def test_too_few_images_for_the_splits_are_refused(shape):
    with pytest.raises(ShapeError, match="splits is 10; expected"):
        classifier_score(np.zeros(shape))


def test_logits_that_are_no_numbers_are_refused():
    with pytest.raises(ShapeError, match="NaN"):
        classifier_score(np.full((20, 3), np.nan))


def test_a_class_counts_from_a_tenth_of_its_share_on():
    real = np.repeat(np.arange(4), [100, 100, 200, 0])
    made = np.repeat(np.arange(4), [95, 3, 4, 98])  # of 200: due are 50, 50, 100, 0
    assert classes_covered(made, real, 4) == 1
    assert classes_covered(made, real, 4, least=0.04) == 3
    assert classes_covered(real, real, 4) == 3  # no fourth class is among the real ones
    assert classes_covered(made, real, 4, least=0) == 3
    assert classes_covered(made[made != 1], real, 4, least=0) == 2


@pytest.mark.parametrize(
    ("made", "message"),
    [([0, 4], "runs from 0 to 4, but there are 4"), ([-1, 0], "runs from -1"), ([], "integers"), ([0.5], "integers")],
)
def test_what_are_no_classes_is_refused(made, message):
    with pytest.raises(ShapeError, match=message):
        classes_covered(np.array(made), np.array([0, 1]), 4)
