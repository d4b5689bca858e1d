"""Clocks for asynchronous work on a device, and for slow work.

They wrap a function, and `seconds(times)` times it. `device` is a module with

    wait()                  waits until the device has finished all work
    hold(seconds)           keeps the device busy for about this time
    event()                 puts a mark into the device's queue
    between(first, last)    returns the seconds between two marks that have passed, by the device's clock
"""

from __future__ import annotations

import time
from collections.abc import Callable

MOST = 200  # calls in a queue: a device accepts about a thousand launches before the host must wait
LIMIT = 0.1  # seconds


class Timed:
    """A function without arguments, with its own clock."""

    def __init__(self, run: Callable[[], object], device=None):
        self.run, self.device = run, device

    def __call__(self):
        return self.run()


class ByTheHost(Timed):
    """Time as a user sees it: from the first call until the device has finished the last, including Python."""

    def seconds(self, times: int) -> float:
        self.device.wait()
        start = time.perf_counter()
        for _ in range(times):
            self.run()
        self.device.wait()
        return (time.perf_counter() - start) / times


class ByTheDevice(Timed):
    """Time on the device, which is held until all calls are in its queue, so that it never waits for Python.

    A call that itself waits for the device is timed by the host.
    """

    def seconds(self, times: int) -> float:
        times, device = min(times, MOST), self.device
        device.wait()
        start = time.perf_counter()
        self.run()
        asking = time.perf_counter() - start
        device.hold(2 * times * asking)
        first = device.event()
        for _ in range(times):
            self.run()
        last = device.event()
        device.wait()
        return device.between(first, last) / times


class AtMost(Timed):
    """A sample that ends after LIMIT seconds, even after few calls: for a CPU beside a GPU."""

    def seconds(self, times: int) -> float:
        start, count = time.perf_counter(), 0
        while True:
            self.run()
            count += 1
            passed = time.perf_counter() - start
            if count == times or passed > LIMIT:
                return passed / count
