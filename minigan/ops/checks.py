"""Checks on arguments that several operations share."""

import numpy as np

from minigan.errors import DtypeError

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
