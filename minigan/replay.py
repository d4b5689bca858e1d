"""A step of training without the launches: recorded once on a GPU, then replayed as one.

    @mg.captured
    def step(real):
        fake = generator(noise())
        ...
        optimiser.step(mg.grad(loss, parameters))
        return loss

    for real in batches:
        loss = step(real)

To launch a kernel takes Python some ten microseconds, and a step of a small GAN is hundreds of kernels that take less.
A CUDA graph of them is launched at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from minigan import devices
from minigan.autograd.tensor import Tensor
from minigan.errors import DeviceError
from minigan.kernels import precision_now


def captured(function: Callable) -> Captured:
    """A function of arrays on a device that is run once, captured once, and then replayed: for each of their shapes.

    function: takes Tensors or arrays that need no gradients, at least one, and returns Tensors, arrays, or tuples or
        dicts of them. What it launches is what it does: it reads no number of an array on the way, and what Python
        decides in it is decided once. Draws from a `Philox`, optimisers with their learning rates, and batch norm's
        statistics go on from call to call as they would without capture. Layers' modes and an optimiser's other
        settings are as they were when it was captured.

    Results of replays are in memory that the next call writes again: read or copy them before. On the CPU the function
    is called each time. The first call with such shapes, dtypes and precision runs the function as it is, since kernels
    and optimisers' states are made then; the second captures it, with memory of its own that it keeps. Parameters and
    states stay the arrays they were: load into them, and do not put others in their place.
    raises DeviceError where the function does what a replay cannot do again
    """
    return Captured(function)


class Captured:
    """What `captured` returns."""

    def __init__(self, function: Callable):
        self.function = function
        self._steps: dict[tuple, _Step | None] = {}  # None: has run once
        functools.update_wrapper(self, function)

    def __call__(self, *arguments):
        arrays = [argument.data if isinstance(argument, Tensor) else argument for argument in arguments]
        places = {devices.device_of(array) if hasattr(array, "dtype") else type(array).__name__ for array in arrays}
        if len(places) != 1 or not places & set(devices.DEVICES):
            raise DeviceError(
                f"{self._name}: a captured step takes Tensors or arrays, at least one, all on the device that it runs "
                f"on; these are on {', '.join(sorted(places)) or 'none'}"
            )
        (device,) = places
        if device == "cpu":
            return self.function(*map(Tensor, arrays))
        key = device, precision_now(), *((array.shape, array.dtype) for array in arrays)
        if key not in self._steps:
            results = self.function(*map(Tensor, arrays))
            self._steps[key] = None
            return results
        if self._steps[key] is None:
            self._steps[key] = _Step(self.function, arrays)
        return self._steps[key](arrays)

    @property
    def _name(self):
        return getattr(self.function, "__name__", type(self.function).__name__)


class _Step:
    """A captured call: the memory that it reads its arguments from, and its graph."""

    def __init__(self, function, arrays):
        from minigan.kernels.cuda.graph import Graph

        self.arguments = [array.copy() for array in arrays]
        self.graph = Graph(lambda: function(*map(Tensor, self.arguments)), self.arguments[0])

    def __call__(self, arrays):
        for place, array in zip(self.arguments, arrays, strict=True):
            place[...] = array
        self.graph.replay()
        return self.graph.result
