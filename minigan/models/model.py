"""The base class of all models: named networks, their device, and the options to rebuild them."""

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


class Model:
    """A dataclass of networks and their default training settings.

    kind: its entry in `minigan.kinds.KINDS`
    players: the names of the attributes that are networks
    A subclass has the fields name and image_shape, and options: the options of `mg.models.build` to rebuild it with.
    """

    kind: ClassVar[str]
    players: ClassVar[tuple[str, ...]]
    changes: tuple[str, ...] = ()
    conditional: bool = False

    def networks(self) -> dict[str, Module]:
        """Return the networks by name."""
        return {name: getattr(self, name) for name in self.players if getattr(self, name) is not None}

    def input_shape(self, player: str) -> tuple[int, ...]:
        """Return the shape of one input of a network, without the batch axis."""
        return tuple(self.image_shape)

    def prepare(self, changes: Iterable[str], names: Iterable[str]) -> None:
        """Give the networks the structure that saved weights need, before these are loaded.

        changes: the changes to the networks after they were built
        names: the names of the saved arrays
        """

    @classmethod
    def has_fixed_size(cls, options: dict) -> bool:
        """Return whether the weights of a model with these options fit only one image size."""
        return True

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of all networks' parameters and buffers, under names such as "encoder.1.weight"."""
        return {
            f"{player}.{name}": array
            for player, network in self.networks().items()
            for name, array in network.state_dict().items()
        }

    def load_state(self, arrays: dict[str, np.ndarray]) -> None:
        """Copy arrays, named as in `state`, into the networks. Raises ShapeError if they do not fit."""
        for player, network in self.networks().items():
            network.load_state_dict(arrays_of(player, arrays))

    @property
    def device(self) -> str:
        """The networks' device: "cpu", "cuda" or "sim"."""
        return next(iter(self.networks().values())).device

    def to(self, device: str) -> Model:
        """Move all networks to a device. Returns the model."""
        for network in self.networks().values():
            network.to(device)
        return self

    def digest(self) -> str:
        """Return eight digits of the SHA-256 of the weights and statistics, which identify a trained model."""
        found = hashlib.sha256()
        for player, network in sorted(self.networks().items()):
            for name, array in sorted(network.state_dict().items()):
                found.update(f"{player}.{name} {array.dtype} {array.shape}".encode())
                found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()[:8]

    def check(self, images: np.ndarray, call: str | None = None) -> np.ndarray:
        """Check images with `minigan.data.arrays.images_from` and against the model's image shape. Returns them.

        raises DataError if they are not images or have another scale, ShapeError if they have another shape
        """
        images = images_from(call or self.name, images)
        if tuple(images.shape[1:]) != tuple(self.image_shape):
            raise ShapeError(
                f"{self.name} is for images of {tuple(self.image_shape)}, but these are {images.shape[1:]} (H, W, C)"
            )
        return images


def arrays_of(player: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Select the arrays of one network, by their names in it."""
    start = player + "."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def as_floats(images: np.ndarray) -> np.ndarray:
    """Convert images, uint8 or floats in [-1, 1], to float32 in [-1, 1]."""
    return scaled(images) if images.dtype == np.uint8 else images.astype(np.float32, copy=False)


@no_grad()
def in_use(network: Module, arrays: Iterable[np.ndarray], device: str) -> list[np.ndarray]:
    """Apply a network to each array, with running statistics. Returns its outputs on the CPU."""
    with as_in_use():
        return [network(Tensor(devices.move(array, device))).numpy() for array in arrays]


def parts_of(array: np.ndarray, batch: int) -> Iterable[np.ndarray]:
    """Split an array into parts of at most `batch` rows. Raises ShapeError unless `batch` is a whole number above 0."""
    if not isinstance(batch, Integral) or batch < 1:
        raise ShapeError(f"batch must be a whole number above 0, not {batch!r}")
    return (array[i : i + batch] for i in range(0, len(array), batch))
