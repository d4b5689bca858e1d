"""What a feature map detects: the images that activate it most, and the pixels responsible, found by a deconvnet.

A deconvnet passes a signal through a network's layers in reverse. It keeps one activation of a layer and sets the
others to 0. Then each layer passes the signal down:

    convolution     the transposed convolution with the same weights, and no bias
    batch norm      multiplication by scale / deviation, without shift. With running statistics, the norm is an affine
                    map of each channel, which could be merged into the convolution before it, and would multiply the
                    transposed weights by this factor. (Division would invert the norm, but a transposed convolution
                    does not invert a convolution either.)
    ReLU            ReLU again; a leaky ReLU multiplies negative values by its slope
    max pooling     unpooling to the positions of the largest pixels (the switches)
    average pooling its adjoint: equal shares to all pixels of the window
    dense layer     the transposed matrix

Only ReLU differs from the gradient: a gradient is set to 0 where the activation was 0 on the way up, a deconvnet's
signal where it is negative on the way down.

source: Zeiler & Fergus, Visualizing and understanding convolutional networks, arXiv:1311.2901, section 2.1; compared
    with gradients: Simonyan, Vedaldi & Zisserman, arXiv:1312.6034, section 4
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minigan import autograd, devices, ops
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.errors import DataError, ShapeError
from minigan.inside.inputs import dtype_and_device, floats_of, tensor_for
from minigan.kernels.geometry import Window
from minigan.models import Classifier
from minigan.models.model import parts_of
from minigan.nn import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Reshape,
    Sequential,
    Upsample,
    as_in_use,
)
from minigan.training.inputs import whole


@dataclass(frozen=True)
class Views:
    """The images and pixels that activate a layer's feature maps.

    layer: its index in the network
    maps: the indices of the feature maps (or of a dense layer's outputs), (M,)
    rows: the indices of the images that activate each map most, strongest first, (M, top)
    strengths: the map's largest activation in each image, (M, top)
    boxes: the receptive field of this activation, image[top:bottom, left:right], as four numbers, (M, top, 4)
    views: the deconvnet's output for this activation alone, (M, top, H, W, C), float32, positive and negative
    """

    layer: int
    maps: np.ndarray
    rows: np.ndarray
    strengths: np.ndarray
    boxes: np.ndarray
    views: np.ndarray


def activations_of(network: Sequential | Classifier) -> list[int]:
    """The indices of a network's ReLU and leaky ReLU layers, whose outputs are the usual features to view."""
    return [number for number, layer in enumerate(_sequential(network)) if isinstance(layer, ReLU | LeakyReLU)]


@no_grad()
def views(
    network: Sequential | Classifier,
    images: np.ndarray,
    layer: int,
    maps: int | Sequence[int] = 8,
    top: int = 9,
    batch: int = 256,
) -> Views:
    """Find the images that activate feature maps most, and the deconvnet's views of them.

    network: a Sequential of the layers above, or a classifier with one; used with running statistics
    images: the images to search, (N, H, W, C), uint8 or floats in [-1, 1]; preferably held-out ones
    layer: the index of the layer whose output is viewed; `activations_of` lists the usual ones
    maps: the indices of feature maps, or their number: evenly spaced among those that any image activates
    top: the number of images for each map, or all images if there are fewer
    raises ShapeError for a network with other layers, or a layer or map that does not exist; TrainingError for numbers
        that are not whole; DataError if no image activates a map, or there are no images
    """
    sequential = _sequential(network)
    below = _checked(list(sequential), layer)
    images = network.check(images, "views") if isinstance(network, Classifier) else images
    images = floats_of("views", images).astype(dtype_and_device(sequential)[0], copy=False)
    if not len(images):
        raise DataError("views: there are no images")
    top = whole("views: top", top, needed=True)
    with as_in_use():
        strengths = np.concatenate([_strengths(below, part) for part in parts_of(images, batch)])
        maps = _chosen(maps, strengths)
        rows = np.argsort(-strengths[:, maps], axis=0, kind="stable")[:top].T
        of_each = np.repeat(maps, rows.shape[1])
        starts = range(0, rows.size, batch)
        parts = [_deconvnet_pass(below, images[rows.ravel()[i : i + batch]], of_each[i : i + batch]) for i in starts]
    found, boxes = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Views(
        layer,
        maps,
        rows,
        strengths[rows, maps[:, None]],
        boxes.reshape(*rows.shape, 4),
        found.reshape(*rows.shape, *images.shape[1:]).astype(np.float32, copy=False),
    )


def _sequential(network):
    """The Sequential itself, or that of a classifier."""
    network = network.network if isinstance(network, Classifier) else network
    if not isinstance(network, Sequential):
        raise ShapeError(f"views: expected a Sequential, which a deconvnet can reverse, not a {type(network).__name__}")
    return network


def _checked(layers, layer):
    """The layers up to `layer`. Raises ShapeError for layers that a deconvnet cannot reverse."""
    layer = whole("views: layer", layer, least=0, needed=True)
    if layer >= len(layers):
        raise ShapeError(f"views: there is no layer {layer}; the network has layers 0 to {len(layers) - 1}")
    for number, each in enumerate(layers[: layer + 1]):
        if type(each) not in DOWN:
            known = ", ".join(sorted(kind.__name__ for kind in DOWN))
            raise ShapeError(f"views: layer {number} is a {type(each).__name__}; a deconvnet reverses only {known}")
    return layers[: layer + 1]


def _strengths(layers, images):
    """The largest activation of each map in each image, (N, K)."""
    network = Sequential(*layers)
    activations = network(tensor_for(network, images)).numpy()
    return activations.reshape(len(images), -1, activations.shape[-1]).max(1)


def _chosen(maps, strengths):
    """The indices of the requested maps."""
    count = strengths.shape[1]
    if np.ndim(maps) == 0:
        alive = np.flatnonzero(strengths.max(0) > 0)
        maps = whole("views: maps", maps, needed=True)
        if not len(alive):
            raise DataError("views: no feature map of this layer is above 0 for any image")
        return alive[np.unique(np.linspace(0, len(alive) - 1, min(maps, len(alive))).round().astype(int))]
    maps = np.asarray(maps)
    if maps.ndim != 1 or not maps.size or maps.dtype.kind not in "iu" or not 0 <= maps.min() <= maps.max() < count:
        raise ShapeError(f"views: maps are {maps.tolist()}, expected one or more numbers from 0 to {count - 1}")
    return maps


# ---------------------------------------------------------------------------------- forward and reverse pass


class _Step(NamedTuple):
    """A layer of the forward pass: the shape of its input, and the switches of a max pooling."""

    layer: Module
    shape: tuple[int, ...]
    switches: Tensor | None


def _deconvnet_pass(layers, images, maps):
    """The views of one map for each image, (N, H, W, C), and their receptive fields, (N, 4)."""
    x, steps = tensor_for(Sequential(*layers), images), []
    for layer in layers:
        before, switches = x, None
        if type(layer) is MaxPool2d:
            how = {"stride": layer.stride, "padding": layer.padding}
            x, switches = ops.max_pool2d_with_indices(before, layer.kernel_size, **how)
        else:
            x = layer(before)
        steps.append(_Step(layer, before.shape, switches))
    signal, places = _alone(x.numpy(), maps)
    signal = Tensor(devices.move(signal, x.device))
    for step in reversed(steps):
        signal = DOWN[type(step.layer)](signal, step)
    boxes = receptive_field([step[:2] for step in steps], places)
    return signal.numpy(), boxes


def _alone(activations, maps):
    """Keep only the largest activation of one map for each image; return it with its row and column, (N, 2)."""
    count, width = len(activations), activations.shape[-1]
    flat = activations.reshape(count, -1, width)
    each = np.arange(count)
    place = flat[each, :, maps].argmax(1)
    kept = np.zeros_like(flat)
    kept[each, place, maps] = flat[each, place, maps]
    columns = activations.shape[2] if activations.ndim == 4 else 1
    return kept.reshape(activations.shape), np.stack(np.divmod(place, columns), 1)


def _down_convolution(signal, step):
    return ops.conv2d_transpose(signal, step.layer.weight, output_size=step.shape[1:3], **step.layer.how)


def _down_transposed_convolution(signal, step):
    how = {name: setting for name, setting in step.layer.how.items() if name != "output_padding"}
    return ops.conv2d(signal, step.layer.weight, **how)


def _down_batch_norm(signal, step):
    norm = step.layer
    return signal * (norm.scale / ops.sqrt(norm.running_variance + norm.eps))


def _down_max_pool(signal, step):
    pool = step.layer
    how = {"stride": pool.stride, "padding": pool.padding, "output_size": step.shape[1:3]}
    return ops.max_unpool2d(signal, step.switches, pool.kernel_size, **how)


def _down_linear_map(signal, step):
    """The adjoint of a linear layer: its gradient, which is the same everywhere."""
    with autograd.recording(True):
        anywhere = Tensor(np.zeros_like(signal.data, shape=step.shape), True)
        made = step.layer(anywhere)
    return Tensor(autograd.grad(made, anywhere, signal.data))


DOWN: dict[type[Module], Callable] = {
    Conv2d: _down_convolution,
    ConvTranspose2d: _down_transposed_convolution,
    BatchNorm: _down_batch_norm,
    ReLU: lambda signal, step: ops.relu(signal),
    LeakyReLU: lambda signal, step: ops.leaky_relu(signal, slope=step.layer.slope),
    MaxPool2d: _down_max_pool,
    AvgPool2d: _down_linear_map,
    Upsample: _down_linear_map,
    Linear: lambda signal, step: ops.matmul(signal, ops.transpose(step.layer.weight)),
    Flatten: lambda signal, step: ops.reshape(signal, step.shape),
    Reshape: lambda signal, step: ops.reshape(signal, step.shape),
    Dropout: lambda signal, step: signal,
}


# -------------------------------------------------------------------------------------------------- receptive fields


def receptive_field(steps: list[tuple[Module, tuple[int, ...]]], places: np.ndarray) -> np.ndarray:
    """The part of the image that positions in the last layer's output depend on.

    steps: the layers and their input shapes, (N, H, W, C) or (N, features); the first layer's input is images
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
    """The first and last position along an axis of a layer's input (N, H, W, C) that these output positions read."""
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
    """The output size of a transposed convolution for features of a shape."""
    window, padding = _window(layer)
    return window.image_size(shape[1:3], padding, None, layer.how["output_padding"])
