"""Confidence intervals of shares, for independent answers and for people who judged the same images; text tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from minigan.errors import DataError

CONFIDENCE = 0.95
DRAWS = 10_000


class Interval(NamedTuple):
    """An interval of shares, each in [0, 1]."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{percent(self.low)} to {percent(self.high)}"


def percent(share: float) -> str:
    """Format a share with one decimal, rounding halves up as a page of `minigan ask` does."""
    return f"{Decimal(100 * share).quantize(Decimal('0.1'), ROUND_HALF_UP)}%"


def wilson(right: int, count: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a share: the shares that the score test does not reject.

    right, count: the number of right answers, and of all answers, which are independent
    raises DataError for no answers, more right answers than answers, or a confidence outside (0, 1)
    source: Wilson, JASA 22 (1927) 209; recommended by Brown, Cai & DasGupta, Statistical Science 16 (2001) 101
    """
    if not 0 <= right <= count or count < 1:
        raise DataError(
            f"wilson: {right} right of {count}; expected at least one answer, and no more right ones than answers"
        )
    z = quantile(confidence)
    middle = (right + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * math.sqrt(right * (count - right) / count + z * z / 4)
    return Interval(0.0 if right == 0 else middle - half, 1.0 if right == count else middle + half)


def quantile(confidence: float) -> float:
    """The half-width of a central interval of the normal distribution, in standard deviations: 1.96 for 95%."""
    if not 0 < confidence < 1:
        raise DataError(f"the confidence must be between 0 and 1, such as 0.95 for 95%, not {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def pigeonhole(
    answers: np.ndarray, kinds: np.ndarray, confidence: float = CONFIDENCE, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """A confidence interval of the mean answer for other people and other images, by the pigeonhole bootstrap.

    People and images are resampled independently, both with replacement, so that the answers of one person stay
    together, and so do the answers about one image. The interval lies between percentiles of the draws.
    answers: (people, images), 0 or 1, at least two people
    kinds: (images,); images are resampled within their kind, since a page has a fixed number of each
    raises DataError for fewer people, or shapes that do not match
    source: Owen, arXiv:0712.1111, section 4. It underestimates the variance between people by 1 / people of it
    """
    answers, kinds = np.asarray(answers, np.float64), np.asarray(kinds)
    if answers.ndim != 2 or len(answers) < 2 or kinds.shape != answers.shape[1:] or not len(kinds):
        raise DataError(
            f"pigeonhole: answers have shape {answers.shape} and kinds {kinds.shape}, expected (people, images) and "
            "(images,), with at least two people and one image"
        )
    quantile(confidence)  # raises DataError for an invalid confidence
    rng = np.random.default_rng(seed)
    people = _shares(rng, len(answers), draws)
    means = np.zeros(draws)
    for kind in np.unique(kinds):
        of_kind = answers[:, kinds == kind]
        images = _shares(rng, of_kind.shape[1], draws)
        means += ((people @ of_kind) * images).sum(1) * of_kind.shape[1] / len(kinds)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _shares(rng, count, draws):
    """The weight of each of `count` items in each bootstrap draw: (draws, count), with rows that sum to 1."""
    return rng.multinomial(count, np.full(count, 1 / count), draws) / count


def aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Format rows as lines with aligned columns; sides: "<" or ">" for each column, to align it left or right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    ]
