"""What NumPy's own functions may do with Tensors: see their values, but neither lose a gradient nor write unseen."""

import importlib

import numpy as np

from minigan.errors import DtypeError, NumpyFunctionError

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


def of_values(function, args, settings):
    """A function of NumPy, of the values of the Tensors among its arguments: an array, as all constants give."""
    written = args[:1] if function in WRITING else (settings.get("out"),)
    if any(hasattr(tensor, "requires_grad") for tensor in written):
        raise NumpyFunctionError(
            f"np.{function.__name__} would write to a tensor without the graph's knowledge; use x[...] = values, "
            "or pass x.numpy() if no gradient through x is needed afterwards"
        )
    if function not in WITHOUT_GRADIENT:
        refuse_gradients(function.__name__, (*args, *settings.values()))
    read = (lambda tensor: tensor.data) if function in OF_SHAPES else (lambda tensor: tensor.numpy())
    return function(*_with_values(args, read), **{name: _with_values(value, read) for name, value in settings.items()})


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


def unmasked(array) -> np.ndarray:
    """A masked array, or a matrix, as a plain one. Raises DtypeError where some of its values are masked."""
    if np.ma.is_masked(array):
        raise DtypeError("some values of a masked array are masked; fill them first: array.filled(0)")
    return np.asarray(array)
