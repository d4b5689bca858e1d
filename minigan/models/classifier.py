"""A classifier, and `cnn`: two convolutions, each followed by pooling (max, then average), and two dense layers.

`cnn` has the structure of LeNet-5 (LeCun et al., Gradient-based learning applied to document recognition, 1998):
convolution, pooling, convolution, pooling, dense layers. Kernels are 3 x 3 and padded, activations are ReLU, and a
batch norm (Ioffe & Szegedy, arXiv:1502.03167) follows each convolution, which therefore has no bias.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from minigan.errors import ShapeError
from minigan.models.model import Model, as_floats, in_use, parts_of
from minigan.nn import AvgPool2d, BatchNorm, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, init


@dataclass
class Classifier(Model):
    """A network that predicts the class of images.

    network: images (N, H, W, C) in [-1, 1] to logits (N, classes); its last layer is dense
    options: the options to rebuild it with
    first_epochs: the default number of epochs
    """

    kind: ClassVar[str] = "classifier"
    players: ClassVar[tuple[str, ...]] = ("network",)

    name: str
    network: Sequential
    image_shape: tuple[int, int, int]
    classes: int
    options: dict = field(default_factory=dict)
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    batch: int = 128
    first_epochs: int = 5

    def logits(self, images: np.ndarray, batch: int = 256) -> np.ndarray:
        """Compute logits (N, classes) of images (N, H, W, C), uint8 or floats in [-1, 1], with running statistics."""
        return self._outputs(self.network, images, batch, self.classes)

    def features(self, images: np.ndarray, batch: int = 256) -> np.ndarray:
        """Compute the inputs of the last layer, (N, features). Scores of generated images are based on them."""
        return self._outputs(self.network[:-1], images, batch, self.network[-1].inputs)

    def logits_of(self, features: np.ndarray, batch: int = 256) -> np.ndarray:
        """Compute logits (N, classes) from the result of `features`."""
        parts = in_use(self.network[-1], parts_of(features, batch), self.device)
        return np.concatenate(parts) if parts else np.empty((0, self.classes), np.float32)

    def predict(self, images: np.ndarray, batch: int = 256) -> np.ndarray:
        """Predict the most probable class of each image, (N,), int64."""
        return self.logits(images, batch).argmax(1)

    def _outputs(self, network, images, batch, width):
        images = self.check(images)
        parts = in_use(network, map(as_floats, parts_of(images, batch)), self.device)
        return np.concatenate(parts) if parts else np.empty((0, width), np.float32)


MAPS, HIDDEN = (32, 64), 128


def cnn(image_shape, rng, classes=None):
    """Build the classifier for images of at least 4 x 4 pixels. It predicts 10 classes by default."""
    classes = 10 if classes is None else classes
    height, width, channels = image_shape
    if min(height, width) < 4:
        raise ShapeError(f"cnn: images are {height} x {width}, but pooling twice needs at least 4 x 4")
    if classes < 2:
        raise ShapeError(f"cnn: classes is {classes}, but it must be at least 2")
    weights = {"weight_init": init.he_normal(), "rng": rng}
    network = Sequential(
        Conv2d(channels, MAPS[0], 3, padding=1, bias=False, **weights),
        BatchNorm(MAPS[0]),
        ReLU(),
        MaxPool2d(2),
        Conv2d(MAPS[0], MAPS[1], 3, padding=1, bias=False, **weights),
        BatchNorm(MAPS[1]),
        ReLU(),
        AvgPool2d(2),
        Flatten(),
        Linear(height // 4 * (width // 4) * MAPS[1], HIDDEN, **weights),
        ReLU(),
        Linear(HIDDEN, classes, rng=rng),
    )
    return Classifier("cnn", network, image_shape, classes, {"classes": classes})
