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


def _replaceable():
    """Signals that would end the process, and what handles them now."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
    return {
        number: handler
        for number, handler in handlers.items()
        if (callable(handler) if number == signal.SIGINT else handler == signal.SIG_DFL)
    }
