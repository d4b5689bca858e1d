"""PSNR and SSIM, which compare a restored image with its original, both computed by scikit-image."""

import numpy as np

from minigan.data.arrays import images_from
from minigan.errors import MiniganError, ShapeError

WHITE = 255


def psnr(truth: np.ndarray, images: np.ndarray) -> float:
    """The peak signal-to-noise ratio of a set of images in dB: 10 log10(255^2 / mean squared error of all pixels).

    truth, images: (N, H, W, C), uint8
    The error is averaged over all images before the logarithm is taken, so the ratio is infinite only if all of them
    are restored exactly. The mean of the images' own ratios would be infinite if one is.
    """
    metrics, truth, images = _checked("psnr", truth, images)
    with np.errstate(divide="ignore"):
        return float(metrics.peak_signal_noise_ratio(truth, images, data_range=WHITE))


def ssim(truth: np.ndarray, images: np.ndarray) -> float:
    """The mean structural similarity, at most 1, of images (N, H, W, C), uint8, of at least 7 x 7 pixels.

    source: Wang et al., IEEE Transactions on Image Processing 13 (2004), with windows of 7 x 7 and equal weights
    """
    metrics, truth, images = _checked("ssim", truth, images)
    pairs = zip(truth, images, strict=True)
    return float(np.mean([metrics.structural_similarity(a, b, data_range=WHITE, channel_axis=-1) for a, b in pairs]))


def _checked(call, truth, images):
    """Return scikit-image's metrics and both validated arrays."""
    truth = images_from(call, truth, what="true images", floats=False)
    images = images_from(call, images, floats=False)
    if truth.shape != images.shape:
        raise ShapeError(f"{call}: truth is {truth.shape} and images are {images.shape}; shapes must match")
    if min(truth.shape) < 1 or (call == "ssim" and min(truth.shape[1:3]) < 7):
        raise ShapeError(f"{call}: images of {truth.shape} are too few or too small; windows are 7 x 7")
    try:
        import skimage.metrics
    except ImportError as error:
        raise MiniganError(f"{call} needs scikit-image: pip install 'minigan[train]'") from error
    return skimage.metrics, truth, images
