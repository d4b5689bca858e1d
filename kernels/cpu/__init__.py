"""The kernels for ndarrays, compiled by Numba, on threads of our own."""

from minigan.kernels.cpu import memory
from minigan.kernels.cpu.activation import leaky_relu, leaky_relu_vjp, tanh_vjp
from minigan.kernels.cpu.conv import conv2d, conv2d_transpose, conv2d_weight
from minigan.kernels.cpu.loss import binary_cross_entropy_excess, binary_cross_entropy_sum
from minigan.kernels.cpu.matmul import matmul
from minigan.kernels.cpu.norm import batch_norm, batch_norm_vjp, leaky_relu_vjp_sum
from minigan.kernels.cpu.optim import adam_update, rmsprop_update, sgd_update
from minigan.kernels.cpu.pool import max_pool_indices, pool_gather, pool_scatter, window_spread, window_sum
from minigan.kernels.cpu.random import standard_normal, uniform
from minigan.kernels.cpu.reduce import bias_sum, moments_over, sum_over
from minigan.kernels.cpu.segment import segment_sum
from minigan.kernels.cpu.threads import get_threads, set_threads
from minigan.kernels.cpu.window import col2im, im2col

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
