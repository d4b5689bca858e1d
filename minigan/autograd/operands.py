"""What operations ask of their operands: one rule for different dtypes, checks, and errors that name the argument.

A floating point result is float64 only if an array or Tensor among the operands is, otherwise float32. Numbers, of
Python and of NumPy, and arrays without dimensions never widen the others. Integers and booleans take the dtype of the
other operands, or float32 if there are none. Operations on integers alone follow NumPy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from numbers import Number
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

import numpy as np

from minigan import devices
from minigan.autograd.tensor import Tensor
from minigan.errors import DtypeError, MiniganError, ShapeError

Arguments = ParamSpec("Arguments")
F = TypeVar("F", bound=Callable)
Axis = int | tuple[int, ...] | None
Pair = int | tuple[int, int]  # one number for height and width, or one for each
Padding = int | str | tuple  # see docs/architecture.md
FLOAT32 = np.dtype(np.float32)
FLOATS = (np.float32, np.float64)  # what the kernels are written for


class Primitive(Protocol, Generic[Arguments]):
    """A differentiable function: what `primitive` makes of a function of arrays."""

    forward: Callable
    rules: dict[int, Callable]
    joint: Any
    unsaved: tuple[int, ...]
    __name__: str

    def __call__(self, *args: Arguments.args, **static: Arguments.kwargs) -> Tensor: ...

    def vjp(self, *positions) -> Callable[[F], F]: ...


def promoted(operands) -> np.dtype:
    """The dtype of a floating point result of these operands, by the rule above."""
    numbers, scalars, arrays = [], [], []  # NumPy's numbers, Tensors without dimensions, what has dimensions
    for x in operands:
        if hasattr(x, "dtype"):
            (arrays if x.ndim else scalars if isinstance(x, Tensor) else numbers).append(x.dtype)
    for dtypes in (arrays, scalars) if arrays or scalars else (numbers,):
        floats = [dtype for dtype in dtypes if dtype.kind == "f"]
        if floats:
            return np.result_type(*floats)
    return FLOAT32


def settled(call, operands, args, arrays, static, out):
    """The arguments of a call, their arrays and its result, in the dtype that the rule asks for.

    operands: the slice of the arguments that the rule applies to
    Tensors are converted by a recorded operation, so their gradients are converted back.
    """
    kind = out.dtype.kind
    if kind == "u" and call.forward is np.negative:
        raise DtypeError(f"negative: {out.dtype} has no negative numbers; convert with .astype(np.float32)")
    if kind == "O" or (kind == "c" and any(x.requires_grad for x in args if isinstance(x, Tensor))):
        raise DtypeError(f"{call.__name__}: the result would be {out.dtype}, but gradients are of real numbers")
    if kind != "f":
        return args, arrays, out
    known = {getattr(x, "dtype", None) for x in args[operands] if not isinstance(x, Number | type(None))}
    if known == {out.dtype}:
        return args, arrays, out
    dtype = promoted(args[operands])
    if out.dtype.itemsize > dtype.itemsize and all(known) and "f" not in {found.kind for found in known}:
        return args, arrays, out.astype(dtype)  # integers may not fit in float32: only the result is rounded
    args = list(args)
    args[operands] = [_converted(x, dtype) for x in args[operands]]
    arrays = [x.data if isinstance(x, Tensor) else x for x in args]
    if dtype != out.dtype:
        out = call.forward(*arrays, **static)
    return tuple(args), arrays, out


def _converted(x, dtype):
    if hasattr(x, "dtype"):
        return x if x.dtype == dtype else x.astype(dtype)
    if isinstance(x, list | tuple):
        return np.asarray(x, dtype)
    return dtype.type(x) if isinstance(x, Number) else x


def floating(x):
    """The array itself if it holds floating point numbers; integers and booleans as float32."""
    if x.dtype.kind in "biu":
        return x.astype(FLOAT32)
    if x.dtype.kind != "f":
        raise DtypeError(f"{x.dtype} is neither floating point numbers nor integers")
    return x


def explain(call, arrays, error) -> None:
    """Raise the error that tells the caller what was wrong with the arguments; return if they are not to blame."""
    if isinstance(error, MiniganError):
        return
    name = call.__name__
    if isinstance(error, TypeError):  # CuPy's, where NumPy's arrays are among its own
        devices.same_device(name, arrays)
    others = () if isinstance(error, AttributeError) else (Number, type(None))  # they may be meant
    for position, x in enumerate(arrays if isinstance(error, AttributeError | TypeError) else ()):
        if not hasattr(x, "dtype") and not isinstance(x, others):
            raise DtypeError(
                f"{name}: argument {position} is a {type(x).__name__}, but it takes arrays or Tensors; "
                "mg.tensor(...) makes one"
            ) from error
    if isinstance(error, ValueError | IndexError | ZeroDivisionError):
        shapes = ", ".join(str(getattr(x, "shape", ())) for x in arrays)
        raise ShapeError(f"{name}: {error} (called with shapes {shapes})") from error
    if isinstance(error, OverflowError) or type(error).__module__.startswith("numba"):  # no kernel takes such types
        raise DtypeError(f"{name}: {error}") from error
    if isinstance(error, TypeError) and (isinstance(call.forward, np.ufunc) or entered(error)):
        dtypes = ", ".join(str(getattr(x, "dtype", type(x).__name__)) for x in arrays)
        raise DtypeError(f"{name}: {error} (called with {dtypes})") from error


def entered(error) -> bool:
    """Whether the error was raised inside the function that was called, rather than by its signature."""
    return error.__traceback__.tb_next is not None


def same_float(call: str, **arrays) -> None:
    """All of one dtype, float32 or float64."""
    for name, array in arrays.items():
        if not hasattr(array, "dtype"):
            raise DtypeError(f"{call}: {name} is a {type(array).__name__}, but it takes arrays or Tensors")
    dtypes = {name: array.dtype for name, array in arrays.items()}
    if len(set(dtypes.values())) > 1 or next(iter(dtypes.values())).type not in FLOATS:
        found = ", ".join(f"{name} is {dtype}" for name, dtype in dtypes.items())
        raise DtypeError(f"{call}: {found}; it takes float32 or float64, all of one dtype: convert with .astype()")


def integers(values):
    """A copy of integers, as an array on their device: the backward pass uses their present values."""
    values = values.data if isinstance(values, Tensor) else values
    return np.array(values) if devices.device_of(values) == "cpu" else values.copy()


def operation(function: Callable[Arguments, Any]) -> Callable[Arguments, Tensor]:
    """Make a function of primitives explain errors in its arguments as primitives do."""

    @functools.wraps(function)
    def call(*args, **settings):
        try:
            return function(*args, **settings)
        except Exception as error:
            explain(call, args, error)
            raise

    call.forward = function
    return call


def constructor(function: F) -> F:
    """Make an `__init__` raise errors of minigan's for bad arguments."""

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
    """The smallest and the largest of these integers, unless all are in [0, count).

    A captured step cannot read values, so it relies on its first call, which was not captured, to have checked them.
    """
    if not numbers.size or devices.capturing():
        return None
    numbers = devices.to_cpu(numbers)
    least, largest = numbers.min(), numbers.max()
    return None if 0 <= least <= largest < count else (least, largest)
