"""The small set of array functions that everything rests on, in several implementations of one interface.

`of(array)` gives the implementation for an array, by where it is; `using("reference")` asks for one by name. Nothing
here knows of Tensors, and an implementation is imported when it is first asked for.
"""

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType

from minigan.errors import UnknownNameError

MODULES = {
    "reference": "minigan.kernels.reference",
    "numpy": "minigan.kernels.numpy",
    "cpu": "minigan.kernels.cpu",
    "cuda": "minigan.kernels.cuda",
}

CPU = "cpu" if importlib.util.find_spec("numba") else "numpy"  # the implementation for NumPy's arrays

_wanted: ContextVar[str] = ContextVar("minigan_kernels", default="")
_owners: dict[type, str] = {}  # a class of arrays -> the implementation for it; CPU for all others
_devices: dict[type, str] = {}  # and the device that such arrays are on, the same
PRECISIONS = ("float32", "tf32", "bf16")

_precision: ContextVar[str] = ContextVar("minigan_precision", default="float32")
_loaded: dict[str, ModuleType] = {}  # `of` is asked by every kernel's caller: an import statement would take longer


def named(name: str) -> ModuleType:
    """The implementation of that name."""
    if name not in _loaded:
        if name not in MODULES:
            raise UnknownNameError("implementation of the kernels", name, MODULES)
        _loaded[name] = importlib.import_module(MODULES[name])
    return _loaded[name]


def of(array) -> ModuleType:
    """The implementation for arrays like this one, or the one that `using` asks for."""
    name = _wanted.get() or _owners.get(array.__class__, CPU)
    return _loaded.get(name) or named(name)


def own(arrays: type, name: str, device: str) -> None:
    """Make the implementation of that name the one for a class of arrays, which are on this device."""
    _owners[arrays], _devices[arrays] = name, device


def device_of(array) -> str:
    """The device that an array is on."""
    return _devices.get(array.__class__, "cpu")


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
    """Let GPUs round the factors of float32 products so, in this thread or task, until the end of the block.

    name: "float32" rounds nothing; "tf32" to 10 bits after the point and "bf16" to 7, for tensor cores: several times
        as fast. Sums are float32 in any case, and so are all arrays. The CPU, which has no such cores, rounds nothing.
    raises UnknownNameError for another name
    """
    if name not in PRECISIONS:
        raise UnknownNameError("precision", name, PRECISIONS)
    before = _precision.get()
    try:
        _precision.set(name)
        yield
    finally:
        _precision.set(before)


def precision_now() -> str:
    """What `precision` asks for, "float32" unless it does."""
    return _precision.get()
