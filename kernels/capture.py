"""Steps that are captured: a device records once what they launch and does it again at each replay.

What the host does in such a step is not recorded with it. Whatever has to happen each time, or a number that differs
each time, is named here: it is done at once as long as nothing is captured, else before each replay, in order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from minigan.errors import DeviceError

_work: ContextVar[list[Callable[[], object]] | None] = ContextVar("minigan_captured_work", default=None)


def capturing() -> bool:
    """Whether what this thread launches is being recorded, and nothing done."""
    return _work.get() is not None


def refuse(what: str) -> None:
    """Raise DeviceError where a step is captured that does what no replay could do again.

    what: the end of a sentence on the step, such as "copies an array to the CPU"
    """
    if capturing():
        raise DeviceError(f"a captured step {what}, which a replay cannot do; do it before or after the step")


def each_time(work: Callable[[], object]) -> None:
    """Do some of the host's work now, or before each replay of the step that is being captured."""
    waiting = _work.get()
    if waiting is None:
        work()
    else:
        waiting.append(work)


def number(function: Callable[[], float]):
    """function() now; in a captured step a `Late` number, which is what it gave before the latest replay."""
    if not capturing():
        return function()
    late = Late()
    each_time(lambda: late.set(function()))
    return late


def factors(function: Callable[[], tuple[float, ...]], count: int, like) -> tuple:
    """`count` numbers to multiply arrays such as `like` by: those of function() now.

    In a captured step arrays without dimensions beside `like`, of what function() gave before the latest replay.
    """
    if not capturing():
        return function()
    from minigan.kernels.cuda.graph import supplied  # what captures is its devices

    array = supplied(function, count, like.dtype, like)
    return tuple(array[i : i + 1].reshape(()) for i in range(count))


class Late:
    """A number that is known before each replay. Ask for it by int() or float(), and not earlier."""

    __slots__ = ("value",)

    def set(self, value) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)


@contextlib.contextmanager
def collecting() -> Iterator[list[Callable[[], object]]]:
    """Capture: what `each_time` is handed within the block is in this list, and not done."""
    before = _work.set([])
    try:
        yield _work.get()
    finally:
        _work.reset(before)
