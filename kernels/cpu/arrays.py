"""What compiled kernels ask of their arguments: one layout, so that each kernel is compiled once per dtype."""

import numpy as np

from minigan.errors import DtypeError

DTYPES = (np.float32, np.float64)


def plain(*arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays, or copies of them, in C order, aligned and writable, all float32 or all float64."""
    dtype = arrays[0].dtype
    if dtype not in DTYPES or any(array.dtype != dtype for array in arrays):
        names = ", ".join(str(array.dtype) for array in arrays)
        raise DtypeError(f"kernels take arrays of one dtype, float32 or float64, not {names}; convert with astype")
    return [array if array.flags.carray else np.array(array, order="C") for array in arrays]


def blocks(total: int, size: int) -> list[tuple[int, int]]:
    """0 to total as ranges (first, last) of at most `size`."""
    return [(first, min(first + size, total)) for first in range(0, total, size)]


def round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
