"""Checks on arguments that several operations share."""

import functools

import numpy as np

from minigan.autograd.promotion import entered, explain
from minigan.autograd.tensor import Tensor
from minigan.devices import device_of, to_cpu
from minigan.errors import DtypeError, MiniganError, ShapeError
from minigan.kernels import capture

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


def operation(function):
    """A function composed of primitives, whose errors about its arguments are explained as a primitive's are."""

    @functools.wraps(function)
    def call(*args, **settings):
        try:
            return function(*args, **settings)
        except Exception as error:
            explain(call, args, error)
            raise

    call.forward = function
    return call


def constructor(function):
    """An `__init__` whose errors about what it was called with are minigan's own."""

    @functools.wraps(function)
    def call(self, *args, **settings):
        try:
            function(self, *args, **settings)
        except MiniganError:
            raise
        except (TypeError, ValueError, AttributeError, OverflowError, ZeroDivisionError) as error:
            if not entered(error):
                raise
            given = [f"{v!r:.40}" for v in args] + [f"{name}={v!r:.40}" for name, v in settings.items()]
            kind = ShapeError if isinstance(error, ValueError) else DtypeError
            raise kind(f"{type(self).__name__}({', '.join(given)}): {error}") from error

    return call


def outside(numbers, count: int) -> tuple[int, int] | None:
    """The least and the largest of these integers, if not all are from 0 to below `count`.

    A captured step reads nothing: it takes them for as good as those of its first call, which was no captured one.
    """
    if not numbers.size or capture.capturing():
        return None
    numbers = to_cpu(numbers)
    least, largest = numbers.min(), numbers.max()
    return None if 0 <= least <= largest < count else (least, largest)
