"""Checks on arguments that several operations share."""

import numpy as np

from minigan.devices import device_of, to_cpu
from minigan.errors import DtypeError
from minigan.kernels import capture
from minigan.tensor import Tensor

FLOATS = (np.float32, np.float64)


def same_float(call: str, **arrays) -> None:
    """All of one dtype, float32 or float64: what the kernels are written for."""
    for name, array in arrays.items():
        if not hasattr(array, "dtype"):
            raise DtypeError(f"{call}: {name} is a {type(array).__name__}, but it takes arrays or Tensors")
    dtypes = {name: array.dtype for name, array in arrays.items()}
    if len(set(dtypes.values())) > 1 or next(iter(dtypes.values())).type not in FLOATS:
        found = ", ".join(f"{name} is {dtype}" for name, dtype in dtypes.items())
        raise DtypeError(f"{call}: {found}; it takes float32 or float64, all of one dtype: convert with .astype()")


def integers(values):
    """A copy of integers, an array where they are: what they are now counts in the backward pass."""
    values = values.data if isinstance(values, Tensor) else values
    return np.array(values) if device_of(values) == "cpu" else values.copy()


def outside(numbers, count: int) -> tuple[int, int] | None:
    """The least and the largest of these integers, if not all are from 0 to below `count`.

    A captured step reads nothing: it takes them for as good as those of its first call, which was no captured one.
    """
    if not numbers.size or capture.capturing():
        return None
    numbers = to_cpu(numbers)
    least, largest = numbers.min(), numbers.max()
    return None if 0 <= least <= largest < count else (least, largest)
