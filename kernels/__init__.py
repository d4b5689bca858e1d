"""The small set of array functions that everything rests on, in several implementations of one interface.

`of(array)` gives the implementation for an array; `using("reference")` asks for one by name. Nothing here knows of
Tensors, and an implementation is imported when it is first asked for.
"""

import contextlib
import importlib
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType

from minigan.errors import UnknownNameError

MODULES = {"reference": "minigan.kernels.reference", "cpu": "minigan.kernels.cpu"}

_wanted: ContextVar[str] = ContextVar("minigan_kernels", default="cpu")
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
    name = _wanted.get()
    return _loaded.get(name) or named(name)


@contextlib.contextmanager
def using(name: str) -> Iterator[ModuleType]:
    """Let `of` return the implementation of that name, in this thread or task, until the end of the block."""
    module = named(name)
    before = _wanted.set(name)
    try:
        yield module
    finally:
        _wanted.reset(before)
