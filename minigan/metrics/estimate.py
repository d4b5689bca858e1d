"""A measure that is taken several times."""

from typing import NamedTuple


class Estimate(NamedTuple):
    """A mean over parts of a sample, and the standard deviation between the parts (n, not n - 1)."""

    mean: float
    deviation: float
