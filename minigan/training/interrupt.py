"""Ctrl-C, twice: the first one asks for an orderly end, the second one ends at once."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def first_interrupt(ask: Callable[[], None]) -> Iterator[None]:
    """Inside, the first SIGINT calls ask() instead of raising KeyboardInterrupt; the next one raises as always.

    Only Python's main thread can choose what a signal does, and a process started with SIGINT ignored goes on
    ignoring it: there nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield
        return

    def handle(number, frame):
        signal.signal(signal.SIGINT, before)
        ask()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
