"""Clocks for work that a device does after the call that asked for it has returned, and for work that takes long.

What is to be timed is wrapped in one of these, which have `seconds(times)` instead of the usual stopwatch.
`device` is whose work it is: a module with

    wait()                  until the device has done all that it was asked for
    hold(seconds)           keep the device busy, about so long
    event()                 a mark in the order of the device's work
    between(first, last)    seconds from one mark to another, by the device's clock, once both have passed
"""

from __future__ import annotations

import time
from collections.abc import Callable

MOST = 200  # calls in a queue: a device takes about a thousand launches before its host has to wait
LIMIT = 0.1  # seconds


class Timed:
    """A function without arguments that brings its own clock."""

    def __init__(self, run: Callable[[], object], device=None):
        self.run, self.device = run, device

    def __call__(self):
        return self.run()


class ByTheHost(Timed):
    """As a user sees it: from the first call until the device has done the last, Python and launches included."""

    def seconds(self, times: int) -> float:
        self.device.wait()
        start = time.perf_counter()
        for _ in range(times):
            self.run()
        self.device.wait()
        return (time.perf_counter() - start) / times


class ByTheDevice(Timed):
    """What the device takes: it is held until all calls are in its queue, so that it never waits for Python.

    A call that itself waits for the device is timed as the host sees it.
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
    """A sample that ends after LIMIT seconds, however few calls that are: for a CPU beside a GPU."""

    def seconds(self, times: int) -> float:
        start, count = time.perf_counter(), 0
        while True:
            self.run()
            count += 1
            passed = time.perf_counter() - start
            if count == times or passed > LIMIT:
                return passed / count
