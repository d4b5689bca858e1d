"""Measures of generated images against torchmetrics and SciPy, on the same features in double precision."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import poly_mmd

from minigan.metrics import classifier_score, frechet_distance, kernel_distance, nearest, precision_recall

SETS = {"many": (400, 400, 12), "rank-deficient": (40, 60, 96), "few": (3, 5, 8)}


@pytest.fixture(params=[*SETS, "collapsed"])
def features(request, rng):
    """Two sets that differ, in float64."""
    if request.param == "collapsed":
        return rng.standard_normal((50, 6)), np.repeat(rng.standard_normal((1, 6)), 30, 0)
    first, second, width = SETS[request.param]
    mixing = rng.standard_normal((width, width))
    return rng.standard_normal((first, width)), rng.standard_normal((second, width)) @ mixing / width**0.5 + 0.3


def test_the_frechet_distance(features):
    moments = [part for x in features for part in (torch.tensor(x.mean(0)), torch.tensor(np.cov(x, rowvar=False)))]
    expected = _compute_fid(*moments).item()
    assert frechet_distance(*features) == pytest.approx(expected, rel=1e-6)


def test_the_kernel_distance(features):
    x, y = features
    size = min(len(x), len(y))
    x, y = x[:size], y[:size]
    expected = poly_mmd(torch.tensor(x), torch.tensor(y)).item()
    assert kernel_distance(x, y, subsets=2, size=size) == pytest.approx((expected, 0), rel=1e-10, abs=1e-12)


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save", "ignore:std")  # of one part there is none
@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0])
def test_the_classifier_score(scale, rng):
    logits = scale * rng.standard_normal((500, 10))
    score = InceptionScore(torch.nn.Identity(), splits=1).set_dtype(torch.float64)
    score.update(torch.tensor(logits))
    assert classifier_score(logits, splits=1).mean == pytest.approx(score.compute()[0].item(), rel=1e-10)


def test_neighbours(features):
    real, made = features
    distances, indices = cKDTree(real).query(made)
    found = nearest(made, real)
    np.testing.assert_array_equal(found[0], indices)
    np.testing.assert_allclose(found[1], distances, rtol=1e-10)
    k = min(3, len(real) - 1, len(made) - 1)
    within = []
    for points, sample in ((made, real), (real, made)):
        radii = cKDTree(sample).query(sample, [k + 1])[0][:, 0]
        within.append(np.mean([(np.linalg.norm(sample - point, axis=1) <= radii + 1e-12).any() for point in points]))
    assert precision_recall(real, made, k) == pytest.approx(tuple(within))
