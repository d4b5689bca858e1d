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

_forced: ContextVar[str | None] = ContextVar("minigan_kernels", default=None)


def named(name: str) -> ModuleType:
    """The implementation of that name."""
    if name not in MODULES:
        raise UnknownNameError("implementation of the kernels", name, MODULES)
    return importlib.import_module(MODULES[name])


def of(array) -> ModuleType:
    """The implementation for arrays like this one, or the one that `using` asks for."""
    return named(_forced.get() or "cpu")


@contextlib.contextmanager
def using(name: str) -> Iterator[ModuleType]:
    """Let `of` return the implementation of that name, in this thread or task, until the end of the block."""
    module = named(name)
    before = _forced.set(name)
    try:
        yield module
    finally:
        _forced.reset(before)
