"""The kernels for NumPy arrays, compiled by Numba and run on minigan's own threads."""

from minigan.kernels.cpu import runtime
from minigan.kernels.cpu.conv import conv2d, conv2d_transpose, conv2d_weight
from minigan.kernels.cpu.conv.columns import col2im, im2col
from minigan.kernels.cpu.elementwise import (
    adam_update,
    binary_cross_entropy_excess,
    binary_cross_entropy_sum,
    leaky_relu,
    leaky_relu_vjp,
    rmsprop_update,
    sgd_update,
    tanh_vjp,
)
from minigan.kernels.cpu.norm import batch_norm, batch_norm_vjp, leaky_relu_vjp_sum
from minigan.kernels.cpu.pool import max_pool_indices, pool_gather, pool_scatter, window_spread, window_sum
from minigan.kernels.cpu.products import matmul
from minigan.kernels.cpu.random import standard_normal, uniform
from minigan.kernels.cpu.reduce import bias_sum, moments_over, segment_sum, sum_over
from minigan.kernels.cpu.runtime.threads import get_threads, set_threads

__all__ = [
    "adam_update",
    "batch_norm",
    "batch_norm_vjp",
    "bias_sum",
    "binary_cross_entropy_excess",
    "binary_cross_entropy_sum",
    "col2im",
    "conv2d",
    "conv2d_transpose",
    "conv2d_weight",
    "get_threads",
    "im2col",
    "leaky_relu",
    "leaky_relu_vjp",
    "leaky_relu_vjp_sum",
    "matmul",
    "max_pool_indices",
    "moments_over",
    "pool_gather",
    "pool_scatter",
    "rmsprop_update",
    "segment_sum",
    "set_threads",
    "sgd_update",
    "standard_normal",
    "sum_over",
    "tanh_vjp",
    "uniform",
    "window_spread",
    "window_sum",
]
