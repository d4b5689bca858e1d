"""A step's launches captured once as a graph and then replayed: the host makes one launch instead of hundreds.

A replay uses the memory addresses and kernel arguments of the captured step. So numbers that change between replays,
such as a learning rate, are read from the device's memory: an `Arena` holds them all, and the host fills it with one
copy before each replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar

import numpy as np

from minigan import devices
from minigan.errors import DeviceError
from minigan.kernels.cuda.launch import launcher_of, put

ROOM = 1 << 20  # bytes per arena
APART = 16  # arrays in an arena start at multiples of this many bytes

_arena: ContextVar[Arena | None] = ContextVar("minigan_arena", default=None)


class Arena:
    """A buffer on the device for the numbers that the host supplies, and its copy on the CPU."""

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
        """Copy the supplied numbers to the device."""
        self.launcher.overwrite(self.there[: self.used], self.here[: self.used])


def supplied(numbers: Callable[[], Sequence[float]], count: int, dtype, like):
    """An array on the device of `like` with the `count` numbers that numbers() returns, updated before each replay."""
    arena = _arena.get()
    if arena is None:
        return put(np.array(numbers(), dtype), like)
    return arena.supplied(numbers, count, np.dtype(dtype))


class Graph:
    """The recorded launches of a function.

    function: called once, now; its launches are recorded but not run, so it must not read values of arrays
    like: an array of the device
    result: the return value of the function; each replay overwrites its arrays
    raises DeviceError if the function copies values from the device or arrays to it
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
        """Do the step's work on the host, supply its numbers, and run the recorded launches."""
        for work in self.work:
            work()
        if self.arena.used:
            self.arena.send()
        self._launch()
