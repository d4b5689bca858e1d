"""A classifier: a network from images to one logit for each class, and the settings it is trained with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from minigan.models.model import Model, as_floats, in_use, parts_of
from minigan.nn import Sequential


@dataclass
class Classifier(Model):
    """A network that says what images show.

    network: images (N, H, W, C) in [-1, 1] to logits (N, classes); its last layer is dense
    options: what else it takes to build it again
    first_epochs: how long to train where nothing is said
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
        """Logits (N, classes) of images (N, H, W, C), uint8 or floats in [-1, 1], with running statistics."""
        return self._outputs(self.network, images, batch, self.classes)

    def features(self, images: np.ndarray, batch: int = 256) -> np.ndarray:
        """What the last layer is given, (N, features): the numbers that scores of generated images are taken on."""
        return self._outputs(self.network[:-1], images, batch, self.network[-1].inputs)

    def logits_of(self, features: np.ndarray, batch: int = 256) -> np.ndarray:
        """Logits (N, classes) of images that `features` was asked for."""
        parts = in_use(self.network[-1], parts_of(features, batch), self.device)
        return np.concatenate(parts) if parts else np.empty((0, self.classes), np.float32)

    def predict(self, images: np.ndarray, batch: int = 256) -> np.ndarray:
        """The most probable class of each image, (N,), int64."""
        return self.logits(images, batch).argmax(1)

    def _outputs(self, network, images, batch, width):
        images = self.check(images)
        parts = in_use(network, map(as_floats, parts_of(images, batch)), self.device)
        return np.concatenate(parts) if parts else np.empty((0, width), np.float32)
