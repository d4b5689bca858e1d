"""A peer in a process of its own: its allocator, its OpenMP threads and its BLAS are as its users have them, and ours
too. The two take turns; what is timed is inside."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable


def seconds(run: Callable[[], object], times: int) -> float:
    """How long one call takes, over so many in a row."""
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


class Peer:
    """build(*arguments), made in a new process, where it returns what is to be timed: a function without arguments.

    build: a function of a module, not a closure
    """

    def __init__(self, build: Callable, *arguments):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, build, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def seconds(self, times: int) -> float:
        """How long one call takes there, over so many in a row."""
        try:
            self._pipe.send(times)
            return self._pipe.recv()
        except (EOFError, OSError):  # its end of the pipe is gone
            self._process.join()
            raise RuntimeError(f"the peer's process ended with {self._process.exitcode}; its error is above") from None

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _serve(pipe, build, arguments):
    run = build(*arguments)
    while True:
        try:
            times = pipe.recv()
        except EOFError:
            return
        pipe.send(seconds(run, times))
