"""One direction of one convolution in PyTorch: forward, input gradient or weight gradient."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.layers import Convolution, operands
from minigan.kernels.geometry import ConvGeometry

backward = torch.ops.aten.convolution_backward


def convolution(layer: Convolution, direction: str, channels_last: bool, device: str = "cpu"):
    """A function without arguments that computes one direction.

    returns: images or features (N, C, H, W), or a weight (K, C, KH, KW)
    """
    g = layer.geometry
    layout = torch.channels_last if channels_last else torch.contiguous_format
    axes = (0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2)
    x, w, y = (
        torch.from_numpy(np.ascontiguousarray(array.transpose(order))).to(device).clone(memory_format=layout)
        for array, order in zip(operands(g), axes, strict=True)
    )
    return (_transposed if layer.transposed else _direct)(g, direction, x, w, y)


def _direct(g: ConvGeometry, direction, x, w, y):
    stride, dilation = (g.SH, g.SW), (g.DH, g.DW)
    even = (g.PT, g.PL) == (g.PB, g.PR)
    padding = (g.PT, g.PL) if even else (0, 0)

    def padded():
        return x if even else F.pad(x, (g.PL, g.PR, g.PT, g.PB))

    if direction == "forward":
        return lambda: F.conv2d(padded(), w, None, stride, padding, dilation, g.G)
    image = padded()  # the forward pass left it
    settings = (None, stride, padding, dilation, False, (0, 0), g.G)
    if direction == "weight gradient":
        return lambda: backward(y, image, w, *settings, (False, True, False))[1]

    def input_gradient():
        gradient = backward(y, image, w, *settings, (True, False, False))[0]
        return gradient if even else gradient[:, :, g.PT : g.PT + g.H, g.PL : g.PL + g.W]

    return input_gradient


def _transposed(g: ConvGeometry, direction, x, w, y):
    stride, padding, dilation = (g.SH, g.SW), (g.PT, g.PL), (g.DH, g.DW)
    # what PyTorch makes with this padding on all sides, and the rows and columns by which that differs from the image
    sizes = [
        (features - 1) * s - 2 * p + d * (k - 1) + 1
        for features, s, p, d, k in zip((g.OH, g.OW), stride, padding, dilation, (g.KH, g.KW), strict=True)
    ]
    beyond = [max(made - size, 0) for made, size in zip(sizes, (g.H, g.W), strict=True)]
    missing = [max(size - made, 0) for made, size in zip(sizes, (g.H, g.W), strict=True)]

    def padded():
        return F.pad(x, (0, beyond[1], 0, beyond[0])) if any(beyond) else x

    if direction == "forward":

        def forward():
            made = F.conv_transpose2d(y, w, None, stride, padding, missing, g.G, dilation)
            return made[:, :, : g.H, : g.W] if any(beyond) else made

        return forward
    settings = (None, stride, padding, dilation, True, missing, g.G)
    if direction == "input gradient":
        return lambda: backward(padded(), y, w, *settings, (True, False, False))[0]
    gradient = padded()  # the input's gradient has padded it
    return lambda: backward(gradient, y, w, *settings, (False, True, False))[1]
