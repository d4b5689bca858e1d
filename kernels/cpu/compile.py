"""The decorators of all CPU kernels: compiled by Numba, outside the GIL, cached in a folder of minigan's own.

Numba notices when the file of a cached function changes, but not when a function that it calls in another file does.
So the folder's name carries a hash of every kernel source, of the versions that compile them, and of the processor;
a folder is only ever filled by one state of the code.
"""

import contextlib
import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.runtime import nrtdynmod

from minigan.errors import MiniganError
from minigan.kernels import cache
from minigan.kernels.cpu.interrupts import uninterrupted
from minigan.kernels.cpu.loading import drop_module
from minigan.kernels.cpu.outline import Cache, Outlined
from minigan.kernels.cpu.vectors import BITS, ROWS

SAFE_FLAGS = {"reassoc", "contract", "nsz"}  # reductions vectorise; never nnan or ninf: NaN and infinity must survive
# error_model: x / 0 is inf or NaN, as in NumPy; a check for it would keep loops with divisions from being vectorised
OPTIONS = {"nogil": True, "fastmath": SAFE_FLAGS, "error_model": "numpy", "no_cfunc_wrapper": True}
EFFORT = 2  # of LLVM where we write its code, as -O2: there is nothing to gain from -O3, which takes twice as long
# of Numba's, what changes the code that it makes
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
SOURCES = Path(__file__).resolve().parent.parent


def fingerprint(sources: Path = SOURCES) -> str:
    """A hash of all that compiled code depends on."""
    state = hashlib.sha256()
    for file in sorted(sources.rglob("*.py")):
        state.update(str(file.relative_to(sources)).encode() + b"\0" + file.read_bytes() + b"\0")
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    settings = [(name, str(getattr(numba.config, name, None))) for name in SETTINGS]
    vectors = BITS, ROWS  # and importing them has narrowed Numba's settings, where that is wanted
    versions = numba.__version__, llvmlite.__version__, np.__version__, sys.implementation.cache_tag
    state.update(repr((processor, settings, vectors, versions)).encode())
    return state.hexdigest()[:16]


def cache_folder() -> Path | None:
    """Where compiled kernels are kept; None where there is no place that is safe."""
    return cache.safe_folder(f"kernels-{fingerprint()}")


if numba.config.DISABLE_JIT:
    raise MiniganError(
        "NUMBA_DISABLE_JIT is set, but the kernels for the processor only run compiled; "
        'unset it, or use what they are compared with: mg.kernels.using("reference")'
    )
FOLDER = cache_folder()
if hasattr(os, "register_at_fork"):
    # Another thread may be compiling, and a forked child would wait for it for ever: fork when it is done.
    unlock = global_compiler_lock.release
    os.register_at_fork(before=global_compiler_lock.acquire, after_in_parent=unlock, after_in_child=unlock)


class Compiled(CPUDispatcher):
    """A function that is compiled for arrays and numbers when it is first called with their types."""

    def __init__(self, function, **options):
        super().__init__(function, targetoptions={"nopython": True, **OPTIONS, **options})
        if FOLDER is not None:
            with contextlib.suppress(OSError, TypeError):  # its source is in no file, as when it was typed in
                self._cache = Cache(self.py_func, FOLDER)

    @uninterrupted
    def compile(self, sig):
        return super().compile(sig)

    def get_call_template(self, args, kws):
        """Of one copy for all values: Numba would compile one for each constant in a call, which LLVM sees anyway."""
        named = {name: types.unliteral(kind) for name, kind in kws.items()}
        return super().get_call_template([types.unliteral(kind) for kind in args], named)


class Kernel(Compiled):
    """Compiled for kernels to call; Python calls the function as it is written, if it needs nothing that is LLVM's.

    Only other kernels can call it: leaving out the entry points for Python and C saves a fifth of the compile time.
    """

    def __init__(self, function, **options):
        super().__init__(function, no_cpython_wrapper=True, **options)

    def __call__(self, *arguments, **named):
        return self.py_func(*arguments, **named)


kernel, called_from_python = Kernel, Compiled  # as decorators


def inlined(function):
    """A kernel that is made a part of those which call it, however long: what hides behind a call is no vector code."""
    return Kernel(function, forceinline=True)


def outlined(function):
    """The same, compiled once for all kernels that call it: for what is long, and called for much work at a time."""
    return Outlined(kernel(function))


@uninterrupted
def machine_code(symbol: str, module: Callable) -> int:
    """The address of a function that is written in LLVM: compiled without Numba, unless the folder has it.

    symbol: its name, which says all that its code depends on; module: a function that makes the LLVM module with it
    """
    with global_compiler_lock:
        if symbol not in _libraries:
            _libraries[symbol] = _saved_code(symbol) or _new_code(symbol, module())
        return _libraries[symbol].get_pointer_to_function(symbol)


_libraries: dict[str, object] = {}  # what is compiled stays as long as its code can be called


def _runtime(context):
    """Numba's own runtime, which it compiles in every process: 20 MB for a few instructions."""
    if RUNTIME not in _libraries:
        _libraries[RUNTIME] = _saved_code(RUNTIME) or _new_code(RUNTIME, nrtdynmod.create_nrt_module(context)[0])
    return _libraries[RUNTIME]


RUNTIME = "numba_runtime"
nrtdynmod.compile_nrt_functions = _runtime


def _saved_code(symbol):
    content = None if FOLDER is None else cache.read(FOLDER / symbol)
    if content is None:
        return None
    try:
        code = pickle.loads(content)
        library = cpu_target.target_context.codegen().unserialize_library(code)
        drop_module(library, code)
    except Exception:  # whole, but not what this version writes: it is compiled again
        return None
    return library


def _new_code(symbol, module):
    library = cpu_target.target_context.codegen().create_library(symbol)
    library.enable_object_caching()
    with global_compiler_lock:
        theirs = numba.config.OPT
        try:
            numba.config.OPT = min(theirs, type(theirs)(EFFORT))
            library.add_ir_module(module)
            library.finalize()
        finally:
            numba.config.OPT = theirs
    if FOLDER is not None:
        cache.write(FOLDER / symbol, pickle.dumps(library.serialize_using_object_code()))
    return library


def new_module(name: str) -> ir.Module:
    """An LLVM module for this processor, still empty."""
    module = ir.Module(name)
    module.triple, module.data_layout = llvm.get_process_triple(), str(cpu_target.target_context.target_data)
    return module
