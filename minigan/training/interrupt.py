"""Signals that ask a run to stop: Ctrl-C, a terminal that is closed, a scheduler that ends the job."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextlib.contextmanager
def stop_signals(ask: Callable[[int], None]) -> Iterator[None]:
    """Inside, SIGINT, SIGTERM and SIGHUP call ask(signal) instead of ending the process.

    A second SIGINT raises KeyboardInterrupt as always. SIGTERM and SIGHUP may come any number of times: timeout and
    closing terminals send them twice.
    Only Python's main thread can choose what a signal does, and what the process ignores (SIGHUP under nohup, SIGINT in
    a background job) or handles itself stays as it is.
    """
    before = _replaceable() if threading.current_thread() is threading.main_thread() else {}

    def handle(number, frame):
        if number == signal.SIGINT:
            signal.signal(number, before[number])
        ask(number)

    try:
        for number in before:
            signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise SystemExit, so that no half-written file and no lock is left."""
    before = _replaceable() if threading.current_thread() is threading.main_thread() else {}
    before.pop(signal.SIGINT, None)
    try:
        for number in before:
            signal.signal(number, _leave)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number, frame):
    raise SystemExit(128 + number)


def _replaceable():
    """Signals that would end the process, and what handles them now."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
    return {
        number: handler
        for number, handler in handlers.items()
        if (callable(handler) if number == signal.SIGINT else handler in (signal.SIG_DFL, _leave))
    }
