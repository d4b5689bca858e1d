"""The Frechet distance between two sets of features, each taken as a normal distribution."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.checks import pair


class Moments(NamedTuple):
    """What a Frechet distance takes of a set of features, all in float64.

    mean: (D,)
    covariance: (D, D), with n - 1
    count: n, of how many
    """

    mean: np.ndarray
    covariance: np.ndarray
    count: int


class RunningMoments:
    """Moments of features that come in parts, of which none is kept: mean and scatter around it are brought together.

    width: D
    source: Chan, Golub & LeVeque, The American Statistician 37 (1983)
    """

    def __init__(self, width: int):
        self.count, self.mean, self.scatter = 0, np.zeros(width), np.zeros((width, width))

    def add(self, features: np.ndarray) -> None:
        """Take in some more features (N, D). Raises ShapeError for others."""
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
        """Those of all that came. Raises ShapeError for fewer than two rows."""
        if self.count < 2:
            raise ShapeError(f"RunningMoments: {self.count} rows have no covariance; there must be two")
        return Moments(self.mean.copy(), self.scatter / (self.count - 1), self.count)


def moments(features: np.ndarray) -> Moments:
    """Mean and covariance of features (N, D), each sample a row. Raises ShapeError for fewer than two."""
    features = pair("moments", features, features, least=2)[0]
    return Moments(features.mean(0), np.atleast_2d(np.cov(features, rowvar=False)), len(features))


def frechet_distance(first: np.ndarray | Moments, second: np.ndarray | Moments) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), of the means m and covariances S (n - 1) of two samples.

    first, second: features (N, D), each sample a row, N may differ; or their moments. Computed in float64
    returns: a number that is 0 or more; the same for both orders
    raises ShapeError for samples of two widths or of fewer than two rows, and for numbers that are not finite
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
    return max(float(distance), 0.0)  # rounding may leave a little below


def _checked(first, second):
    """The two, features in float64."""
    features = [of for of in (first, second) if not isinstance(of, Moments)]
    if len(features) == 2:
        return pair("frechet_distance", first, second, least=2)
    if features:
        features = list(pair("frechet_distance", features[0], features[0], least=2)[:1])
    for of in (first, second):
        if isinstance(of, Moments) and not (np.isfinite(of.mean).all() and np.isfinite(of.covariance).all()):
            raise ShapeError("frechet_distance: the moments hold NaN or infinity, of which there is no distance")
    widths = [of.mean.shape[0] if isinstance(of, Moments) else features[0].shape[1] for of in (first, second)]
    if widths[0] != widths[1]:
        raise ShapeError(f"frechet_distance: samples of {widths[0]} and of {widths[1]} features")
    return [of if isinstance(of, Moments) else features[0] for of in (first, second)]


def _rows(sample):
    """How many rows a factor of its covariance needs: as many as samples, or as features if those are fewer."""
    return len(sample.mean) if isinstance(sample, Moments) else min(sample.shape)


def _factor(sample, of):
    """A with A^T A = its covariance: the samples around their mean, or the covariance's root."""
    if isinstance(sample, Moments) or len(sample) > sample.shape[1]:
        return _square_root(of.covariance)
    return (sample - of.mean) / np.sqrt(of.count - 1)


def _square_root(symmetric):
    """The symmetric root of a positive semi-definite matrix, rounding below 0 taken as 0."""
    eigenvalues, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.sqrt(np.clip(eigenvalues, 0, None))) @ vectors.T
