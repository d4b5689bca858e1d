"""Intervals where the answer is known. tests/parity compares them with SciPy's."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.errors import DataError
from minigan.evaluation.intervals import pigeonhole

Z = 1.959963984540054


@st.composite
def answers(draw):
    count = draw(st.integers(1, 2000))
    return draw(st.integers(0, count)), count


@given(answers(), st.floats(0.5, 0.999))
def test_its_ends_are_the_shares_that_are_just_not_rejected(case, confidence):
    """Wilson's definition: there the observed share is z deviations off."""
    (right, count), z = case, NormalDist().inv_cdf((1 + confidence) / 2)
    for end in mg.evaluation.wilson(right, count, confidence):
        assert (right / count - end) ** 2 == pytest.approx(z * z * end * (1 - end) / count, rel=1e-6, abs=1e-15)


@given(answers())
def test_it_holds_the_share_and_mirrors(case):
    right, count = case
    low, high = mg.evaluation.wilson(right, count)
    assert 0 <= low <= right / count <= high <= 1
    assert mg.evaluation.wilson(count - right, count) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("count", [1, 7, 100])
def test_where_the_formula_is_short(count):
    assert mg.evaluation.wilson(0, count) == pytest.approx((0, Z**2 / (count + Z**2)))
    assert mg.evaluation.wilson(count, count) == pytest.approx((count / (count + Z**2), 1))
    half = Z / 2 / math.sqrt(2 * count + Z**2)
    assert mg.evaluation.wilson(count, 2 * count) == pytest.approx((0.5 - half, 0.5 + half))


@pytest.mark.parametrize(
    ("right", "count", "interval"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_it_is_as_printed(right, count, interval):
    """Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3."""
    assert mg.evaluation.wilson(right, count) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize(
    ("right", "count", "confidence"), [(1, 0, 0.9), (5, 4, 0.9), (-1, 4, 0.9), (1, 2, 1), (1, 2, 0)]
)
def test_what_has_no_interval_is_refused(right, count, confidence):
    with pytest.raises(DataError, match=r"wilson|confidence"):
        mg.evaluation.wilson(right, count, confidence)


# ------------------------------------------------------------------------------------ people and images


def binomial_quantile(count, share, level):
    """The least number that a binomial variable is at most with this probability."""
    below = 0.0
    for number in range(count + 1):
        below += math.comb(count, number) * share**number * (1 - share) ** (count - number)
        if below >= level:
            return number
    return count


def one_kind(images):
    return np.zeros(images, bool)


def test_of_people_who_answer_alike_only_the_images_count():
    row = np.arange(40) < 26
    low, high = pigeonhole(np.tile(row, (5, 1)), one_kind(40))
    expected = [binomial_quantile(40, 26 / 40, level) / 40 for level in (0.025, 0.975)]
    assert (low, high) == pytest.approx(expected, abs=1 / 40)


def test_of_images_that_are_alike_only_the_people_count():
    low, high = pigeonhole(np.tile(np.arange(30)[:, None] < 12, (1, 50)), one_kind(50))
    expected = [binomial_quantile(30, 12 / 30, level) / 30 for level in (0.025, 0.975)]
    assert (low, high) == pytest.approx(expected, abs=1 / 30)


def test_its_width_is_that_of_the_bootstrap_variance():
    """With weights u of people and t of images around their means, a mean varies by what people differ by, what images
    differ by, and what is left of the table without both."""
    rng = np.random.default_rng(0)
    people, images = 25, 150
    table = rng.random((people, images)) < rng.uniform(0.2, 0.9, (people, 1)) * rng.uniform(0.3, 1, images)
    of_people, of_images = table.mean(1), table.mean(0)
    rest = table - of_people[:, None] - of_images + table.mean()
    variance = of_people.var() / people + of_images.var() / images + rest.var() / (people * images)
    low, high = pigeonhole(table, one_kind(images))
    assert (high - low) / (2 * Z) == pytest.approx(math.sqrt(variance), rel=0.04)
    assert (low + high) / 2 == pytest.approx(table.mean(), abs=0.1 * (high - low))


def test_images_are_drawn_among_their_kind():
    kinds = np.arange(20) < 8
    assert pigeonhole(np.tile(kinds, (3, 1)), kinds) == pytest.approx((0.4, 0.4))


def test_the_same_seed_gives_the_same_interval():
    table = np.random.default_rng(1).random((3, 30)) < 0.5
    assert pigeonhole(table, one_kind(30)) == pigeonhole(table, one_kind(30))


@pytest.mark.parametrize("shapes", [((1, 4), (4,)), ((3, 4), (5,)), ((4,), (4,)), ((2, 0), (0,))])
def test_answers_that_cannot_be_drawn_from_are_refused(shapes):
    with pytest.raises(DataError, match="at least two people"):
        pigeonhole(*map(np.zeros, shapes))
