"""The kernel distance between two sets of features: how far their means lie apart where a kernel maps them to."""

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.checks import pair
from minigan.metrics.estimate import Estimate

SIZE = 1000  # rows of a subset, as the source has it


def kernel_distance(
    first: np.ndarray, second: np.ndarray, subsets: int = 100, size: int | None = None, seed: int = 0
) -> Estimate:
    """The squared maximum mean discrepancy with the kernel (x . y / D + 1)^3, without bias: 0 on average for two
    samples of one distribution, so that it may be below 0. On the 2015 Inception network's features it is known as KID.

    first, second: features (N, D), each sample a row; N may differ. Computed in float64
    subsets, size: the number of subsets drawn from each set, and the rows in a subset, none of which is drawn twice;
        1,000 rows by default, or half of a smaller set
    seed: of the draws
    returns: the mean over the subsets and their standard deviation, which says how much one subset may be off, not
        how much the mean may
    raises ShapeError for features that do not fit, or fewer than two rows in a subset
    source: Binkowski et al., arXiv:1801.01401; Gretton et al., JMLR 13 (2012), lemma 6
    """
    first, second = pair("kernel_distance", first, second, least=2)
    rows = min(len(first), len(second))
    size = max(2, min(SIZE, rows // 2)) if size is None else size
    if not 2 <= size <= rows:
        raise ShapeError(f"kernel_distance: subsets of {size} rows; they have from 2 to {rows}, as many as both sets")
    if subsets < 1 or not first.shape[1]:
        raise ShapeError(f"kernel_distance: {subsets} subsets of {first.shape[1]} features, but both are at least 1")
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        x, y = (features[rng.choice(len(features), size, replace=False)] for features in (first, second))
        values.append(_discrepancy(x, y))
    return Estimate(float(np.mean(values)), float(np.std(values)))


def _discrepancy(x, y):
    """Of two samples of one size, at least two."""
    size = len(x)
    within = sum((kernel.sum() - kernel.trace()) / (size * (size - 1)) for kernel in (_kernel(x, x), _kernel(y, y)))
    return within - 2 * _kernel(x, y).mean()


def _kernel(x, y):
    products = x @ y.T / x.shape[1] + 1
    return products * products * products
