"""Gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Number

import numpy as np

from minigan.autograd.tensor import Tensor
from minigan.errors import GraphError, MiniganError


def clip_gradient_norm(gradients: Sequence, largest: float) -> float:
    """Scale all gradients together, in place, so that their common Euclidean norm is at most `largest`.

    gradients: arrays, Tensors computed by grad(create_graph=True), which get new arrays, or parameters, for their
        `.grad`; None is skipped
    raises GraphError for a Tensor that is neither a parameter nor computed
    returns: the norm before clipping
    """
    arrays = _gradient_arrays("clip_gradient_norm", gradients, largest)
    norm = math.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays))
    if norm > largest:
        for array in arrays:
            array *= array.dtype.type(largest / norm)
    return norm


def clip_gradient_value(gradients: Sequence, largest: float) -> None:
    """Clip every element of the gradients, in place, to [-largest, largest]."""
    for array in _gradient_arrays("clip_gradient_value", gradients, largest):
        np.clip(array, -largest, largest, out=array)


def _gradient_arrays(call, gradients, largest):
    """The arrays to clip in place, after checking the arguments."""
    if not isinstance(largest, Number) or not largest >= 0:
        raise MiniganError(f"{call}: largest is {largest!r}, but it is a number that is not negative")
    if isinstance(gradients, Tensor | np.ndarray) or not isinstance(gradients, Iterable):
        raise MiniganError(f"{call}: gradients are a {type(gradients).__name__}, but they are a list")
    arrays = []
    for g in gradients:
        if isinstance(g, Tensor) and g.node is not None:
            g.data = g.data.copy()  # what the graph keeps, and views of it, stay as they were
            arrays.append(g.data)
        elif isinstance(g, Tensor) and not g.requires_grad and g.grad is None:
            raise GraphError(
                f"{call}: a Tensor of shape {g.shape} is neither a parameter that is trained nor a computed gradient; "
                "leave it out, or pass its array"
            )
        else:
            arrays.append(g.grad if isinstance(g, Tensor) else g)
    arrays = [a for a in arrays if a is not None]
    if not all(hasattr(a, "dtype") for a in arrays):
        raise MiniganError(f"{call}: gradients are {[type(a).__name__ for a in arrays]}, but they are arrays")
    for a in arrays:
        if a.dtype.kind != "f" or not getattr(a.flags, "writeable", True):
            raise MiniganError(
                f"{call}: gradients are changed in place, but one of shape {a.shape} is read-only or not of floats "
                f"({a.dtype})"
            )
    return arrays
