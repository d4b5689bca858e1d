"""What NumPy's operators and methods mean on a Tensor."""

import numpy as np

from minigan import autograd
from minigan.autograd import writes
from minigan.autograd.tensor import Tensor, unmasked
from minigan.errors import DtypeError, GraphError, ShapeError
from minigan.ops import device, elementwise, linalg, reduce, shape


def _shape_of(entries):
    return tuple(entries[0]) if len(entries) == 1 and isinstance(entries[0], tuple | list) else entries


def _axes_of(axes):
    if len(axes) == 1 and (axes[0] is None or not isinstance(axes[0], int)):
        return axes[0]
    return axes or None


def _write(x, write):
    """Change x's memory in place, which the graph cannot follow: refused where a gradient would be lost."""
    if x.requires_grad and autograd.is_recording():
        raise GraphError(
            f"a tensor of shape {x.shape} that requires gradients cannot be changed in place; "
            "make a new one (x = x + y), or change it inside `with mg.no_grad():`"
        )
    write(x.data)
    writes.note(x.data)
    return x


def _values(new):
    """What is written: the array of a Tensor, and of a masked array what it does not hide."""
    if isinstance(new, np.ma.MaskedArray):
        return unmasked(new)
    return new.data if isinstance(new, Tensor) else new


def _in_place(ufunc):
    def operator(x, other):
        if isinstance(other, Tensor) and other.requires_grad and autograd.is_recording():
            raise GraphError(
                f"{ufunc.__name__} in place would lose the gradient of its right side, of shape {other.shape}; "
                "make a new tensor instead (x = x + y)"
            )
        array = _values(other)
        try:
            return _write(x, lambda memory: ufunc(memory, array, out=memory, casting="same_kind"))
        except GraphError:
            raise
        except TypeError as error:
            raise DtypeError(f"{ufunc.__name__} in place: {error}") from error
        except ValueError as error:
            raise ShapeError(f"{ufunc.__name__} in place: {error}") from error

    return operator


def _setitem(x, index, new):
    if isinstance(new, Tensor) and new.requires_grad and autograd.is_recording():
        raise GraphError(
            "x[...] = y would lose the gradient of y; build the result from parts with concatenate, stack or where"
        )
    index = tuple(p.data if isinstance(p, Tensor) else p for p in (index if isinstance(index, tuple) else (index,)))

    def write(memory):
        try:
            memory[index] = _values(new)
        except DtypeError:
            raise
        except (IndexError, ValueError, TypeError) as error:
            kind = DtypeError if isinstance(error, TypeError) else ShapeError
            raise kind(f"x[...] = y, x of shape {memory.shape} and y of {np.shape(new)}: {error}") from error

    _write(x, write)


METHODS = {
    "__add__": elementwise.add,
    "__radd__": lambda x, other: elementwise.add(other, x),
    "__sub__": elementwise.subtract,
    "__rsub__": lambda x, other: elementwise.subtract(other, x),
    "__mul__": elementwise.multiply,
    "__rmul__": lambda x, other: elementwise.multiply(other, x),
    "__truediv__": elementwise.divide,
    "__rtruediv__": lambda x, other: elementwise.divide(other, x),
    "__pow__": elementwise.power,
    "__rpow__": lambda x, other: elementwise.power(other, x),
    "__matmul__": linalg.matmul,
    "__rmatmul__": lambda x, other: linalg.matmul(other, x),
    "__neg__": elementwise.negative,
    "__pos__": lambda x: x,
    "__abs__": elementwise.abs,
    "__eq__": elementwise.equal,
    "__ne__": elementwise.not_equal,
    "__lt__": elementwise.less,
    "__le__": elementwise.less_equal,
    "__gt__": elementwise.greater,
    "__ge__": elementwise.greater_equal,
    "__invert__": elementwise.invert,
    "__getitem__": shape.getitem,
    "__setitem__": _setitem,
    "__iadd__": _in_place(np.add),
    "__isub__": _in_place(np.subtract),
    "__imul__": _in_place(np.multiply),
    "__itruediv__": _in_place(np.divide),
    "__iter__": lambda x: (x[i] for i in range(len(x))),
    "sum": lambda x, axis=None, keepdims=False: reduce.sum(x, axis=axis, keepdims=keepdims),
    "mean": lambda x, axis=None, keepdims=False: reduce.mean(x, axis=axis, keepdims=keepdims),
    "var": lambda x, axis=None, ddof=0, keepdims=False: reduce.var(x, axis=axis, ddof=ddof, keepdims=keepdims),
    "max": lambda x, axis=None, keepdims=False: reduce.max(x, axis=axis, keepdims=keepdims),
    "min": lambda x, axis=None, keepdims=False: reduce.min(x, axis=axis, keepdims=keepdims),
    "argmax": lambda x, axis=None: reduce.argmax(x, axis=axis),
    "reshape": lambda x, *entries: shape.reshape(x, shape=_shape_of(entries)),
    "transpose": lambda x, *axes: shape.transpose(x, axes=_axes_of(axes)),
    "swapaxes": shape.swapaxes,
    "squeeze": lambda x, axis=None: shape.squeeze(x, axis),
    "flatten": lambda x: shape.reshape(x, shape=(-1,)),
    "astype": lambda x, dtype: elementwise.astype(x, dtype),
    "to": lambda x, name: x if isinstance(name, str) and x.device == name else device.to_device(x, device=name),
    "clip": lambda x, low=None, high=None: elementwise.clip(x, low=low, high=high),
    "backward": lambda x, gradient=None, retain_graph=False: autograd.backward(x, gradient, retain_graph=retain_graph),
    "T": property(lambda x: shape.transpose(x)),
}

for _name, _method in METHODS.items():
    setattr(Tensor, _name, _method)
