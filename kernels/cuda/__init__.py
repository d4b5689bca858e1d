"""The kernels in CUDA C, for CuPy arrays on a GPU and for arrays of the device "sim", which needs no GPU."""

from minigan.kernels import own
from minigan.kernels.cuda.activation import leaky_relu, leaky_relu_vjp, tanh_vjp
from minigan.kernels.cuda.conv import conv2d, conv2d_transpose, conv2d_weight
from minigan.kernels.cuda.launch import register
from minigan.kernels.cuda.loss import binary_cross_entropy_excess, binary_cross_entropy_sum
from minigan.kernels.cuda.matmul import matmul
from minigan.kernels.cuda.norm import batch_norm, batch_norm_vjp
from minigan.kernels.cuda.optim import adam_update, rmsprop_update, sgd_update
from minigan.kernels.cuda.pool import max_pool_indices, pool_gather, pool_scatter, window_spread, window_sum
from minigan.kernels.cuda.random import standard_normal, uniform
from minigan.kernels.cuda.reduce import bias_sum, leaky_relu_vjp_sum
from minigan.kernels.cuda.segment import segment_sum
from minigan.kernels.cuda.sim import DEVICE, RaceWarning, SimArray, Simulator, SimulatorError, Verdict, check
from minigan.kernels.cuda.window import col2im, im2col
from minigan.kernels.reference import moments_over, sum_over  # the device's array library does the work

own(SimArray, "cuda", "sim")
register(SimArray, DEVICE)

__all__ = [
    "RaceWarning",
    "SimArray",
    "Simulator",
    "SimulatorError",
    "Verdict",
    "adam_update",
    "batch_norm",
    "batch_norm_vjp",
    "bias_sum",
    "binary_cross_entropy_excess",
    "binary_cross_entropy_sum",
    "check",
    "col2im",
    "conv2d",
    "conv2d_transpose",
    "conv2d_weight",
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
    "sgd_update",
    "standard_normal",
    "sum_over",
    "tanh_vjp",
    "uniform",
    "window_spread",
    "window_sum",
]
