"""What goes around an optimiser's step: gradient clipping before it, learning-rate schedules after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Number

import numpy as np

from minigan import devices
from minigan.autograd.operands import constructor
from minigan.autograd.tensor import Tensor
from minigan.errors import GraphError, MiniganError
from minigan.optim.optimisers import Optimiser


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


class Schedule:
    """Multiplies an optimiser's learning rates by factor(n) after n calls of `step()`, from factor(0) at once."""

    @constructor
    def __init__(self, optimiser: Optimiser, factor: Callable[[int], float]):
        self.optimiser, self.factor, self.count = optimiser, factor, 0
        self.rates = [group["lr"] for group in optimiser.groups]
        self._apply()

    def step(self) -> None:
        devices.at_each_replay(self._advance)

    def _advance(self):
        self.count += 1
        self._apply()

    def _apply(self):
        for group, rate in zip(self.optimiser.groups, self.rates, strict=True):
            group["lr"] = rate * self.factor(self.count)


def _at_least_one(name, steps):
    if not isinstance(steps, Number) or not steps >= 1:
        raise MiniganError(f"{name}: steps are {steps!r}, but there is at least one")


def linear(steps: int, final: float = 0.0):
    """A factor that changes from 1 to `final` in a straight line over `steps`, and then stays there."""
    _at_least_one("linear", steps)
    return lambda n: 1 + (final - 1) * min(n / steps, 1)


def cosine(steps: int, final: float = 0.0):
    """A factor that changes from 1 to `final` over `steps`, along half a cosine, and then stays there.

    source: Loshchilov & Hutter, arXiv:1608.03983
    """
    _at_least_one("cosine", steps)
    return lambda n: final + (1 - final) * (1 + math.cos(math.pi * min(n / steps, 1))) / 2


def exponential(rate: float):
    """rate ** n."""
    return lambda n: rate**n


def staircase(every: int, factor: float = 0.1):
    """Multiplied by `factor` once every `every` steps."""
    _at_least_one("staircase", every)
    return lambda n: factor ** (n // every)


def warmup(steps: int, then: Callable[[int], float] = lambda n: 1.0):
    """From 1 / steps up to 1 over `steps`, then another schedule from its start."""
    return lambda n: (n + 1) / steps if n < steps else then(n - steps)
