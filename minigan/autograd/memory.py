"""What the graph keeps in memory, and how it notices that something has overwritten it.

Three parts, which a first reading can leave out:

- Writes. One clock ticks for recorded calls and for writes in place. A call recorded at tick n kept values that are out
  of date if their memory was written later than n. Views share their owner's memory, so writes are noted by owner.
  Writes that go straight to an ndarray, behind minigan's back, are not seen.
- Dropped values. Large values that no rule reads give way to arrays of their shape without memory.
- What a segment drew, where `recompute` runs it again.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable

import numpy as np

from minigan import devices
from minigan.autograd.tensor import Tensor

ndarray = np.ndarray

# ------------------------------------------------------------------------------------------ writes

tick = itertools.count(1).__next__
NOT_WRITTEN = 0, lambda: None
latest = 0  # the tick of the latest write of all: what was recorded after it needs no look-up
_written = {}  # id of an owner of memory -> (tick of its last write, weak reference that removes the entry)


def owner(array):
    """The array that owns the memory this one looks at."""
    while getattr(array, "base", None) is not None and hasattr(array.base, "dtype"):
        array = array.base
    return array


def note_write(array) -> None:
    """Note that this array's memory is being written, and in a captured step again at each replay."""
    if devices.capturing():
        devices.at_each_replay(lambda: _noted(array))
    _noted(array)


def _noted(array):
    global latest
    latest = tick()
    kept = owner(array)
    key = id(kept)
    _, known = _written.get(key, NOT_WRITTEN)
    if known() is not kept:
        known = weakref.ref(kept, lambda _: _written.pop(key, None))
    _written[key] = latest, known


def written_after(array, recorded: int) -> bool:
    """Whether the array's memory was written after the tick `recorded`."""
    return _written.get(id(owner(array)), NOT_WRITTEN)[0] > recorded


# ---------------------------------------------------------------------------------- dropped values

LARGE = 1 << 16  # bytes from which on a value that no rule reads is not kept


def unsaved_positions(forward, names, saves):
    """Positions of the arguments that no rule reads, -1 for the result; empty where nothing is known."""
    if saves is None:
        return ()
    saved = set(saves.split())
    unknown = saved - {*names, "y"}
    if unknown:
        raise TypeError(f"primitive {forward.__name__}: saves names {sorted(unknown)}, but its arguments are {names}")
    return tuple(i for i, name in enumerate(names) if name not in saved) + (() if "y" in saved else (-1,))


def drop_unsaved(node):
    """Replace large values that no rule reads by arrays of their shape that take no memory."""
    for position in node.op.unsaved:
        if position == -1:
            if node.out.__class__ is not tuple and node.out.nbytes >= LARGE:
                node.out = _shell(node.out)
        elif position < len(node.args):
            arg = node.args[position]
            if arg.__class__ is Tensor and arg.data.nbytes >= LARGE:
                shell = _shell(arg.data)
                node.arrays[position] = shell
                if arg.node is not None or not arg.requires_grad:  # a leaf stands for itself and stays
                    stand_in = Tensor(shell, arg.requires_grad, arg.node, arg.index)
                    node.args = (*node.args[:position], stand_in, *node.args[position + 1 :])


def drop_result(node):
    """Let go of a node's result, if it is large, once only its shape is still needed."""
    out = node.out
    if out.__class__ is not tuple:
        if out.nbytes >= LARGE:
            node.out = _shell(out)
    else:
        node.out = tuple(_shell(part) for part in out)


def _shell(array):
    """An array of the same shape and dtype that repeats one NaN: a rule that reads it by mistake is noticed."""
    if array.dtype.kind != "f":
        return array
    kind = array.__class__, array.dtype
    nan = _NANS.get(kind)
    if nan is None:
        nan = _NANS[kind] = np.full_like(array, np.nan, shape=(1,))
    if array.__class__ is not ndarray:
        return np.broadcast_to(nan, array.shape)
    return ndarray(array.shape, array.dtype, nan, strides=(0,) * array.ndim)


_NANS = {}


# ------------------------------------------------------------------------------ recomputed segments


class _Segments(threading.local):
    tapes = ()  # for each segment that runs now, a list of what `once` returned in it
    replayed = None  # in a segment that runs again, an iterator over what `once` returned the first time


segments = _Segments()


def once(draw: Callable):
    """draw(), or in a segment that is computed again, what it returned the first time."""
    drawn = draw() if segments.replayed is None else next(segments.replayed)
    for tape in segments.tapes:
        tape.append(drawn)
    return drawn
