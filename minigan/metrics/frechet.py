"""The Frechet distance between two sets of features, each taken as a normal distribution."""

import numpy as np

from minigan.metrics.checks import pair


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), of the means m and covariances S (n - 1) of two samples.

    first, second: features (N, D), each sample a row; N may differ. Computed in float64
    returns: a number that is 0 or more; the same for both orders
    source: Dowson & Landau, J. Multivariate Analysis 12 (1982); Heusel et al., arXiv:1706.08500
    """
    first, second = pair("frechet_distance", first, second, least=2)
    means = [features.mean(0) for features in (first, second)]
    covariances = [np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second)]
    # tr (S1 S2)^(1/2) = tr (R S2 R)^(1/2) with R = S1^(1/2), and R S2 R is symmetric
    root = _square_root(covariances[0])
    eigenvalues = np.linalg.eigvalsh(root @ covariances[1] @ root)
    cross = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    distance = np.sum((means[0] - means[1]) ** 2) + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * cross
    return max(float(distance), 0.0)  # rounding may leave a little below


def _square_root(symmetric):
    """The symmetric root of a positive semi-definite matrix, rounding below 0 taken as 0."""
    eigenvalues, vectors = np.linalg.eigh(symmetric)
    return (vectors * np.sqrt(np.clip(eigenvalues, 0, None))) @ vectors.T
