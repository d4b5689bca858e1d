"""Matrix products and contractions."""

import math
import string

import numpy as np

from minigan import kernels
from minigan.autograd import primitive
from minigan.autograd.operands import FLOATS, operation
from minigan.autograd.tensor import Tensor
from minigan.errors import ShapeError
from minigan.ops.activations_and_losses import leaky_relu_vjp, leaky_relu_vjp_sum
from minigan.ops.elementwise import sum_to, unbroadcast
from minigan.ops.reduce import sum
from minigan.ops.shape import expand_dims, reshape, squeeze, swapaxes, take, transpose

ndarray = np.ndarray
SMALL = 1 << 18  # multiplications up to which NumPy's product stays on one thread


@primitive(saves="a b", operands=slice(None))
def matmul(a, b):
    """The matrix product of (..., M, K) and (..., K, N), batches broadcast: (..., M, N).

    As NumPy's @, a one-dimensional operand is a row on the left and a column on the right.
    """
    here = a.__class__ is ndarray
    if not here and a.ndim + b.ndim in (2, 3) and a.dtype == b.dtype and a.dtype.type in FLOATS:
        return _with_a_vector(a, b)
    if a.ndim == b.ndim == 2 and a.size * b.shape[1] <= SMALL and here and b.__class__ is ndarray:
        # in half the time of np.matmul, where there is little to do; but times a 1 x 1 matrix of 0, dot loses NaN
        return a.dot(b) if a.size != 1 != b.size else np.matmul(a, b)
    if (
        b.ndim != 2
        or a.ndim < 2
        or (here and a.size * b.shape[1] <= SMALL)
        or a.dtype != b.dtype
        or a.shape[-1] != b.shape[0]
        or a.dtype.type not in FLOATS
    ):
        return np.matmul(a, b)
    if a.ndim == 2:
        return kernels.of(a).matmul(a, b)
    return kernels.of(a).matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])


def _with_a_vector(a, b):
    """The product of a vector with a matrix or a vector, by kernels that take matrices."""
    if a.shape[-1] != b.shape[0] or not (a.ndim and b.ndim):
        return np.matmul(a, b)  # which says what is wrong
    matrices = a.reshape(-1, a.shape[-1]), b.reshape(b.shape[0], -1)
    return kernels.of(a).matmul(*matrices).reshape((*a.shape[:-1], *b.shape[1:]))


@matmul.vjp(0)
def _(g, y, a, b):
    if a.ndim == b.ndim == 2:
        return matmul(b, g.T).T if _turned(a) else matmul(g, b.T)
    if a.ndim == 1:
        return _as_vector_rule(g, a, b, wanted=0)
    if b.ndim == 1:
        return unbroadcast(expand_dims(g, -1) * b, a)
    return unbroadcast(matmul(g, swapaxes(b, -1, -2)), a)


@matmul.vjp(1)
def _(g, y, a, b):
    if a.ndim == b.ndim == 2:
        return matmul(g.T, a).T if _turned(b) else matmul(a.T, g)
    if a.ndim == 1:
        return _as_vector_rule(g, a, b, wanted=1)
    if b.ndim == 1:
        return matmul(reshape(g, shape=(g.size,)), reshape(a, shape=(g.size, a.shape[-1])))
    if b.ndim == 2:  # one product instead of a batch of them summed
        rows = math.prod(a.shape[:-1])
        return matmul(reshape(a, shape=(rows, a.shape[-1])).T, reshape(g, shape=(rows, g.shape[-1])))
    return unbroadcast(matmul(swapaxes(a, -1, -2), g), b)


def _turned(matrix):
    """Whether a matrix is stored column by column, as the transpose of another is.

    Its gradient is stored in the same order: it will be transposed in turn and added to gradients in that order, and
    adding large matrices in different orders takes ten times as long.
    """
    if matrix.__class__ is ndarray:
        return matrix.flags.fnc  # the same in one look
    flags = matrix.data.flags if matrix.__class__ is Tensor else matrix.flags
    return flags.f_contiguous and not flags.c_contiguous


def _as_vector_rule(g, a, b, wanted):
    """The gradients of a row vector on the left: those of the matrix with that one row."""
    if b.ndim == 1:
        return g * (b if wanted == 0 else a)
    row = expand_dims(g, -2)
    if wanted == 0:
        return squeeze(unbroadcast(matmul(row, swapaxes(b, -1, -2)), expand_dims(a, 0)), 0)
    return unbroadcast(matmul(expand_dims(a, -1), row), b)


@primitive(saves="x w", operands=slice(None))
def linear(x, w, bias=None):
    """x @ w + bias in one pass over the result: (..., N) from (..., K), (K, N) and (N,) or None."""
    return _affine(x, w, bias, 1.0)


@linear.vjp(...)
def _(g, y, x, w, bias=None, *, wanted):
    return _affine_gradients(g, x, w, wanted)


@primitive(saves="x w y", operands=slice(None))
def activated_linear(x, w, bias=None, *, slope):
    """leaky_relu(linear(x, w, bias), slope) in fewer passes over memory, for a slope that is not negative."""
    if slope < 0:
        raise ShapeError(f"linear: slope is {slope}, but must be at least 0, so that y has the sign of its input")
    return _affine(x, w, bias, slope)


@activated_linear.vjp(...)
def _(g, y, x, w, bias=None, *, slope, wanted):
    # y is positive where the product was
    if wanted[2:] != (True,) or not y.size:
        return _affine_gradients(leaky_relu_vjp(g, y, slope=slope), x, w, wanted)
    g, g_bias = leaky_relu_vjp_sum(g, y, slope=slope)
    return *_affine_gradients(g, x, w, wanted[:2])[:2], g_bias


def _affine(x, w, bias, slope):
    if x.ndim < 1 or w.ndim != 2 or x.shape[-1] != w.shape[0] or (bias is not None and bias.shape != w.shape[1:]):
        raise ShapeError(
            f"linear: x has shape {x.shape}, w {w.shape} and bias {np.shape(bias)}; they are (..., K), (K, N) and (N,)"
        )
    if x.dtype == w.dtype and x.dtype.type in FLOATS and (bias is None or bias.dtype == x.dtype):
        y = kernels.of(x).matmul(_as_rows(x), w, bias, slope)
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], w.shape[1])
    y = np.matmul(x, w) if bias is None else np.matmul(x, w) + bias
    return y if slope == 1 else kernels.of(y).leaky_relu(y, slope)


def _affine_gradients(g, x, w, wanted):
    gx = matmul(g, w.T) if wanted[0] else None
    gw = matmul(_as_rows(x).T, _as_rows(g)) if wanted[1] else None
    return gx, gw, sum_to(g, shape=w.shape[1:]) if wanted[2:] == (True,) else None


def _as_rows(x):
    return x if x.ndim == 2 else reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


@operation
def einsum(subscripts: str, *operands):
    """Einstein's summation, as `numpy.einsum`: products of operands, summed over indices that the result lacks.

    An index may repeat within an operand (its diagonal is taken); `...` stands for any leading axes,
    of one size in all operands.
    """
    if not isinstance(subscripts, str):
        raise ShapeError(f"einsum: subscripts are {subscripts!r}, but they are a string such as 'ij,jk->ik'")
    inputs, output = _parse(subscripts, [x.ndim for x in operands])
    diagonal = [_diagonal(x, indices) for x, indices in zip(operands, inputs, strict=True)]
    xs, inputs = [x for x, _ in diagonal], [indices for _, indices in diagonal]
    for place, indices in enumerate(inputs):
        elsewhere = {*output}.union(*inputs[:place], *inputs[place + 1 :])
        alone = tuple(axis for axis, letter in enumerate(indices) if letter not in elsewhere)
        if alone and xs[place].dtype.kind == "f":  # NumPy's einsum would add up float32 one after the other
            xs[place] = sum(xs[place], axis=alone)
            inputs[place] = "".join(letter for letter in indices if letter in elsewhere)
    return _einsum(*xs, inputs=tuple(inputs), output=output)


@primitive(operands=slice(None))
def _einsum(*xs, inputs, output):
    sizes = {}
    for x, indices in zip(xs, inputs, strict=True):
        for letter, n in zip(indices, x.shape, strict=True):
            if sizes.setdefault(letter, n) != n:
                raise ShapeError(f"einsum: index {letter!r} stands for both {sizes[letter]} and {n}")
    return np.einsum(f"{','.join(inputs)}->{output}", *xs, optimize=len(xs) > 2)


@_einsum.vjp(...)
def _(g, y, *xs, inputs, output, wanted):
    return tuple(_einsum_rule(g, xs, inputs, output, i) if w else None for i, w in enumerate(wanted))


_einsum.__name__ = "einsum"


def _einsum_rule(g, xs, inputs, output, position):
    """The contraction of g with the other operands; indices that only this operand has were summed before."""
    others = [(other, indices) for i, (other, indices) in enumerate(zip(xs, inputs, strict=True)) if i != position]
    return _einsum(g, *[o for o, _ in others], inputs=(output, *[i for _, i in others]), output=inputs[position])


def _parse(subscripts, ranks):
    """Explicit indices, one letter an axis: the inputs' and the output's."""
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise ShapeError(f"einsum: {subscripts!r} names {len(inputs)} operands, but {len(ranks)} were given")
    spare = [letter for letter in string.ascii_letters if letter not in subscripts]
    most = max(
        (rank - len(i.replace("...", "")) for i, rank in zip(inputs, ranks, strict=True) if "..." in i),
        default=0,
    )
    batch = "".join(spare[:most])
    for place, (indices, rank) in enumerate(zip(inputs, ranks, strict=True)):
        extra = rank - len(indices.replace("...", ""))
        if extra < 0 or (extra and "..." not in indices):
            raise ShapeError(f"einsum: {subscripts!r} gives operand {place} the axes {indices!r}, but it has {rank}")
        inputs[place] = indices.replace("...", batch[most - extra :])
    if not arrow:
        joined = "".join(inputs)
        output = batch + "".join(sorted(i for i in set(joined) - set(batch) if joined.count(i) == 1))
    output = output.replace("...", batch)
    unknown = [i for i in output if not any(i in indices for indices in inputs)]
    if unknown or len(set(output)) != len(output):
        raise ShapeError(f"einsum: {subscripts!r} has a result index that repeats or that no operand has")
    return inputs, output


def _diagonal(x, indices):
    """x with repeated indices replaced by diagonals, and the indices that remain."""
    for letter in sorted(set(indices)):
        while indices.count(letter) > 1:
            first = indices.index(letter)
            second = indices.index(letter, first + 1)
            if x.shape[first] != x.shape[second]:
                raise ShapeError(f"einsum: index {letter!r} stands for both {x.shape[first]} and {x.shape[second]}")
            others = [i for i in range(x.ndim) if i not in (first, second)]
            every = np.arange(x.shape[first])
            x = take(transpose(x, axes=(*others, first, second)), index=(..., every, every))
            indices = "".join(indices[i] for i in others) + letter
    return x, indices
