"""Keeps compiled code between processes, in minigan's own folder.

Numba notices when the file of a cached function changes, but not when a function that it calls in another file does.
So the folder's name carries a hash of every kernel source, of the versions that compile them, and of the processor:
each folder is filled by one state of the code only.
"""

import hashlib
import importlib
import inspect
import pickle
import sys
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import caching
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from minigan.kernels import cache
from minigan.kernels.cpu.runtime.vectors import BITS, ROWS

# Numba's settings that change the code it generates
SETTINGS = [
    "CPU_NAME",
    "CPU_FEATURES",
    "ENABLE_AVX",
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
]
SOURCES = Path(__file__).resolve().parents[2]
PREFIX = "minigan."  # of the symbols of outlined kernels
symbols: dict[str, tuple[str, str, tuple]] = {}  # symbol -> module and name of a kernel, types of its arguments


def fingerprint(sources: Path = SOURCES) -> str:
    """A hash of everything that compiled code depends on."""
    state = hashlib.sha256()
    for file in sorted(sources.rglob("*.py")):
        state.update(str(file.relative_to(sources)).encode() + b"\0" + file.read_bytes() + b"\0")
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    settings = [(name, str(getattr(numba.config, name, None))) for name in SETTINGS]
    vectors = BITS, ROWS  # importing them has narrowed Numba's settings already, if MINIGAN_VECTORS requires it
    versions = numba.__version__, llvmlite.__version__, np.__version__, sys.implementation.cache_tag
    state.update(repr((processor, settings, vectors, versions)).encode())
    return state.hexdigest()[:16]


def cache_folder() -> Path | None:
    """The folder in which compiled kernels are kept; None if there is no safe place for one."""
    return cache.safe_folder(f"kernels-{fingerprint()}")


FOLDER = cache_folder()


class Cache(caching.FunctionCache):
    """Compiled versions of a function in the cache's folder: one file for each combination of argument types.

    Numba's own cache keeps an index beside them. Two processes that save at once can leave an index that names the code
    of other types. Here the file's name alone identifies its content.
    """

    def __init__(self, function, folder: Path):
        self._py_func, self._folder = function, folder
        source = Path(inspect.getfile(function))
        self._source = hashlib.sha256(source.read_bytes()).hexdigest()
        self.enable()

    @property
    def cache_path(self):
        return str(self._folder)

    def flush(self):
        """Nothing to do: code that was compiled differently has another name."""

    def load_overload(self, sig, target_context):
        """Load the code, after the outlined kernels that it calls.

        Unlike Numba's method, it does not refresh the target context: that prepares everything that Numba can compile,
        8 MB which a loaded kernel does not need.
        """
        rtsys.initialize(target_context)
        content = cache.read(self._file(sig, target_context.codegen()))
        if content is None:
            return None
        try:
            callees, compiled = pickle.loads(content)
            for module, name, kinds in callees:
                getattr(importlib.import_module(module), name).provide(kinds)
            return CompileResult._rebuild(target_context, *compiled)
        except Exception:  # intact, but not written from these modules: the kernel is compiled again
            return None

    def save_overload(self, sig, compiled):
        """Save the code, and which outlined kernels it calls."""
        if any(not part.can_cache for part in compiled.lifted) or compiled.library.has_dynamic_globals:
            return
        content = dumps((outlined_callees(compiled.library), compiled._reduce()))
        cache.write(self._file(sig, compiled.codegen), content)

    def _file(self, sig, codegen):
        key = hashlib.sha256(f"{self._source} {self._index_key(sig, codegen)}".encode()).hexdigest()[:32]
        return self._folder / f"{self._py_func.__module__}.{self._py_func.__name__}-{key}"


def outlined_callees(library) -> list[tuple[str, str, tuple]]:
    """The outlined kernels that a library calls: module, name and argument types of each."""
    names = (function.name for function in library._final_module.functions if function.is_declaration)
    return [symbols[name] for name in names if name.startswith(PREFIX)]


def load_library(symbol: str):
    """The library that was saved under a symbol; None if there is none of this version."""
    content = None if FOLDER is None else cache.read(FOLDER / symbol)
    if content is None:
        return None
    try:
        return cpu_target.target_context.codegen().unserialize_library(pickle.loads(content))
    except Exception:  # intact, but written by another version: it is compiled again
        return None


def save_library(symbol: str, library) -> None:
    """Save a library under a symbol, if there is a folder for it."""
    if FOLDER is not None:
        cache.write(FOLDER / symbol, pickle.dumps(library.serialize_using_object_code()))
