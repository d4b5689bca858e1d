"""Where arrays are, how they get elsewhere, which kernels compute with them, and steps that a device captures.

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
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import ModuleType

import numpy as np

from minigan.errors import DeviceError, DtypeError, MiniganError, UnknownNameError

DEVICES = ("cpu", "cuda", "sim")
MODULES = {"cuda": "minigan.kernels.cuda.gpu", "sim": "minigan.kernels.cuda.sim"}
_devices: dict[type, str] = {}  # a class of arrays -> the device that they are on; "cpu" for all others


def device_of(array) -> str:
    """The device that an array is on."""
    return _devices.get(array.__class__, "cpu")


def on(device: str):
    """What makes arrays of a device: a module with `put(array)`, `get(array)` and `empty(shape, dtype)`.

    raises UnknownNameError for a name that is not in DEVICES, and DeviceError where a device cannot be used, which
    says what is missing
    """
    if isinstance(device, str) and device == "cpu":
        return _Cpu
    UnknownNameError.check("device", device, DEVICES, {"gpu": "cuda"})
    return importlib.import_module(MODULES[device]).DEVICE


def move(array, device: str):
    """The same values on a device: the array itself if it is there already, else a copy."""
    there = on(device)
    if device_of(array) == device:
        return array
    return there.put(to_cpu(array))


def to_cpu(array) -> np.ndarray:
    """The values as a NumPy array: the array itself if it is one, else a copy."""
    device = device_of(array)
    return array if device == "cpu" else on(device).get(array)


def unmasked(array) -> np.ndarray:
    """A masked array, or a matrix, as a plain one. Raises DtypeError where some of its values are masked."""
    if np.ma.is_masked(array):
        raise DtypeError("some values of a masked array are masked; fill them first: array.filled(0)")
    return np.asarray(array)


def same_device(call: str, arrays) -> None:
    """Raise a DeviceError that says which array is where, unless all arrays are on one device (numbers are ignored)."""
    places = [(array.shape, device_of(array)) for array in arrays if getattr(array, "ndim", 0)]
    if len({device for _, device in places}) > 1:
        words = " and ".join(f"one, of shape {shape}, is on the device {device}" for shape, device in places)
        raise DeviceError(f"{call}: of its arrays {words}; move one with .to(...)")


class _Cpu:
    """NumPy's arrays."""

    put = get = staticmethod(lambda array: array)
    empty = staticmethod(np.empty)


# ------------------------------------------------------------------------- implementations

IMPLEMENTATIONS = {
    "reference": "minigan.kernels.reference",
    "numpy": "minigan.kernels.numpy",
    "cpu": "minigan.kernels.cpu",
    "cuda": "minigan.kernels.cuda",
}

CPU = "cpu" if importlib.util.find_spec("numba") else "numpy"  # the implementation for NumPy's arrays

PRECISIONS = ("float32", "tf32", "bf16")

_wanted: ContextVar[str] = ContextVar("minigan_kernels", default="")
_owners: dict[type, str] = {}  # a class of arrays -> the implementation for it; CPU for all others
_precision: ContextVar[str] = ContextVar("minigan_precision", default="float32")
_loaded: dict[str, ModuleType] = {}  # `of` is asked by every kernel's caller: an import statement would take longer


def named(name: str) -> ModuleType:
    """The implementation of that name."""
    if name not in _loaded:
        if name not in IMPLEMENTATIONS:
            raise UnknownNameError("implementation of the kernels", name, IMPLEMENTATIONS)
        _loaded[name] = importlib.import_module(IMPLEMENTATIONS[name])
    return _loaded[name]


def of(array) -> ModuleType:
    """The implementation for arrays like this one, or the one that `using` asks for."""
    name = _wanted.get() or _owners.get(array.__class__, CPU)
    return _loaded.get(name) or named(name)


def own(arrays: type, name: str, device: str) -> None:
    """Make the implementation of that name the one for a class of arrays, which are on this device."""
    _owners[arrays], _devices[arrays] = name, device


def register(name: str, functions: Mapping[str, Callable], base: str = CPU) -> None:
    """Add kernels of your own as an implementation, which `using(name)` then asks for.

    functions: kernels by name, each with the arguments and the result of its namesake in minigan.kernels.reference
    base: the implementation that all other kernels are taken from
    raises UnknownNameError for a kernel or a base that does not exist, and MiniganError for a name that minigan uses
    """
    if name in IMPLEMENTATIONS:
        raise MiniganError(f"register: minigan's own kernels are called {name!r}; choose another name")
    others = {kernel: value for kernel, value in vars(named(base)).items() if not kernel.startswith("_")}
    for kernel in functions:
        UnknownNameError.check("kernel", kernel, others)
    _loaded[name] = ModuleType(name)
    vars(_loaded[name]).update({**others, **functions, "__name__": name})


@contextlib.contextmanager
def using(name: str) -> Iterator[ModuleType]:
    """Let `of` return the implementation of that name, in this thread or task, until the end of the block."""
    module = named(name)
    before = _wanted.get()
    try:
        _wanted.set(name)  # in here, as Ctrl-C may come right after it
        yield module
    finally:
        _wanted.set(before)


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Let GPUs round the factors of float32 products to this precision, in this thread or task, within the block.

    name: "float32" rounds nothing; "tf32" to 10 bits after the point and "bf16" to 7, for tensor cores: several times
        as fast. Sums and arrays are always float32. The CPU, which has no such cores, rounds nothing.
    raises UnknownNameError for another name
    """
    if not isinstance(name, str) or name not in PRECISIONS:
        raise UnknownNameError("precision", name, PRECISIONS)
    before = _precision.get()
    try:
        _precision.set(name)
        yield
    finally:
        _precision.set(before)


def precision_now() -> str:
    """The precision that is set, "float32" by default."""
    return _precision.get()


# -------------------------------------------------------------------------- captured steps

_work: ContextVar[list[Callable[[], object]] | None] = ContextVar("minigan_captured_work", default=None)


def capturing() -> bool:
    """Whether this thread is capturing: kernels are recorded, not run."""
    return _work.get() is not None


def refuse_in_capture(what: str) -> None:
    """Raise DeviceError if a step is being captured, for something that a replay cannot repeat.

    what: the end of a sentence on the step, such as "copies an array to the CPU"
    """
    if capturing():
        raise DeviceError(f"a captured step {what}, which a replay cannot do; do it before or after the step")


def at_each_replay(work: Callable[[], object]) -> None:
    """Call a function now, or before each replay of the step that is being captured."""
    waiting = _work.get()
    if waiting is None:
        work()
    else:
        waiting.append(work)


def replayed_number(function: Callable[[], float]):
    """function(); in a captured step a `Late` number, which function() sets before each replay."""
    if not capturing():
        return function()
    late = Late()
    at_each_replay(lambda: late.set(function()))
    return late


def replayed_factors(function: Callable[[], tuple[float, ...]], count: int, like) -> tuple:
    """function(), `count` numbers that arrays such as `like` are multiplied by.

    In a captured step, arrays without dimensions on like's device, which function() fills before each replay.
    """
    if not capturing():
        return function()
    from minigan.kernels.cuda.graph import supplied  # what captures is its devices

    array = supplied(function, count, like.dtype, like)
    return tuple(array[i : i + 1].reshape(()) for i in range(count))


class Late:
    """A number that is known only before each replay; read it then, by int() or float()."""

    __slots__ = ("value",)

    def set(self, value) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)


@contextlib.contextmanager
def collecting_work() -> Iterator[list[Callable[[], object]]]:
    """Collect the functions passed to `at_each_replay` within the block, instead of calling them."""
    before = _work.set([])
    try:
        yield _work.get()
    finally:
        _work.reset(before)
