"""Arrays of the device "sim": NumPy's, but of a class of their own, so that they meet CUDA kernels and no others.

NumPy stands in for CuPy here: ufuncs, and the functions that CuPy has too (IN_CUPY), work on them and give such arrays
again. As on a GPU, an array of the CPU among them is an error, and so is what CuPy could not do.
"""

import numpy as np

from minigan.errors import DeviceError

IN_CUPY = {  # of NumPy's functions that are no ufuncs
    np.argmax,
    np.broadcast_to,
    np.clip,
    np.concatenate,
    np.copy,
    np.count_nonzero,
    np.einsum,
    np.full_like,
    np.ones_like,
    np.pad,
    np.shape,
    np.take_along_axis,
    np.where,
    np.zeros_like,
}


class SimArray(np.ndarray):
    """An array in the memory of the simulated device."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        _same_device(ufunc.__name__, inputs)
        if out is not None:
            _same_device(ufunc.__name__, (self, *out))
            getattr(ufunc, method)(*map(_plain, inputs), out=tuple(map(_plain, out)), **settings)
            return out[0] if len(out) == 1 else out
        return _on_device(getattr(ufunc, method)(*map(_plain, inputs), **settings))

    def __array_function__(self, function, types, args, settings):
        if function not in IN_CUPY:
            raise DeviceError(f"np.{function.__name__} of an array on the device sim: CuPy would not do that either")
        arrays = list(_arrays_in((*args, *settings.values())))
        _same_device(function.__name__, arrays)
        return _on_device(function(*_plain(args), **{name: _plain(value) for name, value in settings.items()}))

    def dot(self, other, out=None):
        _same_device("dot", (self, other))
        return _on_device(_plain(self).dot(_plain(other)))


def _arrays_in(values):
    for value in values:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple | list):
            yield from _arrays_in(value)


def _plain(value):
    """The same as NumPy's own arrays, in tuples and lists too."""
    if isinstance(value, SimArray):
        return value.view(np.ndarray)
    if type(value) in (tuple, list):
        return type(value)(map(_plain, value))
    return value


def _on_device(result):
    if isinstance(result, tuple):
        return tuple(map(_on_device, result))
    return np.asarray(result).view(SimArray) if isinstance(result, np.ndarray | np.generic) else result


def _same_device(call, values):
    """Raise DeviceError where one of the arrays is the CPU's. (Those without dimensions are numbers.)"""
    for value in values:
        if type(value) is np.ndarray and value.ndim:
            (there, *_) = (v for v in values if isinstance(v, SimArray))
            raise DeviceError(
                f"{call}: of its arrays one, of shape {there.shape}, is on the device sim and one, of shape "
                f"{value.shape}, is on the device cpu; move one with .to(...)"
            )
