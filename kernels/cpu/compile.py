"""The one decorator of all CPU kernels: compiled by Numba, outside the GIL, cached in a folder of minigan's own.

Numba notices when the file of a cached function changes, but not when a function that it calls in another file does.
So the folder's name carries a hash of every kernel source, of the versions that compile them, and of the processor;
a folder is only ever filled by one state of the code.
"""

import functools
import hashlib
import os
import tempfile
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import ccallback, dispatcher, types

from minigan.kernels.cpu.outline import Cache, Outlined
from minigan.kernels.cpu.vectors import BITS, ROWS

SAFE_FLAGS = {"reassoc", "contract", "nsz"}  # reductions vectorise; never nnan or ninf: NaN and infinity must survive
# error_model: x / 0 is inf or NaN, as in NumPy; a check for it would keep loops with divisions from being vectorised
OPTIONS = {"nogil": True, "fastmath": SAFE_FLAGS, "error_model": "numpy"}
SOURCES = Path(__file__).resolve().parent.parent


def fingerprint(sources: Path = SOURCES) -> str:
    """A hash of all that compiled code depends on."""
    state = hashlib.sha256()
    for file in sorted(sources.rglob("*.py")):
        state.update(str(file.relative_to(sources)).encode() + b"\0" + file.read_bytes() + b"\0")
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    settings = numba.config.CPU_NAME, numba.config.CPU_FEATURES, numba.config.ENABLE_AVX, numba.config.OPT
    vectors = BITS, ROWS  # and importing them has narrowed Numba's settings, where that is wanted
    versions = numba.__version__, llvmlite.__version__, np.__version__
    state.update(repr((processor, settings, vectors, versions)).encode())
    return state.hexdigest()[:16]


def cache_folder() -> Path | None:
    """Where compiled kernels are kept, `$MINIGAN_CACHE` or ~/.cache/minigan; None where nothing can be written."""
    base = os.environ.get("MINIGAN_CACHE") or os.environ.get("XDG_CACHE_HOME", "~/.cache") + "/minigan"
    try:
        folder = Path(base).expanduser() / f"kernels-{fingerprint()}"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return folder


FOLDER = cache_folder()


def kernel(function):
    """Compile a function for arrays and numbers when it is first called with their types."""
    compiled = _in_folder(lambda caching: numba.njit(**caching, **OPTIONS)(function))
    resolve = compiled.get_call_template
    # a constant in a call would make Numba compile a copy for it; LLVM sees the constant anyway where it inlines
    compiled.get_call_template = lambda args, kws: resolve([types.unliteral(kind) for kind in args], kws)
    return compiled


def outlined(function):
    """The same, compiled once for all kernels that call it: for what is long, and called for much work at a time."""
    return Outlined(kernel(function))


@functools.cache
def task(function):
    """Compile a function of three integers, which returns nothing, now: its `.address` is what other code calls."""
    return _in_folder(lambda caching: numba.cfunc("void(intp, intp, intp)", **caching, **OPTIONS)(function))


def _in_folder(compile_it):
    if FOLDER is None:
        return compile_it({})
    theirs = numba.config.CACHE_DIR, dispatcher.FunctionCache, ccallback.FunctionCache
    numba.config.CACHE_DIR = str(FOLDER)  # read once, here, when the function gets its place in the cache
    dispatcher.FunctionCache = ccallback.FunctionCache = Cache
    try:
        return compile_it({"cache": True})
    finally:
        numba.config.CACHE_DIR, dispatcher.FunctionCache, ccallback.FunctionCache = theirs
