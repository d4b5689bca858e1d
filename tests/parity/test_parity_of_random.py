"""The noise is normal and its streams are unrelated, as SciPy's tests see it."""

import numpy as np
import pytest
from scipy import stats

from minigan.random import Philox

LIKELY = 1e-3  # the least probability of what is seen, were the numbers as they should be; the seeds are fixed


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_normal(seed):
    numbers = Philox(seed, "noise").standard_normal((250_000, 4))
    assert stats.kstest(numbers.reshape(-1).astype(float), "norm").pvalue > LIKELY
    assert stats.normaltest(numbers.reshape(-1).astype(float)).pvalue > LIKELY
    # how far out a block's points are, whatever their direction
    assert stats.kstest((numbers.astype(float) ** 2).sum(axis=1), "chi2", args=(4,)).pvalue > LIKELY


def test_numbers_side_by_side_and_streams_are_independent():
    streams = [Philox(seed, name).standard_normal(200_000).astype(float) for seed in (0, 1) for name in ("a", "b")]
    lagged = [streams[0][lag : lag - 64] for lag in range(9)]
    correlations = np.corrcoef([*lagged, *(stream[:-64] for stream in streams[1:])])
    above = correlations[np.triu_indices_from(correlations, 1)]
    assert np.abs(above).max() < stats.norm.isf(LIKELY / above.size / 2) / np.sqrt(200_000 - 64)


def test_tails():
    numbers = np.abs(Philox(0, "tails").standard_normal(10_000_000))
    for bound in (3, 4, 5):
        expected = 2 * stats.norm.sf(bound) * numbers.size
        assert abs(np.count_nonzero(numbers > bound) - expected) < 4 * np.sqrt(expected)
