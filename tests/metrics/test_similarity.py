import sys

import numpy as np
import pytest

from minigan.errors import DataError, MiniganError, ShapeError
from minigan.metrics import psnr, ssim


def test_psnr_is_that_of_the_pooled_error():
    truth = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3), np.uint8)
    images = truth.copy()
    images[1, 2, 3, 0] ^= 64
    images[2, :, :, 1] ^= 1
    error = (64**2 + 9 * 8) / truth.size
    assert psnr(truth, images) == pytest.approx(10 * np.log10(255**2 / error))
    assert psnr(truth, truth) == np.inf


def test_ssim_is_one_for_equals_and_the_mean_over_images():
    truth = np.random.default_rng(0).integers(0, 256, (2, 9, 8, 1), np.uint8)
    other = 255 - truth
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(truth, other) < 0
    mixed = np.concatenate([truth[:1], other[1:]])
    assert ssim(truth, mixed) == pytest.approx((1 + ssim(truth[1:], other[1:])) / 2)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_what_cannot_be_compared_is_refused(measure, monkeypatch):
    images = np.zeros((2, 8, 8, 1), np.uint8)
    with pytest.raises(DataError, match="images are float64, expected uint8"):
        measure(images, images.astype(float))
    with pytest.raises(ShapeError, match="shapes must match"):
        measure(images, images[:1])
    with pytest.raises(ShapeError, match="too few or too small"):
        measure(images[:0], images[:0])
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(MiniganError, match=r"needs scikit-image: pip install 'minigan\[train\]'"):
        measure(images, images)
