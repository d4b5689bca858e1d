"""Validate inputs for inspecting a trained network, and convert them to its dtype and device."""

from __future__ import annotations

import numpy as np

from minigan import devices
from minigan.autograd.tensor import Tensor
from minigan.data.arrays import images_from
from minigan.errors import ShapeError
from minigan.models.model import as_floats
from minigan.nn import Module


def dtype_and_device(network: Module) -> tuple[np.dtype, str]:
    """The dtype and device of a network's parameters; float32 on the CPU if it has none."""
    for _, parameter in network.named_parameters():
        return parameter.dtype, parameter.device
    return np.dtype(np.float32), "cpu"


def tensor_for(network: Module, array: np.ndarray, requires_grad: bool = False) -> Tensor:
    """Convert an array to a Tensor of the network's dtype, on its device."""
    dtype, device = dtype_and_device(network)
    return Tensor(devices.move(np.asarray(array, dtype), device), requires_grad)


def floats_of(call: str, images: np.ndarray) -> np.ndarray:
    """Convert images (N, H, W, C) to floats: bytes to [-1, 1], floats unchanged. Raises DataError for anything else.

    The range of floats is not checked, since a custom network may use any; `Model.check` checks a model's.
    """
    images = images_from(call, images, scale="any")
    return as_floats(images) if images.dtype == np.uint8 else images


def labels_of(call: str, labels, count: int, classes: int) -> np.ndarray:
    """Validate labels, given as an int for all of `count` images or as an array of one for each.

    raises ShapeError for another number of labels, or a class that does not exist
    """
    try:
        labels = np.asarray(labels)
    except ValueError as error:
        raise ShapeError(f"{call}: labels are a list that does not form an array") from error
    if labels.dtype.kind not in "iu" or labels.shape not in ((), (count,)):
        raise ShapeError(
            f"{call}: labels are {labels.dtype} of shape {labels.shape}, expected an int, or one for each of {count}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ShapeError(
            f"{call}: labels run from {labels.min()} to {labels.max()}, but classes from 0 to {classes - 1}"
        )
    return np.broadcast_to(labels, count)
