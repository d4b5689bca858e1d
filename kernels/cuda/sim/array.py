"""Arrays of the device "sim": a subclass of NumPy's, so that only the CUDA kernels accept them.

NumPy stands in for CuPy here: ufuncs and the functions that CuPy also has (IN_CUPY) accept these arrays and return
them. As on a GPU, mixing them with arrays of the CPU is an error, and so is anything that CuPy could not do.
"""

import numpy as np

from minigan import devices
from minigan.errors import DeviceError
from minigan.kernels.cuda.sim import recording

IN_CUPY = {  # NumPy functions other than ufuncs
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
LIBRARY = "multiplies matrices by the device's library"
OF_SHAPES = {np.broadcast_to, np.shape}  # those that create no array


class SimArray(np.ndarray):
    """An array in the memory of the simulated device."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        if method == "at":
            raise DeviceError(f"np.{ufunc.__name__}.at of an array on the device sim: on a GPU the order would vary")
        _same_device(ufunc.__name__, inputs)
        if ufunc is np.matmul:
            devices.refuse_in_capture(LIBRARY)
        call, inputs = getattr(ufunc, method), tuple(map(_plain, inputs))
        if out is None:
            return _on_device(_made(lambda: call(*inputs, **settings)))
        _same_device(ufunc.__name__, (self, *out))
        into = tuple(map(_plain, out))
        recording.written(lambda: call(*inputs, out=into, **settings))
        return out[0] if len(out) == 1 else out

    def __array_function__(self, function, types, args, settings):
        if function not in IN_CUPY:
            raise DeviceError(f"np.{function.__name__} of an array on the device sim: CuPy would not do that either")
        if function is np.einsum:
            devices.refuse_in_capture(LIBRARY)
        arrays = list(_arrays_in((*args, *settings.values())))
        _same_device(function.__name__, arrays)
        args, settings = _plain(args), {name: _plain(value) for name, value in settings.items()}
        if function in OF_SHAPES:
            return _on_device(function(*args, **settings))
        if settings.get("out") is None:
            return _on_device(_made(lambda: function(*args, **settings)))
        recording.written(lambda: function(*args, **settings))
        return settings["out"].view(SimArray)

    # Methods that do not go through the two above. Methods that return a view of this array are NumPy's own.

    def dot(self, other, out=None):
        _same_device("dot", (self, other))
        devices.refuse_in_capture(LIBRARY)
        a, b = _plain(self), _plain(other)
        return _on_device(_made(lambda: a.dot(b)))

    def copy(self, order="C"):
        return self._copied(lambda array: array.copy(order))

    def astype(self, dtype, *settings, **more):
        return self._copied(lambda array: array.astype(dtype, *settings, **more))

    def fill(self, value):
        array = _plain(self)
        recording.written(lambda: array.fill(value))

    def __setitem__(self, place, value):
        array, place, value = _plain(self), _plain(place), _plain(value)
        recording.written(lambda: array.__setitem__(place, value))

    def __getitem__(self, place):
        place = _plain(place)
        return self._copied(lambda array: array[place])

    def reshape(self, *shape, **settings):
        return self._copied(lambda array: array.reshape(*shape, **settings))

    def ravel(self, order="C"):
        return self._copied(lambda array: array.ravel(order))

    def _copied(self, function):
        """function(array), which may return a view or a copy."""
        array = _plain(self)
        result = function(array)
        if recording.recording() and isinstance(result, np.ndarray) and not np.may_share_memory(array, result):
            return _on_device(_made(lambda: function(array)))
        return _on_device(result)

    def __repr__(self):
        devices.refuse_in_capture("reads numbers of an array")
        return repr(self.view(_Shown))

    def __str__(self):
        devices.refuse_in_capture("reads numbers of an array")
        return str(_plain(self))

    def __bool__(self):
        devices.refuse_in_capture("asks whether an array is true")
        return bool(_plain(self))


# NumPy prints structured arrays by element, which must be its own records; it also prints the name of the class.
_Shown = type("SimArray", (np.ndarray,), {})


def _read(name):
    """NumPy's method of this name, whose result is on the CPU."""

    def method(self, *settings, **more):
        devices.refuse_in_capture("reads numbers of an array")
        return getattr(_plain(self), name)(*settings, **more)

    return method


def _new(name):
    """NumPy's method of this name, whose result is a new array."""

    def method(self, *settings, **more):
        array = _plain(self)
        return _on_device(_made(lambda: getattr(array, name)(*settings, **more)))

    return method


for _name in ("__float__", "__index__", "__int__", "item", "tobytes", "tolist"):
    setattr(SimArray, _name, _read(_name))
for _name in ("argmax", "argmin", "argsort", "cumprod", "cumsum", "flatten", "repeat", "take"):
    setattr(SimArray, _name, _new(_name))


def _made(make):
    """The result of make(), with arrays in place of NumPy scalars."""
    return recording.made(lambda: _arrays(make()))


def _arrays(result):
    return tuple(map(_arrays, result)) if isinstance(result, tuple) else np.asarray(result)


def _arrays_in(values):
    for value in values:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple | list):
            yield from _arrays_in(value)


def _plain(value):
    """Convert to NumPy's own arrays, also within tuples and lists."""
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
    """Raise DeviceError if one of the arrays is on the CPU. (Zero-dimensional arrays count as numbers.)"""
    for value in values:
        if type(value) is np.ndarray and value.ndim:
            (there, *_) = (v for v in values if isinstance(v, SimArray))
            raise DeviceError(
                f"{call}: of its arrays one, of shape {there.shape}, is on the device sim and one, of shape "
                f"{value.shape}, is on the device cpu; move one with .to(...)"
            )
