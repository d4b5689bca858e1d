"""Which pixels of an image a value deep in a network can depend on."""

from __future__ import annotations

import numpy as np

from minigan.kernels.geometry import Window
from minigan.nn import AvgPool2d, Conv2d, ConvTranspose2d, Flatten, MaxPool2d, Module, Reshape, Upsample


def receptive_field(steps: list[tuple[Module, tuple[int, ...]]], places: np.ndarray) -> np.ndarray:
    """The part of the image that places of the last layer's output depend on.

    steps: the layers and the shapes of what they were given, (N, H, W, C) or (N, features); the first one's is images
    places: rows and columns, (N, 2)
    returns: (N, 4), top, bottom, left and right: image[top:bottom, left:right]
    """
    height, width = steps[0][1][1:3]
    everything = np.tile([0, height, 0, width], (len(places), 1))
    if any(isinstance(layer, Flatten | Reshape) or len(shape) == 2 for layer, shape in steps):
        return everything
    bounds = []
    for axis in (0, 1):
        first = last = places[:, axis]
        for layer, shape in reversed(steps):
            first, last = _before(layer, shape, axis, first, last)
        bounds += [first, last + 1]
    return np.stack(bounds, 1)


def _before(layer, shape, axis, first, last):
    """The first and the last place along an axis of the layer's input, of shape (N, H, W, C), that these depend on."""
    size = shape[1 + axis]
    if isinstance(layer, ConvTranspose2d):
        window, padding = _window(layer)
        ahead = window.pads(padding, _grown(layer, shape))[axis][0]
        reach, stride = window.extent[axis] - 1, window.stride[axis]
        first, last = -((reach - first - ahead) // stride), (last + ahead) // stride
    elif isinstance(layer, Conv2d | MaxPool2d | AvgPool2d):
        window, padding = _window(layer)
        ahead = window.pads(padding, shape[1:3])[axis][0]
        first = first * window.stride[axis] - ahead
        last = last * window.stride[axis] - ahead + window.extent[axis] - 1
    elif isinstance(layer, Upsample):
        beside = 0 if layer.mode == "nearest" else 1
        first, last = first // layer.scale[axis] - beside, last // layer.scale[axis] + beside
    return np.clip(first, 0, size - 1), np.clip(last, 0, size - 1)


def _window(layer):
    """The sliding window of a convolution or a pooling, and its padding."""
    name = type(layer).__name__
    if isinstance(layer, Conv2d):
        return Window(name, layer.weight.shape[:2], layer.how["stride"], layer.how["dilation"]), layer.how["padding"]
    stride = layer.kernel_size if layer.stride is None else layer.stride
    return Window(name, layer.kernel_size, stride, 1), layer.padding


def _grown(layer, shape):
    """The size of what a transposed convolution makes of features of a shape."""
    window, padding = _window(layer)
    return window.image_size(shape[1:3], padding, None, layer.how["output_padding"])
