"""What every kind of model shares: networks under names, where they are, and what it takes to build them again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from numbers import Integral
from typing import ClassVar

import numpy as np

from minigan import devices
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.data import scaled
from minigan.data.arrays import images_from
from minigan.errors import ShapeError
from minigan.nn import Module, as_in_use
from minigan.random import Philox


class Model:
    """A dataclass of networks and their default training settings.

    kind: what it does, and so what trains it: "gan", "classifier", "vae" or "restoration"
    players: the names of the attributes that are networks
    """

    kind: ClassVar[str]
    players: ClassVar[tuple[str, ...]]

    def networks(self) -> dict[str, Module]:
        """Those of its networks that there are, by their names."""
        return {name: getattr(self, name) for name in self.players if getattr(self, name) is not None}

    @property
    def device(self) -> str:
        """Where the networks are: "cpu", "cuda" or "sim"."""
        return next(next(iter(self.networks().values())).named_parameters())[1].device

    def to(self, device: str) -> Model:
        """Move all networks to a device. Returns the model."""
        for network in self.networks().values():
            network.to(device)
        return self

    def digest(self) -> str:
        """The first eight digits of the SHA-256 of its weights and statistics: what tells two trained models apart."""
        found = hashlib.sha256()
        for player, network in sorted(self.networks().items()):
            for name, array in sorted(network.state_dict().items()):
                found.update(f"{player}.{name} {array.dtype} {array.shape}".encode())
                found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()[:8]

    def check(self, images: np.ndarray, call: str | None = None) -> np.ndarray:
        """The images as `minigan.data.arrays.images_from` takes them, of the shape that the model is for.

        raises DataError for what are no images or of another scale, ShapeError for images of another shape
        """
        images = images_from(call or self.name, images)
        if tuple(images.shape[1:]) != tuple(self.image_shape):
            raise ShapeError(
                f"{self.name} is for images of {tuple(self.image_shape)}, but was given {images.shape[1:]} (H, W, C)"
            )
        return images


def normal_noise(count: int, size: int, rng: Philox | np.random.Generator, device: str) -> Tensor:
    """Standard normal noise (count, size), float32, on a device."""
    if isinstance(rng, Philox):
        return Tensor(rng.standard_normal((count, size), np.float32, device))
    return Tensor(devices.move(rng.standard_normal((count, size), np.float32), device))


def as_floats(images: np.ndarray) -> np.ndarray:
    """Images as float32 in [-1, 1], from bytes or from such floats."""
    return scaled(images) if images.dtype == np.uint8 else images.astype(np.float32, copy=False)


@no_grad()
def in_use(network: Module, arrays: Iterable[np.ndarray], device: str) -> list[np.ndarray]:
    """What a network makes of each array with running statistics, on the CPU."""
    with as_in_use():
        return [network(Tensor(devices.move(array, device))).numpy() for array in arrays]


def parts_of(array: np.ndarray, batch: int) -> Iterable[np.ndarray]:
    """An array in parts of at most `batch` rows. Raises ShapeError for anything but a whole number above 0."""
    if not isinstance(batch, Integral) or batch < 1:
        raise ShapeError(f"batch must be a whole number above 0, not {batch!r}")
    return (array[i : i + batch] for i in range(0, len(array), batch))
