"""Moving values without changing them: shapes, axes, joins and indexing."""

import math

import numpy as np

from minigan import kernels
from minigan.autograd import is_recording, primitive
from minigan.autograd.operands import Axis, integers, operation, outside, promoted
from minigan.autograd.tensor import Tensor
from minigan.devices import device_of, move
from minigan.errors import DtypeError, GraphError, ShapeError
from minigan.ops.elementwise import write, written
from minigan.ops.sums import axes_of

AT_ONCE = 8  # arrays that CuPy joins with no table of their addresses, which a captured step could not bring along


@primitive(saves="")
def reshape(x, *, shape):
    """The same values in another shape; one entry may be -1. A view where memory allows."""
    return x.reshape(shape)


@reshape.vjp(0)
def _(g, y, x, *, shape):
    return reshape(g, shape=x.shape)


@primitive(saves="")
def transpose(x, *, axes=None):
    """The axes in another order (reversed if None); a view."""
    return x.transpose(axes)


@transpose.vjp(0)
def _(g, y, x, *, axes=None):
    if axes is None:
        return transpose(g)
    inverse = [0] * len(axes)
    for place, axis in enumerate(axes):
        inverse[axis] = place
    return transpose(g, axes=tuple(inverse))


@operation
def swapaxes(x, first, second):
    """x with two axes exchanged."""
    (first,), (second,) = axes_of(x.shape, first), axes_of(x.shape, second)
    axes = list(range(x.ndim))
    axes[first], axes[second] = axes[second], axes[first]
    return transpose(x, axes=tuple(axes))


@operation
def expand_dims(x, axis):
    """x with new axes of length 1 at the positions `axis` (an int or several) of the result."""
    count = len(axis) if isinstance(axis, tuple | list) else 1
    new = axes_of((*x.shape, *[1] * count), axis)
    old = iter(x.shape)
    return reshape(x, shape=tuple(1 if i in new else next(old) for i in range(x.ndim + count)))


@operation
def squeeze(x, axis: Axis = None):
    """x without its axes of length 1, or without those named."""
    drop = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes_of(x.shape, axis)
    if any(x.shape[a] != 1 for a in drop):
        raise ShapeError(f"squeeze: shape {x.shape} has more than one element along axis {axis}")
    return reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if i not in drop))


@operation
def flatten(x):
    """All but the first axis as one: (N, ...) to (N, M)."""
    return reshape(x, shape=(x.shape[0], math.prod(x.shape[1:])))


# ------------------------------------------------------------------------------------------------ joins


@primitive(saves="", operands=slice(None))
def _concatenate(*xs, axis):
    while len(xs) > AT_ONCE and xs[0].__class__ is not np.ndarray:
        xs = [np.concatenate(xs[i : i + AT_ONCE], axis=axis) for i in range(0, len(xs), AT_ONCE)]
    return np.concatenate(xs, axis=axis)


@_concatenate.vjp(...)
def _(g, y, *xs, axis, wanted):
    ends = np.cumsum([x.shape[axis] for x in xs]).tolist()
    before = (slice(None),) * (axis % g.ndim)
    return tuple(
        g[(*before, slice(end - x.shape[axis], end))] if w else None for x, end, w in zip(xs, ends, wanted, strict=True)
    )


_concatenate.__name__ = "concatenate"


@operation
def concatenate(xs, axis: int = 0):
    """Arrays or Tensors joined along an existing axis."""
    xs = list(xs)
    if not xs:
        raise ShapeError("concatenate: needs at least one tensor, got an empty list")
    if not all(hasattr(x, "ndim") for x in xs):
        raise DtypeError(f"concatenate: {[type(x).__name__ for x in xs]} are not all arrays or Tensors")
    (axis,) = axes_of(xs[0].shape, axis)
    return _concatenate(*xs, axis=axis)


@operation
def stack(xs, axis: int = 0):
    """Arrays, Tensors or numbers of one shape joined along a new axis."""
    xs = list(xs)
    arrays = [x for x in xs if hasattr(x, "dtype")]
    dtype, device = promoted(arrays), _device_of(arrays[0]) if arrays else "cpu"
    xs = [x if hasattr(x, "ndim") else move(_array_of(x, dtype), device) for x in xs]
    if not xs or any(x.shape != xs[0].shape for x in xs):
        raise ShapeError(f"stack: arrays of shapes {[x.shape for x in xs]}; there is at least one, all of one shape")
    if not xs[0].ndim and promoted(xs) != np.result_type(*(x.dtype for x in xs)):
        # numbers beside Tensors without dimensions, which would widen them once they have one
        xs = [x if isinstance(x, Tensor) or x.dtype.kind != "f" else x.astype(promoted(xs)) for x in xs]
    return concatenate([expand_dims(x, axis) for x in xs], axis=axis)


@primitive(saves="")
def pad(x, *, widths, value: float = 0):
    """x with a border of `value`; widths: ((before, after), ...), a pair for each axis."""
    if len(widths) != x.ndim or any(len(w) != 2 or min(w) < 0 for w in widths):
        raise ShapeError(
            f"pad: widths is {widths}, but shape {x.shape} needs {x.ndim} pairs (before, after), none negative"
        )
    return np.pad(x, widths, constant_values=value)


@pad.vjp(0)
def _(g, y, x, *, widths, value=0):
    return g[tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))]


def _device_of(x):
    return device_of(x.data if isinstance(x, Tensor) else x)


def _array_of(numbers, dtype):
    """Python's numbers as an array, floats of this dtype."""
    array = np.asarray(numbers)
    return array.astype(dtype) if array.dtype.kind == "f" else array


@operation
def flip(x, axis: Axis = None):
    """x read backwards along `axis` (an int, a tuple, or None for all)."""
    axes = axes_of(x.shape, axis)
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


# --------------------------------------------------------------------------------------------- indexing


@primitive(saves="")
def take(x, *, index):
    """x[index] with NumPy's meaning: integers, slices, None, ..., integer and boolean arrays."""
    return x[_beside(x, index)]


@take.vjp(0)
def _(g, y, x, *, index):
    return put(g, index=index, shape=x.shape)


@primitive(saves="")
def put(g, *, index, shape):
    """Zeros of `shape` with g added at `index`, where repeated places sum: the adjoint of `take`."""
    index = _beside(g, index)
    if _may_repeat(index):
        return _sum_at(g, index, shape)
    x = np.zeros_like(g, shape=shape)
    x[index] = g
    return x


@put.vjp(0)
def _(g, y, x, *, index, shape):
    return take(g, index=index)


def _sum_at(g, index, shape):
    """`put` for an index with arrays: their numbers say which row of x each row of g is added to.

    x[index] is x[slices][arrays], so this applies the adjoints of the two in reverse order.
    """
    x = np.zeros_like(g, shape=shape)
    if not g.size:
        return x
    slices, arrays, side_by_side = _apart(index, len(shape))
    view = x[slices]
    axes = [axis for axis, part in enumerate(arrays) if not isinstance(part, slice)]
    others = [axis for axis in range(view.ndim) if axis not in axes]
    segments = _places(g, [view.shape[axis] for axis in axes])[tuple(arrays[axis] for axis in axes)]
    if side_by_side:  # then what they give is at their place, else it comes first
        looked_up = range(axes[0], axes[0] + segments.ndim)
        g = g.transpose([*looked_up, *(axis for axis in range(g.ndim) if axis not in looked_up)])
    sizes = [view.shape[axis] for axis in (*axes, *others)]
    rows = g.reshape(segments.size, math.prod(sizes[len(axes) :]))
    sums = kernels.of(g).segment_sum(rows, segments.ravel(), math.prod(sizes[: len(axes)]))
    view[...] = sums.reshape(sizes).transpose(np.argsort([*axes, *others]).tolist())
    return x


def _apart(index, ndim):
    """An index with arrays, split into two that are applied in turn, and whether its arrays are adjacent.

    returns: (slices and new axes, a slice or an array for each axis, bool)
    """
    both = []
    for part in index if isinstance(index, tuple) else (index,):
        truth = isinstance(part, bool) or getattr(getattr(part, "dtype", None), "kind", "") == "b"
        if part is None or part is ... or isinstance(part, slice):
            both.append((part, slice(None)))
        elif truth and not getattr(part, "ndim", 0):  # an axis of its own
            both.append((None, 0))
        else:
            both += [(slice(None), places) for places in (part.nonzero() if truth else (part,))]
    at = next((place for place, (part, _) in enumerate(both) if part is ...), len(both))
    used = sum(part is not None and part is not ... for part, _ in both)
    looked_up = [place for place, (_, array) in enumerate(both) if not isinstance(array, slice)]
    side_by_side = looked_up[-1] - looked_up[0] == len(looked_up) - 1  # an ellipsis parts them, also one of no axes
    both[at : at + 1] = [(slice(None), slice(None))] * (ndim - used)
    return *zip(*both, strict=True), side_by_side


def _places(like, shape):
    """0, 1, 2, ... in this shape, on the device of `like`. They are made there: a captured step cannot copy them."""
    numbers = np.ones_like(like, shape=tuple(shape), dtype=np.int64).cumsum()
    numbers -= 1
    return numbers.reshape(shape)


def _beside(x, index):
    """An index whose arrays are on the device of x."""
    device = device_of(x)
    if isinstance(index, tuple):
        return tuple(_beside(x, part) for part in index)
    if isinstance(index, list):
        index = np.array(index) if index else np.zeros(0, np.intp)
    return index if device == "cpu" or not getattr(index, "ndim", 0) else move(index, device)


def _may_repeat(index):
    parts = index if isinstance(index, tuple) else (index,)
    plain = (int, np.integer, slice, type(None), type(...))
    return not all(isinstance(p, plain) or getattr(getattr(p, "dtype", None), "kind", "") == "b" for p in parts)


def getitem(x, index):
    """x[index]. Arrays, Tensors and lists in the index are copied, so that they may be written to afterwards."""
    return take(x, index=tuple(map(_own, index)) if isinstance(index, tuple) else _own(index))


_FIXED = {int, type(None)}


def _own(part):
    """A copy of a part of an index: `x[i]` and `x[:i]` may be followed by `i += 1`."""
    if isinstance(part, slice):
        ends = part.start, part.stop, part.step
        return part if _FIXED.issuperset(map(type, ends)) else slice(*map(_own, ends))
    part = part.data if isinstance(part, Tensor) else part
    if isinstance(part, list):
        return np.array(part) if part else np.zeros(0, np.intp)
    return part.copy() if hasattr(part, "dtype") else part


@operation
def embedding(weight, indices):
    """Rows of `weight` (M, D) by number: indices of any shape (...) give (..., D).

    raises ShapeError where an index is not in 0..M-1
    """
    indices = integers(indices)
    if indices.dtype.kind not in "iu":
        raise DtypeError(f"embedding: indices are {indices.dtype}, but row numbers are integers")
    if found := outside(indices, weight.shape[0]):
        raise ShapeError(
            f"embedding: indices go from {found[0]} to {found[1]}, but weight has rows 0 to {weight.shape[0] - 1}"
        )
    return take(weight, index=indices)


def setitem(x: Tensor, index, new) -> None:
    """x[index] = new, in x's own memory."""
    if isinstance(new, Tensor) and new.requires_grad and is_recording():
        raise GraphError(
            "x[...] = y would lose the gradient of y; build the result from parts with concatenate, stack or where"
        )
    index = tuple(p.data if isinstance(p, Tensor) else p for p in (index if isinstance(index, tuple) else (index,)))

    def change(memory):
        try:
            memory[index] = written(new)
        except DtypeError:
            raise
        except (IndexError, ValueError, TypeError) as error:
            kind = DtypeError if isinstance(error, TypeError) else ShapeError
            raise kind(f"x[...] = y, x of shape {memory.shape} and y of {np.shape(new)}: {error}") from error

    write(x, change)
