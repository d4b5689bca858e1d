"""Where arrays are, and how they get elsewhere.

cpu     NumPy's arrays, in the computer's memory
cuda    CuPy's arrays, on the current NVIDIA GPU
sim     arrays for the same CUDA kernels, which the CPU then runs: for machines without a GPU, and slowly
"""

from __future__ import annotations

import importlib

import numpy as np

from minigan import kernels
from minigan.errors import DeviceError, UnknownNameError

DEVICES = ("cpu", "cuda", "sim")
MODULES = {"cuda": "minigan.kernels.cuda.gpu", "sim": "minigan.kernels.cuda.sim"}


def device_of(array) -> str:
    """The device that an array is on."""
    return kernels.device_of(array)


def on(device: str):
    """What makes arrays of a device: a module with `put(array)`, `get(array)` and `empty(shape, dtype)`.

    raises UnknownNameError for a name that is not in DEVICES, and DeviceError where a device cannot be used, which
    says what is missing
    """
    UnknownNameError.check("device", device, DEVICES, {"gpu": "cuda"})
    if device == "cpu":
        return _Cpu
    return importlib.import_module(MODULES[device]).DEVICE


def move(array, device: str):
    """The same values on a device: the array itself where it is there already, else a copy."""
    there = on(device)
    if device_of(array) == device:
        return array
    return there.put(to_cpu(array))


def to_cpu(array) -> np.ndarray:
    """An array's values as NumPy's; the array itself where it is one."""
    device = device_of(array)
    return array if device == "cpu" else on(device).get(array)


def same_device(call: str, arrays) -> None:
    """Raise DeviceError, which says what is where, unless all arrays (numbers do not count) are on one device."""
    places = [(array.shape, device_of(array)) for array in arrays if getattr(array, "ndim", 0)]
    if len({device for _, device in places}) > 1:
        words = " and ".join(f"one, of shape {shape}, is on the device {device}" for shape, device in places)
        raise DeviceError(f"{call}: of its arrays {words}; move one with .to(...)")


class _Cpu:
    """NumPy's arrays."""

    put = get = staticmethod(lambda array: array)
    empty = staticmethod(np.empty)
