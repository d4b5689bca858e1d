"""Intervals of shares against SciPy's."""

import numpy as np
import pytest
from scipy import stats

from minigan.evaluation import wilson
from minigan.evaluation.intervals import pigeonhole


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("count", [1, 2, 13, 100, 4000])
def test_wilson(count, confidence):
    for right in {0, 1, count // 3, count // 2, count - 1, count}:
        expected = stats.binomtest(right, count).proportion_ci(confidence, method="wilson")
        assert wilson(right, count, confidence) == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("axis", [0, 1])
def test_pigeonhole_of_what_varies_along_one_axis(axis, rng):
    """Of people who answer alike, or images about which everybody says the same of all, one bootstrap is left."""
    line = rng.random(60) < 0.7
    table = np.tile(line, (4, 1)) if axis else np.tile(line[:, None], (1, 4))
    expected = stats.bootstrap((line,), np.mean, n_resamples=20_000, method="percentile", rng=rng).confidence_interval
    found = pigeonhole(table, np.zeros(table.shape[1]))
    assert found == pytest.approx((expected.low, expected.high), abs=1 / 60)
