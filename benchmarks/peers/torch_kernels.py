"""PyTorch's equivalents of the `kernels` suite: each a function without arguments that returns the tensor computed."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.kernels import ADAM, EPSILON, IMAGES, POOL, SLIDE, SLOPE, drawn, parameter_shapes

aten = torch.ops.aten


def kernel(name: str, form: str):
    """The case of that name in one of its forms: a layout, or how an optimiser loops."""
    if name in OPTIMISERS:
        return _optimiser(name, form)
    layout = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}[form]
    return KERNELS[name](layout)


def _images(array: np.ndarray, layout) -> torch.Tensor:
    return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=layout)


def _channels(number: int) -> torch.Tensor:
    return torch.from_numpy(drawn(IMAGES[-1], number))


def _im2col(layout):
    x = _images(drawn(IMAGES), layout)
    return lambda: F.unfold(x, (SLIDE.KH, SLIDE.KW), padding=SLIDE.PT, stride=SLIDE.SH)


def _col2im(layout):
    """Columns as PyTorch has them: (N, C * KH * KW, OH * OW)."""
    shape = SLIDE.N, SLIDE.OH * SLIDE.OW, SLIDE.KH * SLIDE.KW, SLIDE.C
    columns = drawn(SLIDE.columns).reshape(shape).transpose(0, 3, 2, 1).reshape(SLIDE.N, -1, SLIDE.OH * SLIDE.OW)
    columns = torch.from_numpy(np.ascontiguousarray(columns))
    return lambda: F.fold(columns, (SLIDE.H, SLIDE.W), (SLIDE.KH, SLIDE.KW), padding=SLIDE.PT, stride=SLIDE.SH)


def _max_pool(layout):
    x = _images(drawn(IMAGES), layout)
    return lambda: F.max_pool2d(x, 2, return_indices=True)[0]


def _max_pool_backward(layout):
    x, y = _images(drawn(IMAGES), layout), _images(drawn(POOL.features, 1), layout)
    indices = F.max_pool2d(x, 2, return_indices=True)[1]
    return lambda: aten.max_pool2d_with_indices_backward(y, x, [2, 2], [2, 2], [0, 0], [1, 1], False, indices)


def _average_pool(layout):
    x = _images(drawn(IMAGES), layout)
    return lambda: F.avg_pool2d(x, 2)


def _average_pool_backward(layout):
    x, y = _images(drawn(IMAGES), layout), _images(drawn(POOL.features), layout)
    return lambda: aten.avg_pool2d_backward(y, x, [2, 2], [2, 2], [0, 0], False, True, None)


def _batch_norm(layout):
    x, scale, shift = _images(drawn(IMAGES), layout), _channels(1), _channels(2)
    return lambda: F.leaky_relu_(F.batch_norm(x, None, None, scale, shift, True, 0.1, EPSILON), SLOPE)


def _batch_norm_backward(layout):
    x, scale, shift = _images(drawn(IMAGES), layout), _channels(1), _channels(2)
    g = _images(drawn(IMAGES, 3), layout)
    y, mean, inverse = aten.native_batch_norm(x, scale, shift, None, None, True, 0.1, EPSILON)
    y = F.leaky_relu_(y, SLOPE)

    def backward():
        through = aten.leaky_relu_backward(g, y, SLOPE, True)
        wanted = [True, True, True]
        return aten.native_batch_norm_backward(through, x, scale, None, None, mean, inverse, True, EPSILON, wanted)[0]

    return backward


def _leaky_relu(layout):
    x = _images(drawn(IMAGES), layout)
    return lambda: F.leaky_relu(x, SLOPE)


def _leaky_relu_backward(layout):
    x, g = _images(drawn(IMAGES), layout), _images(drawn(IMAGES, 3), layout)
    return lambda: aten.leaky_relu_backward(g, x, SLOPE, False)


def _tanh(layout):
    x = _images(drawn(IMAGES), layout)
    return lambda: torch.tanh(x)


def _bias_sum(layout):
    g = _images(drawn(IMAGES), layout)
    return lambda: g.sum((0, 2, 3))


def _optimiser(name, form):
    shapes = parameter_shapes()
    parameters = [torch.from_numpy(drawn(shape, i)).requires_grad_() for i, shape in enumerate(shapes)]
    for i, parameter in enumerate(parameters):
        parameter.grad = torch.from_numpy(drawn(parameter.shape, len(shapes) + i))
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
