"""PyTorch's equivalents of the `kernels` suite: each a function without arguments that returns the tensor computed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.kernels import ADAM, EPSILON, SLOPE, Setting, drawn, setting_of

aten = torch.ops.aten


class Place(NamedTuple):
    """The device and memory layout of a setting's images."""

    at: Setting
    layout: torch.memory_format


def kernel(name: str, form: str, device: str = "cpu"):
    """The case of this name in one of its forms: a memory layout, or an optimiser's loop."""
    if name in OPTIMISERS:
        return _optimiser(name, form, device)
    layout = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}[form]
    return KERNELS[name](Place(setting_of(device), layout))


def _images(array: np.ndarray, place: Place) -> torch.Tensor:
    images = torch.from_numpy(array).to(place.at.device)
    return images.permute(0, 3, 1, 2).contiguous(memory_format=place.layout)


def _channels(number: int, place: Place) -> torch.Tensor:
    return torch.from_numpy(drawn(place.at.images[-1], number)).to(place.at.device)


def _im2col(place):
    x, g = _images(drawn(place.at.images), place), place.at.slide
    return lambda: F.unfold(x, (g.KH, g.KW), padding=g.PT, stride=g.SH)


def _col2im(place):
    """Columns in PyTorch's layout: (N, C * KH * KW, OH * OW)."""
    g = place.at.slide
    columns = drawn(g.columns).reshape(g.N, g.OH * g.OW, g.KH * g.KW, g.C)
    columns = columns.transpose(0, 3, 2, 1).reshape(g.N, -1, g.OH * g.OW)
    columns = torch.from_numpy(np.ascontiguousarray(columns)).to(place.at.device)
    return lambda: F.fold(columns, (g.H, g.W), (g.KH, g.KW), padding=g.PT, stride=g.SH)


def _max_pool(place):
    x = _images(drawn(place.at.images), place)
    return lambda: F.max_pool2d(x, 2, return_indices=True)[0]


def _max_pool_backward(place):
    x, y = _images(drawn(place.at.images), place), _images(drawn(place.at.pool.features, 1), place)
    indices = F.max_pool2d(x, 2, return_indices=True)[1]
    return lambda: aten.max_pool2d_with_indices_backward(y, x, [2, 2], [2, 2], [0, 0], [1, 1], False, indices)


def _average_pool(place):
    x = _images(drawn(place.at.images), place)
    return lambda: F.avg_pool2d(x, 2)


def _average_pool_backward(place):
    x, y = _images(drawn(place.at.images), place), _images(drawn(place.at.pool.features), place)
    return lambda: aten.avg_pool2d_backward(y, x, [2, 2], [2, 2], [0, 0], False, True, None)


def _batch_norm(place):
    x, scale, shift = _images(drawn(place.at.images), place), _channels(1, place), _channels(2, place)
    return lambda: F.leaky_relu_(F.batch_norm(x, None, None, scale, shift, True, 0.1, EPSILON), SLOPE)


def _batch_norm_backward(place):
    x, scale, shift = _images(drawn(place.at.images), place), _channels(1, place), _channels(2, place)
    g = _images(drawn(place.at.images, 3), place)
    y, mean, inverse = aten.native_batch_norm(x, scale, shift, None, None, True, 0.1, EPSILON)
    y = F.leaky_relu_(y, SLOPE)

    def backward():
        through = aten.leaky_relu_backward(g, y, SLOPE, True)
        wanted = [True, True, True]
        return aten.native_batch_norm_backward(through, x, scale, None, None, mean, inverse, True, EPSILON, wanted)[0]

    return backward


def _leaky_relu(place):
    x = _images(drawn(place.at.images), place)
    return lambda: F.leaky_relu(x, SLOPE)


def _leaky_relu_backward(place):
    x, g = _images(drawn(place.at.images), place), _images(drawn(place.at.images, 3), place)
    return lambda: aten.leaky_relu_backward(g, x, SLOPE, False)


def _tanh(place):
    x = _images(drawn(place.at.images), place)
    return lambda: torch.tanh(x)


def _bias_sum(place):
    g = _images(drawn(place.at.images), place)
    return lambda: g.sum((0, 2, 3))


def _optimiser(name, form, device):
    shapes = setting_of(device).parameter_shapes()
    parameters = [torch.from_numpy(drawn(shape, i)).to(device).requires_grad_() for i, shape in enumerate(shapes)]
    for i, parameter in enumerate(parameters):
        parameter.grad = torch.from_numpy(drawn(parameter.shape, len(shapes) + i)).to(device)
    kind, settings = OPTIMISERS[name]
    optimiser = kind(parameters, **settings, **{form: True})

    def step():
        optimiser.step()
        return parameters[0].detach()

    return step


KERNELS = {
    "im2col": _im2col,
    "col2im": _col2im,
    "max pool forward": _max_pool,
    "max pool backward": _max_pool_backward,
    "average pool forward": _average_pool,
    "average pool backward": _average_pool_backward,
    "batch norm, leaky forward": _batch_norm,
    "batch norm, leaky backward": _batch_norm_backward,
    "leaky relu forward": _leaky_relu,
    "leaky relu backward": _leaky_relu_backward,
    "tanh forward": _tanh,
    "bias gradient": _bias_sum,
}
OPTIMISERS = {
    "adam": (torch.optim.Adam, ADAM),
    "sgd with momentum": (torch.optim.SGD, {"lr": 1e-4, "momentum": 0.9}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 1e-4}),
}
