"""A step's launches as one graph, captured once and replayed: the host then launches one thing instead of hundreds.

A replay reads and writes the same memory as what was captured, and kernels get the same arguments. So numbers that
differ from replay to replay, such as a learning rate, lie in the device's memory: an `Arena` has them all, and the host
fills it before each replay with one copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar

import numpy as np

from minigan import devices
from minigan.errors import DeviceError
from minigan.kernels.cuda.launch import launcher_of, put

ROOM = 1 << 20  # bytes of an arena
APART = 16  # bytes, of which its arrays begin at multiples

_arena: ContextVar[Arena | None] = ContextVar("minigan_arena", default=None)


class Arena:
    """The device's memory for the numbers that the host supplies, and the same on the CPU."""

    def __init__(self, launcher):
        self.launcher, self.used = launcher, 0
        self.here, self.there = np.zeros(ROOM, np.uint8), launcher.empty((ROOM,), np.uint8)

    def supplied(self, numbers, count, dtype):
        first, end = self.used, self.used + count * dtype.itemsize
        if end > ROOM:
            raise DeviceError(f"a captured step has {end} bytes of numbers to supply, but there is room for {ROOM}")
        self.used = -(-end // APART) * APART
        here = self.here[first:end].view(dtype)

        def supply():
            here[...] = numbers()

        devices.at_each_replay(supply)
        return self.there[first:end].view(dtype)

    def send(self) -> None:
        """Copy what has been supplied to the device."""
        self.launcher.overwrite(self.there[: self.used], self.here[: self.used])


def supplied(numbers: Callable[[], Sequence[float]], count: int, dtype, like):
    """An array of `count` numbers on the device of `like`: what numbers() returns, called again before each replay."""
    arena = _arena.get()
    if arena is None:
        return put(np.array(numbers(), dtype), like)
    return arena.supplied(numbers, count, np.dtype(dtype))


class Graph:
    """What a function launches, recorded.

    function: is called once, now, and nothing that it launches is done; it may read no number of an array
    like: an array of the device
    result: what the function returned: arrays that each replay writes again
    raises DeviceError where the function needs numbers of the device, or brings arrays there
    """

    def __init__(self, function: Callable[[], object], like):
        if devices.capturing():
            raise DeviceError("a captured step cannot be captured within another one")
        launcher = launcher_of(like)
        self.arena, result = Arena(launcher), []
        token = _arena.set(self.arena)
        try:
            with devices.collecting_work() as self.work:
                self._launch = launcher.captured(lambda: result.append(function()))
        finally:
            _arena.reset(token)
        (self.result,) = result

    def replay(self) -> None:
        """Do the host's work of the step, supply its numbers, and all that was recorded."""
        for work in self.work:
            work()
        if self.arena.used:
            self.arena.send()
        self._launch()
