"""Differentiable operations, a file per family. Each works on Tensors and, without a graph, on plain arrays."""

import sys as _sys
from types import ModuleType as _Module

from minigan.autograd import tensor as _tensor
from minigan.ops.activations_and_losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    dropout,
    leaky_relu,
    mean_absolute_error,
    mean_squared_error,
    relu,
    sigmoid,
    softplus,
    standard_normal_divergence,
)
from minigan.ops.conv import activated_conv2d, col2im, conv2d, conv2d_transpose, conv2d_weight, im2col
from minigan.ops.elementwise import (
    abs,
    add,
    broadcast_to,
    clip,
    cos,
    divide,
    exp,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    sum_to,
    tanh,
    to_device,
    where,
)
from minigan.ops.linalg import activated_linear, einsum, linear, matmul
from minigan.ops.norm import batch_norm, fixed_norm, group_norm, instance_norm, layer_norm
from minigan.ops.pool import avg_pool2d, global_avg_pool2d, max_pool2d, max_pool2d_with_indices, max_unpool2d
from minigan.ops.reduce import argmax, log_softmax, logsumexp, max, mean, min, softmax, sum, var
from minigan.ops.resize import resize
from minigan.ops.shape import (
    concatenate,
    embedding,
    expand_dims,
    flatten,
    flip,
    pad,
    reshape,
    squeeze,
    stack,
    swapaxes,
    transpose,
)

# the operations, and not the files they are in
__all__ = [name for name, value in globals().items() if not name.startswith("_") and not isinstance(value, _Module)]

_tensor.ops = _sys.modules[__name__]  # what Tensor's operators and methods call
