"""Stands in for a CUDA graph on the device "sim": a list of calls.

As on a GPU, recorded calls are not executed. NumPy's functions do run once, on whatever values are in memory, to create
the arrays that later calls write to. Calls that would change existing arrays run only in replays.
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
    """Record calls in the list that this yields, until the end of the with block."""
    before = _calls.set([])
    try:
        with np.errstate(all="ignore"):  # values are meaningless until a replay
            yield _calls.get()
    finally:
        _calls.reset(before)


def written(write: Callable[[], object]) -> None:
    """Call a function that changes an existing array, or record the call."""
    calls = _calls.get()
    if calls is None:
        write()
    else:
        calls.append(write)


def made(make: Callable[[], object]):
    """The new arrays that make() returns, sharing no memory with others. A replay computes them again, in place."""
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
