"""Tensor: an array, its place in the graph of what was computed, and NumPy's operators and methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minigan import devices
from minigan.errors import DtypeError, GraphError, NumpyFunctionError, ShapeError

if TYPE_CHECKING:
    from minigan import ops
else:
    ops = None  # the operations are made of Tensors, so `minigan.ops` sets this when it has been imported


class Tensor:
    """An n-dimensional array that gradients can flow through.

    data: the array itself, an ndarray, or that of another device
    requires_grad: whether gradients with respect to this value are tracked
    node, index: where the value was computed, None for a leaf; index counts the outputs of a node with several
    grad: the gradient that `backward()` has accumulated for a leaf, a plain array or None
    """

    __slots__ = ("__weakref__", "data", "grad", "index", "node", "requires_grad")
    __array_ufunc__ = None  # ndarray * Tensor asks the Tensor instead of making an array of objects
    __hash__ = object.__hash__  # == compares elements, so identity is what a Tensor hashes by

    def __init__(self, data, requires_grad=False, node=None, index=None):
        self.data, self.requires_grad, self.grad = data, requires_grad, None
        self.node, self.index = node, index

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension."""
        try:
            return self.data.shape
        except AttributeError:
            raise _no_array(self.data) from None

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements."""
        try:
            return self.data.dtype
        except AttributeError:
            raise _no_array(self.data) from None

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        try:
            return self.data.ndim
        except AttributeError:
            raise _no_array(self.data) from None

    @property
    def size(self) -> int:
        """The number of elements."""
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
        """The array itself, not a copy, if it is on the CPU (the graph does not see writes to it); else its values."""
        return self.data if self.data.__class__ is np.ndarray else devices.to_cpu(self.data)

    def item(self) -> float | int | bool:
        """The only element, as a Python number."""
        if self.data.size != 1:
            raise ShapeError(f"item: the tensor has shape {self.shape}, but only one element can be a number")
        devices.refuse_in_capture("reads a number of an array")
        return self.data.item()

    def detach(self) -> Tensor:
        """The same array as a leaf that needs no gradients; memory is shared."""
        return Tensor(self.data)

    def tolist(self):
        """The elements as nested lists of Python numbers."""
        return self.numpy().tolist()

    def __array__(self, dtype=None, copy=None):
        from minigan.autograd import numpy_functions

        numpy_functions.refuse_gradients("array", (self,))
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_function__(self, function, types, args, settings):
        from minigan.autograd import numpy_functions

        return numpy_functions.called(function, args, settings)

    def __getstate__(self):
        """What is pickled: the value without its graph, a leaf that requires gradients only if it was one."""
        leaf = self.requires_grad and self.node is None
        return None, {"data": self.data, "grad": self.grad, "requires_grad": leaf, "node": None, "index": None}

    def __copy__(self) -> Tensor:
        return Tensor(self.data, self.requires_grad, self.node, self.index)

    def __deepcopy__(self, memo) -> Tensor:
        if self.node is not None:
            name = self.node.op.__name__
            raise GraphError(f"deepcopy: the graph of a tensor that {name} computed cannot be copied; copy .detach()")
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
            raise ShapeError(f"bool: the tensor has shape {self.shape}; use .numpy().any() or .numpy().all()")
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

    def __add__(self, other) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other) -> Tensor:
        return ops.divide(other, self)

    def __pow__(self, exponent) -> Tensor:
        return ops.power(self, exponent)

    def __rpow__(self, base) -> Tensor:
        return ops.power(base, self)

    def __matmul__(self, other) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __invert__(self) -> Tensor:
        return ops.elementwise.invert(self)

    def __eq__(self, other) -> Tensor:
        return ops.elementwise.equal(self, other)

    def __ne__(self, other) -> Tensor:
        return ops.elementwise.not_equal(self, other)

    def __lt__(self, other) -> Tensor:
        return ops.elementwise.less(self, other)

    def __le__(self, other) -> Tensor:
        return ops.elementwise.less_equal(self, other)

    def __gt__(self, other) -> Tensor:
        return ops.elementwise.greater(self, other)

    def __ge__(self, other) -> Tensor:
        return ops.elementwise.greater_equal(self, other)

    def __getitem__(self, index) -> Tensor:
        return ops.shape.getitem(self, index)

    def __setitem__(self, index, new) -> None:
        ops.shape.setitem(self, index, new)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __iadd__(self, other) -> Tensor:
        return ops.elementwise.in_place(np.add, self, other)

    def __isub__(self, other) -> Tensor:
        return ops.elementwise.in_place(np.subtract, self, other)

    def __imul__(self, other) -> Tensor:
        return ops.elementwise.in_place(np.multiply, self, other)

    def __itruediv__(self, other) -> Tensor:
        return ops.elementwise.in_place(np.divide, self, other)

    def sum(self, axis=None, keepdims: bool = False) -> Tensor:
        """The sum over `axis`: an int, a tuple of them, or None for all."""
        return ops.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis=None, keepdims: bool = False) -> Tensor:
        """The arithmetic mean over `axis`."""
        return ops.mean(self, axis=axis, keepdims=keepdims)

    def var(self, axis=None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """The variance over `axis`, divided by n - ddof."""
        return ops.var(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def max(self, axis=None, keepdims: bool = False) -> Tensor:
        """The largest value over `axis`."""
        return ops.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis=None, keepdims: bool = False) -> Tensor:
        """The smallest value over `axis`."""
        return ops.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None) -> Tensor:
        """The index of the largest value, the first of them."""
        return ops.argmax(self, axis=axis)

    def reshape(self, *shape) -> Tensor:
        """The same values in another shape; one entry may be -1."""
        return ops.reshape(self, shape=_unpacked(shape))

    def transpose(self, *axes) -> Tensor:
        """The axes in another order, reversed by default."""
        return ops.transpose(self, axes=_unpacked(axes, None) or None)

    @property
    def T(self) -> Tensor:
        """The axes reversed."""
        return ops.transpose(self)

    def swapaxes(self, a: int, b: int) -> Tensor:
        """Two axes exchanged."""
        return ops.swapaxes(self, a, b)

    def squeeze(self, axis=None) -> Tensor:
        """Without the axes of length 1, or those of them in `axis`."""
        return ops.squeeze(self, axis)

    def flatten(self) -> Tensor:
        """All values along one axis."""
        return ops.reshape(self, shape=(-1,))

    def astype(self, dtype) -> Tensor:
        """The same values as another dtype."""
        return ops.elementwise.astype(self, dtype)

    def to(self, device: str) -> Tensor:
        """The same values on "cpu", "cuda" or "sim": itself where they are there already."""
        return self if isinstance(device, str) and self.device == device else ops.to_device(self, device=device)

    def clip(self, low=None, high=None) -> Tensor:
        """Each value moved into [low, high]."""
        return ops.clip(self, low=low, high=high)

    def backward(self, gradient=None, retain_graph: bool = False) -> None:
        """Add the gradients of this value to `.grad` of the leaves it was computed from; see `minigan.backward`."""
        from minigan.autograd import backward  # which needs Tensor

        backward(self, gradient, retain_graph=retain_graph)


def _no_array(data):
    return DtypeError(f"Tensor: its data is a {type(data).__name__}; mg.tensor(...) makes an array of it")


def _unpacked(entries: tuple, *alone):
    """Entries that were passed one by one, or all in one list or tuple (or as one of `alone`)."""
    if len(entries) == 1 and (isinstance(entries[0], tuple | list) or any(entries[0] is one for one in alone)):
        return entries[0] if entries[0] is None else tuple(entries[0])
    return entries


def tensor(data, *, dtype=None, requires_grad: bool = False, device: str | None = None) -> Tensor:
    """A new leaf that owns a copy of `data` (numbers, nested lists, an array or a Tensor).

    dtype: kept where `data` has one; Python floats become float32
    device: "cpu", "cuda" or "sim"; by default that of `data`
    raises DtypeError if gradients are required of anything but floating point numbers
    """
    source = data.data if isinstance(data, Tensor) else data
    has_dtype = hasattr(source, "dtype")
    device = devices.device_of(source) if device is None else device
    source = devices.to_cpu(source)
    if isinstance(source, np.ma.MaskedArray):
        source = devices.unmasked(source)
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
        raise DtypeError(f"tensor: {array.dtype} has no gradients; make it float: tensor(..., dtype=np.float32)")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return Tensor(devices.move(array, device), requires_grad)
