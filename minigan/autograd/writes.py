"""When each array was last written in place, so that a backward pass can tell that a value it kept has changed.

One clock ticks for recorded calls and for writes. A call recorded at tick n kept values that are out of date if their
memory was written later than n. Views share their owner's memory, so writes are noted by owner. Writes that go
straight to an ndarray, behind minigan's back, are not seen.
"""

import itertools
import weakref

from minigan.kernels import capture

tick = itertools.count(1).__next__
NOT_WRITTEN = 0, lambda: None
latest = 0  # the tick of the latest write of all: what was recorded after it needs no look-up
_written = {}  # id of an owner of memory -> (tick of its last write, weak reference that removes the entry)


def owner(array):
    """The array that owns the memory this one looks at."""
    while getattr(array, "base", None) is not None and hasattr(array.base, "dtype"):
        array = array.base
    return array


def note(array) -> None:
    """Remember that this array's memory is written now, and in a captured step at each replay."""
    if capture.capturing():
        capture.each_time(lambda: _note(array))
    _note(array)


def _note(array):
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
