"""Launching kernels: the same call for a GPU, through CuPy, and for the CPU, through the simulator.

A kernel is named by its file and its function. The class of its array arguments determines where it runs
(`launcher_of`), and their dtype whether it is compiled for float or double. Its arguments are arrays, integers (`wide`
in the source), floats (`real`) and geometries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from minigan.errors import DtypeError, ShapeError
from minigan.kernels.geometry import ConvGeometry

FOLDER = Path(__file__).resolve().parent
THREADS = 256  # per block, by default
MOST_BLOCKS = 1 << 16  # for kernels that loop over their elements; more blocks would only start later
REALS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


class Launcher(Protocol):
    """Compiles the sources and runs their kernels on arrays of one class."""

    def run(self, file: str, kernel: str, real: str, blocks: tuple, threads: tuple, arguments: list) -> None:
        """Run a kernel of a file, compiled for `real`: "float" or "double".

        blocks, threads: the sizes of the grid and of a block, up to three numbers each
        arguments: arrays of the device, and NumPy scalars and zero-dimensional arrays, which are passed by value
        """

    def matmul(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a @ b, (M, N) from (M, K) and (K, N) in any layout, computed by the device's library: cuBLAS on a GPU."""

    def empty(self, shape: tuple[int, ...], dtype) -> np.ndarray:
        """A new, uninitialised array of this launcher's class."""

    def put(self, array: np.ndarray) -> np.ndarray:
        """Copy an array from the CPU to the device."""

    def get(self, array) -> np.ndarray:
        """Copy an array from the device to the CPU."""

    def address_of(self, array) -> int:
        """The address of a contiguous array, as a kernel sees it."""

    def overwrite(self, array, values: np.ndarray) -> None:
        """Copy contiguous values from the CPU into an array of the device."""

    def captured(self, function: Callable[[], None]) -> Callable[[], None]:
        """Call a function and record its launches without running them. Calling the result runs them."""


_launchers: dict[type, Launcher] = {}


def register(kind: type, launcher: Launcher) -> None:
    """Run kernels on arrays of this class with this launcher."""
    _launchers[kind] = launcher


def launcher_of(array) -> Launcher:
    launcher = _launchers.get(type(array))
    if launcher is None:
        raise DtypeError(f"CUDA kernels take arrays on a device, not {type(array).__name__}; move it with .to(...)")
    return launcher


def each(total: int) -> tuple[int, int]:
    """(blocks, threads) for a kernel in which each thread computes one of `total` numbers (EACH in common.h)."""
    return min(max(-(-total // THREADS), 1), MOST_BLOCKS), THREADS


def run(file: str, kernel: str, shape, *arguments, real=None) -> None:
    """Run a kernel on the device of its first argument.

    shape: (blocks, threads), each an int or up to three
    real: the dtype to compute in; by default the first argument's
    """
    first = arguments[0]
    launcher = launcher_of(first)
    dtype = np.dtype(first.dtype if real is None else real)
    if dtype not in REALS:
        raise DtypeError(f"kernels compute in float32 or float64, not {dtype}; convert with astype")
    values = [passed(argument, dtype, type(first)) for argument in arguments]
    blocks, threads = ((n,) if isinstance(n, int) else tuple(n) for n in shape)
    launcher.run(file, kernel, REALS[dtype], blocks, threads, values)


def passed(argument, real: np.dtype, kind: type):
    """Convert an argument for a kernel: arrays of this class stay as they are, all else becomes NumPy scalars."""
    if isinstance(argument, kind):
        if not argument.flags.c_contiguous:
            raise ValueError("a kernel's arrays are contiguous; copy with `contiguous`")
        return argument
    if isinstance(argument, ConvGeometry):
        return record(argument)
    if isinstance(argument, int | np.integer):
        return np.int64(argument)
    if isinstance(argument, float | np.floating):
        return real.type(argument)
    raise DtypeError(f"a kernel on {kind.__name__} was given a {type(argument).__name__}")


RECORD = np.dtype([(name, np.int32) for name in ConvGeometry._fields])
LARGEST = np.iinfo(np.int32).max


@functools.lru_cache(maxsize=1024)
def record(g: ConvGeometry) -> np.ndarray:
    """A geometry as the struct of common.h, a zero-dimensional array. It is cached: do not write to it.

    raises ShapeError if a size, or a kernel's counter along an axis (padded pixels, taps), does not fit an int
    """
    sizes = {
        **g._asdict(),
        "PT + H + PB + SH": g.PT + g.H + g.PB + g.SH,
        "PL + W + PR + SW": g.PL + g.W + g.PR + g.SW,
        "2 * SH": 2 * g.SH,
        "2 * SW": 2 * g.SW,
        "2 * KH * DH": 2 * g.KH * g.DH,
        "2 * KW * DW": 2 * g.KW * g.DW,
    }
    for name, size in sizes.items():
        if not 0 <= size <= LARGEST:
            raise ShapeError(f"CUDA kernels count along an axis in 32 bits, but {name} is {size}; geometry {tuple(g)}")
    return np.array(tuple(g), RECORD)


def empty(shape, like, dtype=None):
    """A new, uninitialised array on the device of `like`, by default of its dtype."""
    return launcher_of(like).empty(shape, np.dtype(like.dtype if dtype is None else dtype))


def put(array: np.ndarray, like):
    """Copy an array from the CPU to the device of `like`."""
    return launcher_of(like).put(array)


def address_of(array) -> int:
    """The address of a contiguous array on its device, as an int: kernels can take many of them in one array."""
    return launcher_of(array).address_of(array)


def contiguous(*arrays) -> list:
    """The arrays in C order, copied if necessary. All must be float32 or all float64; None stays None."""
    dtype, given = arrays[0].dtype, [array for array in arrays if array is not None]
    if dtype not in REALS or any(array.dtype != dtype for array in given):
        names = ", ".join(str(array.dtype) for array in given)
        raise DtypeError(f"kernels take arrays of one dtype, float32 or float64, not {names}; convert with astype")
    return [array if array is None or array.flags.c_contiguous else array.copy() for array in arrays]
