"""Saliency: which pixels a network's output depends on, by its gradient with respect to the image.

source: Simonyan, Vedaldi & Zisserman, Deep inside convolutional networks, arXiv:1312.6034, section 3
"""

from __future__ import annotations

import numpy as np

from minigan import autograd, devices, ops, random
from minigan.errors import ShapeError
from minigan.inside.inputs import floats_of, labels_of, tensor_for
from minigan.models import GAN, Classifier
from minigan.nn import as_in_use
from minigan.training.inputs import check_model, check_seed, real, whole


def saliency(
    model: Classifier | GAN,
    images: np.ndarray,
    labels: int | np.ndarray | None = None,
    samples: int = 0,
    noise: float = 0.15,
    seed: int = 0,
    batch: int = 64,
) -> np.ndarray:
    """How much each pixel would change a class's logit, or a discriminator's score: |slope|, the largest of channels.

    model: with running statistics. Of a GAN the discriminator; one that compares the images of a batch (minibatch
        standard deviation) is asked about `batch` of them together, and slopes are those of all their scores' sum
    images: (N, H, W, C), uint8 or floats in [-1, 1]
    labels: the class whose logit is meant, an int or one for each image; by default a classifier's own prediction. A
        conditional GAN takes them as input, by default all classes in turn
    samples: above 0, SmoothGrad: slopes are means over this many noisy copies of the image, so that what is true of
        this very image alone (kinks of ReLUs beside it) averages out
    noise: their standard deviation, as a share of the image's largest pixel less its smallest
    seed: of the noise
    returns: (N, H, W), float32, from 0 on; each in units of the logit for a pixel's change by 1, half its range
    raises ShapeError where the images or labels do not fit the model, TrainingError for other numbers
    source: Simonyan et al., arXiv:1312.6034, section 3.1; SmoothGrad: Smilkov et al., arXiv:1706.03825
    """
    check_model("saliency", model, Classifier, GAN)
    samples = whole("saliency: samples", samples, least=0, needed=True)
    batch = whole("saliency: batch", batch, needed=True)
    noise = real("saliency: noise", noise, least=0.0, needed=True)
    check_seed(seed)
    images = floats_of("saliency", model.check(images, "saliency"))
    labels = _labels(model, images, labels)
    rng = random.derived(seed, "smoothgrad")
    found = np.empty(images.shape[:3], np.float32)
    network = model.network if isinstance(model, Classifier) else model.discriminator
    with as_in_use():
        for i in range(0, len(images), batch):
            some, told = images[i : i + batch], None if labels is None else labels[i : i + batch]
            spread = noise * (some.max((1, 2, 3), keepdims=True) - some.min((1, 2, 3), keepdims=True))
            noisy = (some + spread * rng.standard_normal(some.shape) for _ in range(samples))
            slopes = sum(_slopes(model, network, copy, told) for copy in (noisy if samples else [some]))
            slopes = slopes / max(samples, 1)
            found[i : i + batch] = np.abs(slopes).max(3)
    return found


def _labels(model, images, labels):
    """The class of each image; None for a GAN without classes."""
    classes = model.classes
    if classes is None:
        if labels is not None:
            raise ShapeError(f"saliency: {model.name} knows no classes, so labels mean nothing to it")
        return None
    if labels is None:
        return model.predict(images) if isinstance(model, Classifier) else model.labels(len(images))
    return labels_of("saliency", labels, len(images), classes)


def _slopes(model, network, images, labels):
    """The gradient of the sum of what is meant by the images, (N, H, W, C): each is of its own image's alone."""
    x = tensor_for(network, images, requires_grad=True)
    with autograd.recording(True):
        if isinstance(model, Classifier):
            meant = network(x)[np.arange(len(images)), labels]
        else:
            meant = model.scores(x, labels)
        total = ops.sum(meant)
    return devices.to_cpu(autograd.grad(total, x))
