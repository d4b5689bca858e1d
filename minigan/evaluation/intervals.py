"""Confidence intervals of shares, for independent answers and for people who judged the same images; aligned text."""

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
    """Between which shares, both in [0, 1]."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{percent(self.low)} to {percent(self.high)}"


def percent(share: float) -> str:
    """A share with one digit behind the point, rounded as a page of `minigan ask` rounds: halves upwards."""
    return f"{Decimal(100 * share).quantize(Decimal('0.1'), ROUND_HALF_UP)}%"


def wilson(right: int, count: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a share: the shares that a test of normal approximation would not reject.

    right, count: of how many independent answers how many were right
    raises DataError for no answers, more right ones than there are, or a confidence outside (0, 1)
    source: Wilson, JASA 22 (1927) 209; recommended by Brown, Cai & DasGupta, Statistical Science 16 (2001) 101
    """
    if not 0 <= right <= count or count < 1:
        raise DataError(
            f"wilson: {right} right of {count}; there must be an answer, and no more right ones than answers"
        )
    z = quantile(confidence)
    middle = (right + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * math.sqrt(right * (count - right) / count + z * z / 4)
    return Interval(0.0 if right == 0 else middle - half, 1.0 if right == count else middle + half)


def quantile(confidence: float) -> float:
    """How many deviations to either side of a normal variable's mean hold so much of it: 1.96 for 95%."""
    if not 0 < confidence < 1:
        raise DataError(f"the confidence is a share between 0 and 1, 0.95 for 95%, not {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def pigeonhole(
    answers: np.ndarray, kinds: np.ndarray, confidence: float = CONFIDENCE, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """The mean of what people said of images, and where it would lie with other people and other images.

    People and images are drawn anew, each with replacement and apart from the other: both the answers of one person
    and the answers about one image go together. The interval is between percentiles of the draws.
    answers: (people, images), 0 or 1, at least two people
    kinds: (images,); images are drawn within their kind, since a page has a fixed number of each
    raises DataError for fewer people, or kinds that do not fit
    source: Owen, arXiv:0712.1111, section 4; what few people differ by is seen too small, by 1 / people of its variance
    """
    answers, kinds = np.asarray(answers, np.float64), np.asarray(kinds)
    if answers.ndim != 2 or len(answers) < 2 or kinds.shape != answers.shape[1:] or not len(kinds):
        raise DataError(
            f"pigeonhole: answers {answers.shape} to images of kinds {kinds.shape}; they are (people, images) and "
            "(images,), at least two people and one image"
        )
    quantile(confidence)  # or it is refused
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
    """How much of each draw every one of `count` makes up: (draws, count), rows that sum to 1."""
    return rng.multinomial(count, np.full(count, 1 / count), draws) / count


def aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """A line for each row; sides: of each column, "<" words to the left or ">" figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    ]
