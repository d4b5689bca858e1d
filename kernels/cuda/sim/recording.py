"""What stands in for a CUDA graph on the device sim: a list of calls.

As on a GPU, what is recorded is not done. NumPy's functions do run once, on whatever is in memory, to make the arrays
that later calls write into; only what would change an array that is there already is left for the replays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import numpy as np

_calls: ContextVar[list[Callable[[], object]] | None] = ContextVar("minigan_sim_calls", default=None)


def recording() -> bool:
    return _calls.get() is not None


@contextlib.contextmanager
def record() -> Iterator[list[Callable[[], object]]]:
    """Let calls be recorded in this list until the end of the block."""
    before = _calls.set([])
    try:
        with np.errstate(all="ignore"):  # what numbers there are means nothing yet
            yield _calls.get()
    finally:
        _calls.reset(before)


def written(write: Callable[[], object]) -> None:
    """Do what changes an array that is there, or record it."""
    calls = _calls.get()
    if calls is None:
        write()
    else:
        calls.append(write)


def made(make: Callable[[], object]):
    """The arrays that make() gives, which share no memory with others. A replay makes them again, in the same place."""
    result = make()
    calls = _calls.get()
    if calls is not None:
        calls.append(lambda: _overwrite(result, make()))
    return result


def _overwrite(arrays, values):
    if isinstance(arrays, tuple):
        for array, value in zip(arrays, values, strict=True):
            _overwrite(array, value)
    else:
        arrays[...] = values
