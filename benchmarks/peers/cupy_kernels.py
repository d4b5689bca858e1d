"""CuPy's own operations for cases of the `kernels` suite, as its users would write them."""

from __future__ import annotations

import cupy
from cupy.lib.stride_tricks import sliding_window_view

from benchmarks import gpu
from benchmarks.clocks import ByTheDevice
from benchmarks.kernels import SLOPE, setting_of


def kernel(name: str):
    """The case of this name, timed by the device."""
    return ByTheDevice(KERNELS[name](setting_of("cuda")), gpu)


def _im2col(at):
    x, g = at.drawn(at.images), at.slide

    def run():
        padded = cupy.pad(x, ((0, 0), (g.PT, g.PB), (g.PL, g.PR), (0, 0)))
        windows = sliding_window_view(padded, (g.KH, g.KW), (1, 2))[:, :: g.SH, :: g.SW]  # (N, OH, OW, C, KH, KW)
        return cupy.ascontiguousarray(windows.transpose(0, 1, 2, 4, 5, 3)).reshape(g.columns)

    return run


def _blocks(x, at):
    """The windows of a pool, which do not overlap: (N, OH, KH, OW, KW, C)."""
    g = at.pool
    return x.reshape(g.N, g.OH, g.KH, g.OW, g.KW, g.C)


def _max_pool(at):
    blocks = _blocks(at.drawn(at.images), at)
    return lambda: blocks.max((2, 4))


def _average_pool(at):
    blocks = _blocks(at.drawn(at.images), at)
    return lambda: blocks.mean((2, 4))


def _average_pool_backward(at):
    y, g = at.drawn(at.pool.features), at.pool
    spread = y[:, :, None, :, None, :]

    def run():
        shared = cupy.broadcast_to(spread / (g.KH * g.KW), (g.N, g.OH, g.KH, g.OW, g.KW, g.C))
        return cupy.ascontiguousarray(shared).reshape(g.image)

    return run


def _leaky_relu(at):
    x = at.drawn(at.images)
    return lambda: cupy.where(x > 0, x, x * SLOPE)


def _leaky_relu_backward(at):
    x, g = at.drawn(at.images), at.drawn(at.images, 3)
    return lambda: cupy.where(x > 0, g, g * SLOPE)


def _tanh(at):
    x = at.drawn(at.images)
    return lambda: cupy.tanh(x)


def _bias_sum(at):
    g = at.rows()
    return lambda: g.sum(0)


KERNELS = {
    "im2col": _im2col,
    "max pool forward": _max_pool,
    "average pool forward": _average_pool,
    "average pool backward": _average_pool_backward,
    "leaky relu forward": _leaky_relu,
    "leaky relu backward": _leaky_relu_backward,
    "tanh forward": _tanh,
    "bias gradient": _bias_sum,
}
