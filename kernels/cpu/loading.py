"""Compiled kernels come back from the cache as machine code, and little else comes into memory with them.

Numba keeps beside a kernel's machine code the LLVM module that it was made from, in case a function that is compiled
later wants it inline: 20 MB for the kernels of a GAN. Here that stays the bitcode that it was saved as, and is a
module again when somebody asks.
"""

import importlib.util
import sys

import llvmlite.binding as llvm


class Bitcode:
    """What Numba asks of the LLVM module of a compiled library: a copy to link, or the bytes to save."""

    def __init__(self, saved: bytes):
        self.saved = saved

    def clone(self):
        return llvm.parse_bitcode(self.saved)

    def as_bitcode(self):
        return self.saved


def drop_module(library, state) -> None:
    """Let go of the module of a library that was just made from `state`, what Numba serialises a library as."""
    _, kind, saved = state
    if kind == "object" and isinstance(getattr(library, "_shared_module", None), llvm.ModuleRef):
        library._shared_module = Bitcode(saved[1])


def import_without_scipy() -> None:
    """Import the part of Numba that would import all of scipy.linalg (14 MB, 0.1 s) only to see whether it is there.

    No kernel calls it. Other code in this process that Numba compiles finds SciPy as ever.
    """
    if "numba.np.arraymath" in sys.modules or "scipy.linalg" in sys.modules or not importlib.util.find_spec("scipy"):
        return
    sys.modules["scipy.linalg"] = None  # "not found", says Python to whoever imports it
    try:
        from numba.np import arraymath
    finally:
        del sys.modules["scipy.linalg"]
    arraymath._HAVE_BLAS = True


import_without_scipy()  # before Numba does, when the first kernel is compiled or loaded
