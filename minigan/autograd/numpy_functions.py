"""NumPy's own functions on Tensors: minigan's operations where there are any; no gradient is lost, no write unseen."""

import functools
import importlib
import inspect
from collections.abc import Callable

import numpy as np

from minigan.errors import NumpyFunctionError

OF_SHAPES = {np.ndim, np.result_type, np.shape, np.size}  # no value is read
WITHOUT_GRADIENT = OF_SHAPES | {  # of NumPy's functions, those whose results have none anyway
    np.allclose,
    np.argmax,
    np.argmin,
    np.argsort,
    np.array2string,
    np.array_equal,
    np.array_repr,
    np.array_str,
    np.empty_like,
    np.full_like,
    np.isclose,
    np.may_share_memory,
    np.ones_like,
    np.shares_memory,
    np.zeros_like,
}
WRITING = {np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask}  # to their first argument


@functools.cache
def operations() -> dict[Callable, Callable]:
    """Functions of NumPy -> minigan's operations, with those of NumPy's arguments that they have."""
    ops = importlib.import_module("minigan.ops")
    return {
        np.broadcast_to: lambda array, shape: ops.broadcast_to(array, shape=shape),
        np.clip: lambda a, a_min=None, a_max=None: ops.clip(a, low=a_min, high=a_max),
        np.concatenate: lambda arrays, axis=0: ops.concatenate(_arrays(arrays), axis=axis),
        np.einsum: lambda subscripts, *operands: ops.einsum(subscripts, *operands),
        np.expand_dims: lambda a, axis: ops.expand_dims(a, axis),
        np.flip: lambda m, axis=None: ops.flip(m, axis=axis),
        np.max: lambda a, axis=None, keepdims=False: ops.max(a, axis=axis, keepdims=keepdims),
        np.mean: lambda a, axis=None, keepdims=False: ops.mean(a, axis=axis, keepdims=keepdims),
        np.min: lambda a, axis=None, keepdims=False: ops.min(a, axis=axis, keepdims=keepdims),
        np.ravel: lambda a: ops.reshape(a, shape=(-1,)),
        np.reshape: lambda a, shape: ops.reshape(a, shape=shape),
        np.squeeze: lambda a, axis=None: ops.squeeze(a, axis),
        np.stack: lambda arrays, axis=0: ops.stack(_arrays(arrays), axis=axis),
        np.sum: lambda a, axis=None, keepdims=False: ops.sum(a, axis=axis, keepdims=keepdims),
        np.swapaxes: lambda a, axis1, axis2: ops.swapaxes(a, axis1, axis2),
        np.transpose: lambda a, axes=None: ops.transpose(a, axes=axes),
        np.var: lambda a, axis=None, ddof=0, keepdims=False: ops.var(a, axis=axis, ddof=ddof, keepdims=keepdims),
        np.where: lambda condition, x, y: ops.where(*_arrays((condition, x, y))),
    }


def called(function, args, settings):
    """What a function of NumPy is on Tensors: minigan's operation, or else an array made of their values."""
    ours = operations().get({np.amax: np.max, np.amin: np.min}.get(function, function))
    if ours is not None and "out" not in settings:
        try:
            inspect.signature(ours).bind(*args, **settings)
        except TypeError:  # an argument that only NumPy's has
            pass
        else:
            return ours(*args, **settings)
    written = [settings.get("out")]
    copies = settings.get("copy", args[1] if function is np.nan_to_num and len(args) > 1 else True)
    if function in WRITING or not copies or settings.get("overwrite_input"):
        written += args[:1] or settings.values()
    if any(hasattr(tensor, "requires_grad") for tensor in written):
        raise NumpyFunctionError(
            f"np.{function.__name__} would write to a tensor without the graph's knowledge; use x[...] = values, "
            "or pass x.numpy() if no gradient through x is needed afterwards"
        )
    if function not in WITHOUT_GRADIENT:
        refuse_gradients(function.__name__, (*args, *settings.values()))
    read = (lambda tensor: tensor.data) if function in OF_SHAPES else (lambda tensor: tensor.numpy())
    return function(*_with_values(args, read), **{name: _with_values(value, read) for name, value in settings.items()})


def _arrays(values):
    """Values with arrays for the lists among them."""
    return [np.asarray(value) if isinstance(value, list | tuple) else value for value in values]


def refuse_gradients(name, args) -> None:
    """Raise NumpyFunctionError where one of the arguments, in lists too, requires gradients that are recorded."""
    graph = importlib.import_module("minigan.autograd.graph")
    if not graph.is_recording() or not any(tensor.requires_grad for tensor in _tensors_in(args)):
        return
    known = importlib.import_module("minigan.ops").__all__
    ours = {"array": "stack"}.get(name, name)
    hint = f"mg.{ours} keeps it, and " if ours in known else ""
    raise NumpyFunctionError(
        f"np.{name} of a tensor that requires gradients would lose its gradient; {hint}.detach() or .numpy() gives the "
        "values alone"
    )


def _tensors_in(values):
    for value in values:
        if isinstance(value, list | tuple):
            yield from _tensors_in(value)
        elif hasattr(value, "requires_grad"):
            yield value


def _with_values(value, read):
    """Arguments with arrays for Tensors, in lists too."""
    if isinstance(value, list | tuple):
        return type(value)(_with_values(item, read) for item in value)
    return read(value) if hasattr(value, "requires_grad") else value
