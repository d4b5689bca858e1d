"""Tensor: an array and its place in the graph of what was computed.

The operators and methods that compute (`+`, `@`, `.sum()`, `x[...]`) are attached by `minigan.ops.methods`; here is
what a Tensor is by itself.
"""

from __future__ import annotations

import numpy as np

from minigan import devices
from minigan.autograd import numpy_functions
from minigan.errors import DtypeError, GraphError, NumpyFunctionError, ShapeError
from minigan.kernels import capture


class Tensor:
    """An n-dimensional array that gradients can flow through.

    data: the array itself, an ndarray, or that of another device
    requires_grad: whether gradients with respect to this value are kept track of
    node, index: where the value was computed, None for a leaf; index counts the outputs of a node with several
    grad: what `backward()` has added up for a leaf, a plain array or None
    """

    __slots__ = ("__weakref__", "data", "grad", "index", "node", "requires_grad")
    __array_ufunc__ = None  # ndarray * Tensor asks the Tensor instead of making an array of objects
    __hash__ = object.__hash__  # == compares elements, so identity is what a Tensor hashes by

    def __init__(self, data, requires_grad=False, node=None, index=None):
        self.data = data
        self.requires_grad = requires_grad
        self.node = node
        self.index = index
        self.grad = None

    @property
    def shape(self) -> tuple[int, ...]:
        try:
            return self.data.shape
        except AttributeError:
            raise _no_array(self.data) from None

    @property
    def dtype(self) -> np.dtype:
        try:
            return self.data.dtype
        except AttributeError:
            raise _no_array(self.data) from None

    @property
    def ndim(self) -> int:
        try:
            return self.data.ndim
        except AttributeError:
            raise _no_array(self.data) from None

    @property
    def size(self) -> int:
        try:
            return self.data.size
        except AttributeError:
            raise _no_array(self.data) from None

    @property
    def device(self) -> str:
        """Where the array is: "cpu", "cuda" or "sim"."""
        return devices.device_of(self.data)

    @property
    def is_leaf(self) -> bool:
        """Whether nothing recorded produced this value."""
        return self.node is None

    def numpy(self) -> np.ndarray:
        """The array itself, not a copy, if it is on the CPU; else its values there.

        Writes to it are not seen by the graph (see docs/architecture.md).
        """
        return self.data if self.data.__class__ is np.ndarray else devices.to_cpu(self.data)

    def item(self) -> float | int | bool:
        """The only element, as a Python number."""
        if self.data.size != 1:
            raise ShapeError(f"item: the tensor has shape {self.shape}, but only one element can be a number")
        capture.refuse("reads a number of an array")
        return self.data.item()

    def detach(self) -> Tensor:
        """The same array as a leaf that needs no gradients; memory is shared."""
        return Tensor(self.data)

    def tolist(self):
        return self.numpy().tolist()

    def __array__(self, dtype=None, copy=None):
        numpy_functions.refuse_gradients("array", (self,))
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_function__(self, function, types, args, settings):
        return numpy_functions.of_values(function, args, settings)

    def __getstate__(self):
        """What is pickled: the value without its graph, a leaf that requires gradients only if it was one."""
        return None, {
            "data": self.data,
            "grad": self.grad,
            "requires_grad": self.requires_grad and self.node is None,
            "node": None,
            "index": None,
        }

    def __copy__(self) -> Tensor:
        return Tensor(self.data, self.requires_grad, self.node, self.index)

    def __deepcopy__(self, memo) -> Tensor:
        if self.node is not None:
            raise GraphError(
                f"deepcopy: a tensor of shape {self.shape} was computed by {self.node.op.__name__}, and its graph "
                "cannot be copied; copy its value, .detach()"
            )
        copied = Tensor(self.data.copy(), self.requires_grad)
        copied.grad = None if self.grad is None else self.grad.copy()
        return copied

    def __format__(self, specification: str) -> str:
        return format(self.item(), specification) if specification else str(self)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self.numpy().__index__()

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ShapeError(
                f"bool: the tensor has shape {self.shape}; say which elements with .numpy().any() or .all()"
            )
        return bool(self.item())

    def __len__(self) -> int:
        if not self.data.ndim:
            raise ShapeError("len: the tensor has no dimensions, shape ()")
        return self.data.shape[0]

    def __repr__(self) -> str:
        if not hasattr(self.data, "dtype"):
            return f"Tensor({self.data!r})"
        values = np.array2string(self.numpy(), separator=", ", prefix="tensor(", threshold=60)
        dtype = "" if self.data.dtype == np.float32 else f", dtype={self.data.dtype}"
        dtype += "" if self.device == "cpu" else f", device={self.device!r}"
        origin = f", of={self.node.op.__name__}" if self.node else ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({values}{dtype}{origin})"


def _no_array(data):
    return DtypeError(f"Tensor: its data is a {type(data).__name__}; mg.tensor(...) makes an array of it")


def tensor(data, *, dtype=None, requires_grad: bool = False, device: str | None = None) -> Tensor:
    """A new leaf that owns a copy of `data` (numbers, nested lists, an array or a Tensor).

    dtype: kept where `data` has one; Python floats become float32
    device: "cpu", "cuda" or "sim"; by default that of `data`
    raises DtypeError where gradients are asked of anything but floating point numbers
    """
    source = data.data if isinstance(data, Tensor) else data
    has_dtype = hasattr(source, "dtype")
    device = devices.device_of(source) if device is None else device
    source = devices.to_cpu(source)
    if isinstance(source, np.ma.MaskedArray):
        source = unmasked(source)
    try:
        array = np.array(source, dtype=dtype, order="C")
    except NumpyFunctionError:
        raise
    except ValueError as error:
        raise ShapeError(f"tensor: {error}") from error
    except (TypeError, OverflowError) as error:
        raise DtypeError(f"tensor: {error}") from error
    if dtype is None and not has_dtype and array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype.kind not in "biufc":
        raise DtypeError("tensor: data is not numeric; numbers, nested lists, arrays and Tensors are")
    if requires_grad and array.dtype.kind != "f":
        raise DtypeError(
            f"tensor: {array.dtype} has no gradients; make it float, for example tensor(..., dtype=np.float32)"
        )
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return Tensor(devices.move(array, device), requires_grad)


def unmasked(array) -> np.ndarray:
    """A masked array, or a matrix, as a plain one. Raises DtypeError where some of its values are masked."""
    if np.ma.is_masked(array):
        raise DtypeError("some values of a masked array are masked; fill them first: array.filled(0)")
    return np.asarray(array)
