"""Saliency: the pixels that a network's output depends on, found by its gradient with respect to the image.

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
    """The sensitivity of a class's logit, or a discriminator's score, to each pixel: |gradient|, largest over channels.

    model: used with running statistics. For a GAN, its discriminator; if that compares the images of a batch (minibatch
        standard deviation), `batch` images are judged together, and gradients are of the sum of their scores
    images: (N, H, W, C), uint8 or floats in [-1, 1]
    labels: the class whose logit is used, an int or one for each image; by default a classifier's own prediction. For a
        conditional GAN they are inputs, by default all classes in turn
    samples: if above 0, gradients are averaged over this many noisy copies of the image (SmoothGrad), which removes
        fluctuations due to nearby kinks of ReLUs
    noise: the noise's standard deviation, as a share of the image's range (largest pixel minus smallest)
    seed: for the noise
    returns: (N, H, W), float32, at least 0; the logit's change for a change of the pixel by 1, half its range
    raises ShapeError for images or labels that do not fit the model, TrainingError for invalid numbers
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
            some, classes = images[i : i + batch], None if labels is None else labels[i : i + batch]
            spread = noise * (some.max((1, 2, 3), keepdims=True) - some.min((1, 2, 3), keepdims=True))
            noisy = (some + spread * rng.standard_normal(some.shape) for _ in range(samples))
            gradients = sum(_gradients(model, network, copy, classes) for copy in (noisy if samples else [some]))
            gradients = gradients / max(samples, 1)
            found[i : i + batch] = np.abs(gradients).max(3)
    return found


def _labels(model, images, labels):
    """The class of each image; None for a GAN without classes."""
    classes = model.classes
    if classes is None:
        if labels is not None:
            raise ShapeError(f"saliency: {model.name} has no classes, so it takes no labels")
        return None
    if labels is None:
        return model.predict(images) if isinstance(model, Classifier) else model.labels(len(images))
    return labels_of("saliency", labels, len(images), classes)


def _gradients(model, network, images, labels):
    """The gradient of the sum of the images' logits or scores with respect to the images, (N, H, W, C)."""
    x = tensor_for(network, images, requires_grad=True)
    with autograd.recording(True):
        if isinstance(model, Classifier):
            outputs = network(x)[np.arange(len(images)), labels]
        else:
            outputs = model.scores(x, labels)
        total = ops.sum(outputs)
    return devices.to_cpu(autograd.grad(total, x))
