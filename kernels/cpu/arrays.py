"""What compiled kernels ask of their arguments: one layout, so that each kernel is compiled once per dtype."""

import math
from ctypes import addressof, c_char

import numpy as np

from minigan.errors import DtypeError, ShapeError

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
LINE_BYTES = 64  # of a cache line
LARGE = 1 << 14  # bytes from which on it is worth a microsecond where an array begins

buffer_of, ndarray = c_char.from_buffer, np.ndarray


def plain(*arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays, or copies of them, in C order, aligned and writable, all float32 or all float64.

    raises DtypeError for other dtypes, foreign byte orders among them, and for masked arrays
    """
    dtype, found = arrays[0].dtype, []
    for array in arrays:
        if array.dtype != dtype or dtype not in DTYPES:
            names = ", ".join(str(array.dtype) for array in arrays)
            raise DtypeError(f"kernels take arrays of one dtype, float32 or float64, not {names}; convert with astype")
        found.append(array if array.__class__ is ndarray and array.flags.carray else _copy(array))
    return found


def _copy(array):
    if isinstance(array, np.ma.MaskedArray):
        raise DtypeError("kernels would read what a masked array hides; fill its gaps first: array.filled(0)")
    return np.array(array, order="C")


def misfit(call: str, *arrays: np.ndarray):
    """Raise ShapeError: a kernel would read past the end of an array, or of another's rows."""
    raise ShapeError(f"{call}: arrays of shapes {', '.join(str(array.shape) for array in arrays)} do not fit together")


def empty(shape: tuple[int, ...], dtype) -> np.ndarray:
    """A new array, not initialised; a large one is `aligned`."""
    if math.prod(shape) * dtype.itemsize < LARGE:
        return np.empty(shape, dtype)
    return aligned(shape, dtype)


def aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """A new array that begins on a cache line: no vector in it, of those that are as long, lies on two of them."""
    memory = np.empty(math.prod(shape) * dtype.itemsize + LINE_BYTES, np.uint8)
    return np.ndarray(shape, dtype, memory, -address_of(memory) % LINE_BYTES)


def address_of(array: np.ndarray) -> int:
    """Where the elements of a contiguous, writable array begin; it has at least one."""
    return addressof(buffer_of(array))


def blocks(total: int, size: int) -> list[tuple[int, int]]:
    """0 to total as ranges (first, last) of at most `size`."""
    return [(first, min(first + size, total)) for first in range(0, total, size)]


def round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
