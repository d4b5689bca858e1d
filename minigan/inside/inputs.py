"""Running a trained network to look at it: as in use, on its device, on checked images."""

from __future__ import annotations

import numpy as np

from minigan import devices
from minigan.autograd.tensor import Tensor
from minigan.data.arrays import images_from
from minigan.errors import ShapeError
from minigan.models.model import as_floats
from minigan.nn import Module


def dtype_and_device(network: Module) -> tuple[np.dtype, str]:
    """Of a network's parameters; float32 on the CPU where it has none."""
    for _, parameter in network.named_parameters():
        return parameter.dtype, parameter.device
    return np.dtype(np.float32), "cpu"


def tensor_for(network: Module, array: np.ndarray, requires_grad: bool = False) -> Tensor:
    """An array as the network takes it."""
    dtype, device = dtype_and_device(network)
    return Tensor(devices.move(np.asarray(array, dtype), device), requires_grad)


def floats_of(call: str, images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C) as floats: bytes in [-1, 1], floats as they are. Raises DataError for anything else.

    What floats mean to a network of one's own is not known here; a model's are checked by `Model.check`.
    """
    images = images_from(call, images, scale="any")
    return as_floats(images) if images.dtype == np.uint8 else images


def labels_of(call: str, labels, count: int, classes: int) -> np.ndarray:
    """One class for each of `count` images, from an int or from such an array.

    raises ShapeError for another number of them, or a class that is not there
    """
    try:
        labels = np.asarray(labels)
    except ValueError as error:
        raise ShapeError(f"{call}: labels are a list that is no array, but it takes one for each of {count}") from error
    if labels.dtype.kind not in "iu" or labels.shape not in ((), (count,)):
        raise ShapeError(f"{call}: labels have shape {labels.shape}, but it takes an int, or one for each of {count}")
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ShapeError(
            f"{call}: labels go from {labels.min()} to {labels.max()}, but classes from 0 to {classes - 1}"
        )
    return np.broadcast_to(labels, count)
