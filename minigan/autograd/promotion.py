"""One rule for operands of different dtypes, and what is said of arguments that an operation cannot take.

A floating point result is float64 only where an array or Tensor among the operands is, and else float32. Numbers, of
Python and of NumPy, and arrays without dimensions never widen the others; integers and truth values take the others'
dtype, and float32 where there are no others. Integers among themselves give what NumPy gives.
"""

from __future__ import annotations

from numbers import Number

import numpy as np

from minigan.autograd.tensor import Tensor
from minigan.devices import same_device
from minigan.errors import DtypeError, MiniganError, ShapeError

FLOAT32 = np.dtype(np.float32)


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

    operands: which of the arguments it is about, a slice
    A Tensor among them is converted by an operation that is recorded, and so its gradient is converted back.
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
    """The array itself if it holds floating point numbers; integers and truth values as float32."""
    if x.dtype.kind in "biu":
        return x.astype(FLOAT32)
    if x.dtype.kind != "f":
        raise DtypeError(f"{x.dtype} is neither floating point numbers nor integers")
    return x


def explain(call, arrays, error) -> None:
    """Raise what an operation's own error means to its caller; return where the arguments are not to blame."""
    if isinstance(error, MiniganError):
        return
    name = call.__name__
    if isinstance(error, TypeError):  # CuPy's, where NumPy's arrays are among its own
        same_device(name, arrays)
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
    """Whether the error came from within the function that was called, whose signature was met."""
    return error.__traceback__.tb_next is not None
