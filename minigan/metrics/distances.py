"""Distances between two sets of features, each an array (N, D) with one sample per row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.errors import ShapeError


class Estimate(NamedTuple):
    """A mean over parts of a sample, and the standard deviation between the parts (divided by n, not n - 1)."""

    mean: float
    deviation: float


def numbers(measure: str, value) -> np.ndarray:
    """Convert to a float64 array. Raises ShapeError for anything but real numbers, and for masked values."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{measure}: the rows have different lengths") from error
    if array.dtype.kind not in "biuf" or np.ma.is_masked(value):
        what = "partly masked" if np.ma.is_masked(value) else array.dtype
        raise ShapeError(f"{measure}: the argument is {what}, expected real numbers")
    return array.astype(np.float64)


def pair(measure: str, first: np.ndarray, second: np.ndarray, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Convert two sets of features to float64. Raises ShapeError unless they are (N, D) with the same D, at least
    `least` rows, and finite values."""
    first, second = (numbers(measure, features) for features in (first, second))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < least:
        rows = {1: "one row", 2: "two rows"}.get(least, f"{least} rows")
        raise ShapeError(
            f"{measure}: features have shapes {first.shape} and {second.shape}; "
            f"expected (N, D) with the same D and at least {rows}"
        )
    for name, features in (("first", first), ("second", second)):
        if not np.isfinite(features).all():
            raise ShapeError(f"{measure}: the {name} features contain NaN or infinity")
    return first, second


class Moments(NamedTuple):
    """The mean and covariance of a set of features, in float64, from which a Frechet distance is computed.

    mean: (D,)
    covariance: (D, D), divided by n - 1
    count: n, the number of samples
    """

    mean: np.ndarray
    covariance: np.ndarray
    count: int


class RunningMoments:
    """Moments of features that arrive in parts. Only the mean, and the scatter around it, are kept and updated.

    width: D
    source: Chan, Golub & LeVeque, The American Statistician 37 (1983)
    """

    def __init__(self, width: int):
        self.count, self.mean, self.scatter = 0, np.zeros(width), np.zeros((width, width))

    def add(self, features: np.ndarray) -> None:
        """Add more features (N, D). Raises ShapeError for another shape."""
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or features.shape[1:] != self.mean.shape:
            raise ShapeError(f"RunningMoments: features have shape {features.shape}, not (N, {len(self.mean)})")
        if not len(features):
            return
        mean = features.mean(0)
        around, shift = features - mean, mean - self.mean
        count = self.count + len(features)
        self.scatter += around.T @ around
        self.scatter += np.outer(shift, shift * (self.count * len(features) / count))
        self.mean = self.mean + shift * (len(features) / count)
        self.count = count

    def moments(self) -> Moments:
        """The moments of all features added so far. Raises ShapeError for fewer than two rows."""
        if self.count < 2:
            raise ShapeError(f"RunningMoments: a covariance needs at least two rows, not {self.count}")
        return Moments(self.mean.copy(), self.scatter / (self.count - 1), self.count)


def moments(features: np.ndarray) -> Moments:
    """The mean and covariance of features (N, D), one sample per row. Raises ShapeError for fewer than two rows."""
    features = pair("moments", features, features, least=2)[0]
    return Moments(features.mean(0), np.atleast_2d(np.cov(features, rowvar=False)), len(features))


def frechet_distance(first: np.ndarray | Moments, second: np.ndarray | Moments) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), from the means m and covariances S (with n - 1) of two samples.

    first, second: features (N, D), one sample per row, or their moments; N may differ. Computed in float64
    returns: a number of at least 0, the same in both orders
    raises ShapeError for samples of different widths or with fewer than two rows, and for values that are not finite
    source: Dowson & Landau, J. Multivariate Analysis 12 (1982); Heusel et al., arXiv:1706.08500
    """
    samples = _checked(first, second)
    both = [sample if isinstance(sample, Moments) else moments(sample) for sample in samples]
    means, covariances = [of.mean for of in both], [of.covariance for of in both]
    # tr (S1 S2)^(1/2) = tr (A S2 A^T)^(1/2) for any A with A^T A = S1, and A S2 A^T is symmetric
    few = int(_rows(samples[1]) < _rows(samples[0]))
    factor = _factor(samples[few], both[few])
    eigenvalues = np.linalg.eigvalsh(factor @ covariances[1 - few] @ factor.T)
    cross = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    distance = np.sum((means[0] - means[1]) ** 2) + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * cross
    return max(float(distance), 0.0)  # rounding errors may make it slightly negative


def _checked(first, second):
    """Validate both samples, and convert features to float64."""
    features = [of for of in (first, second) if not isinstance(of, Moments)]
    if len(features) == 2:
        return pair("frechet_distance", first, second, least=2)
    if features:
        features = list(pair("frechet_distance", features[0], features[0], least=2)[:1])
    for of in (first, second):
        if isinstance(of, Moments) and not (np.isfinite(of.mean).all() and np.isfinite(of.covariance).all()):
            raise ShapeError("frechet_distance: the moments contain NaN or infinity")
    widths = [of.mean.shape[0] if isinstance(of, Moments) else features[0].shape[1] for of in (first, second)]
    if widths[0] != widths[1]:
        raise ShapeError(f"frechet_distance: samples have {widths[0]} and {widths[1]} features, expected equally many")
    return [of if isinstance(of, Moments) else features[0] for of in (first, second)]


def _rows(sample):
    """The number of rows of a factor of its covariance: the number of samples or of features, whichever is less."""
    return len(sample.mean) if isinstance(sample, Moments) else min(sample.shape)


def _factor(sample, of):
    """A factor A with A^T A = covariance: the centred samples, or the covariance's square root."""
    if isinstance(sample, Moments) or len(sample) > sample.shape[1]:
        return _square_root(of.covariance)
    return (sample - of.mean) / np.sqrt(of.count - 1)


def _square_root(symmetric):
    """The symmetric square root of a positive semi-definite matrix; negative eigenvalues from rounding count as 0."""
    eigenvalues, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.sqrt(np.clip(eigenvalues, 0, None))) @ vectors.T


SIZE = 1000  # rows of a subset, as in the source


def kernel_distance(
    first: np.ndarray, second: np.ndarray, subsets: int = 100, size: int | None = None, seed: int = 0
) -> Estimate:
    """The unbiased estimate of the squared maximum mean discrepancy with the kernel (x . y / D + 1)^3. It is 0 on
    average for two samples of one distribution, so it may be negative. On the 2015 Inception network's features, this
    is KID.

    first, second: features (N, D), one sample per row; N may differ. Computed in float64
    subsets, size: the number of subsets drawn from each set, and the rows in each, drawn without replacement; 1,000
        rows by default, or half of the smaller set
    seed: for the draws
    returns: the mean over the subsets and their standard deviation, which is the error of one subset, not of the mean
    raises ShapeError for features of different widths, or fewer than two rows in a subset
    source: Binkowski et al., arXiv:1801.01401; Gretton et al., JMLR 13 (2012), lemma 6
    """
    first, second = pair("kernel_distance", first, second, least=2)
    rows = min(len(first), len(second))
    size = max(2, min(SIZE, rows // 2)) if size is None else size
    if not 2 <= size <= rows:
        raise ShapeError(f"kernel_distance: size is {size}, expected from 2 to {rows}, the rows of the smaller set")
    if subsets < 1 or not first.shape[1]:
        raise ShapeError(f"kernel_distance: {subsets} subsets of {first.shape[1]} features; both must be at least 1")
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        x, y = (features[rng.choice(len(features), size, replace=False)] for features in (first, second))
        values.append(_discrepancy(x, y))
    return Estimate(float(np.mean(values)), float(np.std(values)))


def _discrepancy(x, y):
    """The squared discrepancy of two samples of equal size, at least two."""
    size = len(x)
    within = sum((kernel.sum() - kernel.trace()) / (size * (size - 1)) for kernel in (_kernel(x, x), _kernel(y, y)))
    return within - 2 * _kernel(x, y).mean()


def _kernel(x, y):
    products = x @ y.T / x.shape[1] + 1
    return products * products * products
