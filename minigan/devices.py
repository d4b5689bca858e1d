"""Where arrays are, how they get elsewhere, and steps that a device captures.

cpu     NumPy's arrays, in the computer's memory
cuda    CuPy's arrays, on the current NVIDIA GPU
sim     arrays for the same CUDA kernels, which the CPU then runs: slowly, for machines without a GPU

A device that captures a step records what is launched in it, and launches the same again at each replay. What the host
does in the step is not recorded. Work or numbers that differ from replay to replay therefore go through
`at_each_replay`, `replayed_number` or `replayed_factors`, which act at once where nothing is captured.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import numpy as np

from minigan import kernels
from minigan.errors import DeviceError, UnknownNameError

DEVICES = ("cpu", "cuda", "sim")
MODULES = {"cuda": "minigan.kernels.cuda.gpu", "sim": "minigan.kernels.cuda.sim"}


def device_of(array) -> str:
    """The device that an array is on."""
    return kernels.device_of(array)


def on(device: str):
    """What makes arrays of a device: a module with `put(array)`, `get(array)` and `empty(shape, dtype)`.

    raises UnknownNameError for a name that is not in DEVICES, and DeviceError where a device cannot be used, which
    says what is missing
    """
    if device == "cpu":
        return _Cpu
    UnknownNameError.check("device", device, DEVICES, {"gpu": "cuda"})
    return importlib.import_module(MODULES[device]).DEVICE


def move(array, device: str):
    """The same values on a device: the array itself where it is there already, else a copy."""
    there = on(device)
    if device_of(array) == device:
        return array
    return there.put(to_cpu(array))


def to_cpu(array) -> np.ndarray:
    """An array's values as NumPy's; the array itself where it is one."""
    device = device_of(array)
    return array if device == "cpu" else on(device).get(array)


def same_device(call: str, arrays) -> None:
    """Raise DeviceError, which says what is where, unless all arrays (numbers do not count) are on one device."""
    places = [(array.shape, device_of(array)) for array in arrays if getattr(array, "ndim", 0)]
    if len({device for _, device in places}) > 1:
        words = " and ".join(f"one, of shape {shape}, is on the device {device}" for shape, device in places)
        raise DeviceError(f"{call}: of its arrays {words}; move one with .to(...)")


class _Cpu:
    """NumPy's arrays."""

    put = get = staticmethod(lambda array: array)
    empty = staticmethod(np.empty)


# -------------------------------------------------------------------------- captured steps

_work: ContextVar[list[Callable[[], object]] | None] = ContextVar("minigan_captured_work", default=None)


def capturing() -> bool:
    """Whether what this thread launches is being recorded, and nothing done."""
    return _work.get() is not None


def refuse_in_capture(what: str) -> None:
    """Raise DeviceError where a step is captured that does what no replay could do again.

    what: the end of a sentence on the step, such as "copies an array to the CPU"
    """
    if capturing():
        raise DeviceError(f"a captured step {what}, which a replay cannot do; do it before or after the step")


def at_each_replay(work: Callable[[], object]) -> None:
    """Do some of the host's work now, or before each replay of the step that is being captured."""
    waiting = _work.get()
    if waiting is None:
        work()
    else:
        waiting.append(work)


def replayed_number(function: Callable[[], float]):
    """function() now; in a captured step a `Late` number, which is what it gave before the latest replay."""
    if not capturing():
        return function()
    late = Late()
    at_each_replay(lambda: late.set(function()))
    return late


def replayed_factors(function: Callable[[], tuple[float, ...]], count: int, like) -> tuple:
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
def collecting_work() -> Iterator[list[Callable[[], object]]]:
    """Capture: what `at_each_replay` is handed within the block is in this list, and not done."""
    before = _work.set([])
    try:
        yield _work.get()
    finally:
        _work.reset(before)
