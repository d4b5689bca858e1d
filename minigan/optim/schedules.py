"""Learning rates that change from step to step."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Number

from minigan import devices
from minigan.autograd.operands import constructor
from minigan.errors import MiniganError
from minigan.optim.optimisers import Optimiser


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
    """From 1 to `final` in a straight line over `steps`, then `final`."""
    _at_least_one("linear", steps)
    return lambda n: 1 + (final - 1) * min(n / steps, 1)


def cosine(steps: int, final: float = 0.0):
    """From 1 to `final` along half a cosine over `steps`. Source: Loshchilov & Hutter, arXiv:1608.03983."""
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
