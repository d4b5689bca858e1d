"""A peer in a separate process, so that each engine has its own allocator, OpenMP threads and BLAS, as for
its users. The two take turns; each times itself."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator


def seconds(run: Callable[[], object], times: int) -> float:
    """Seconds per call over consecutive calls, by the function's own clock if it has one (clocks.py)."""
    if hasattr(run, "seconds"):
        return run.seconds(times)
    start = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - start) / times


class Peer:
    """A new process that calls build(*arguments), which returns the function to time.

    build: a function of a module, not a closure
    """

    def __init__(self, build: Callable, *arguments):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._awaited = 0  # answers to what was sent and not yet waited for
        self.become(build, *arguments)

    def become(self, build: Callable, *arguments) -> None:
        """Build and time another function in the same process. Does not wait until it is built."""
        self._send((build, arguments))

    def seconds(self, times: int) -> float:
        """Seconds per call in the process, over consecutive calls. Raises RuntimeError if the process has ended."""
        self._send(times)
        try:
            while self._awaited:
                answer = self._pipe.recv()
                self._awaited -= 1
        except (EOFError, OSError):
            self._ended()
        return answer

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()

    def _send(self, message):
        try:
            self._pipe.send(message)
        except OSError:  # its end of the pipe is gone
            self._ended()
        self._awaited += 1

    def _ended(self):
        self._process.join()
        raise RuntimeError(f"the peer's process ended with {self._process.exitcode}; its error is above") from None


@contextlib.contextmanager
def started(builds: dict[str, tuple]) -> Iterator[dict[str, Peer]]:
    """Peers by name, each from (build, *arguments); a context manager that ends them."""
    peers = {}
    try:
        for name, arguments in builds.items():
            peers[name] = Peer(*arguments)
        yield peers
    finally:
        for peer in peers.values():
            peer.close()


def _serve(pipe):
    run = None
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            return
        if isinstance(message, int):
            pipe.send(seconds(run, message))
        else:
            build, arguments = message
            run = None  # what it holds goes before the next is made
            run = build(*arguments)
            pipe.send(None)
