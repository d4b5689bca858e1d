"""Captured training steps: recorded once on a GPU, then replayed with a single launch.

    @mg.captured
    def step(real):
        fake = generator(noise())
        ...
        optimiser.step(mg.grad(loss, parameters))
        return loss

    for real in batches:
        loss = step(real)

Launching a kernel from Python takes about ten microseconds, longer than most of the hundreds of kernels in a step of a
small GAN run. A CUDA graph launches all of them at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from minigan import devices
from minigan.autograd.tensor import Tensor
from minigan.errors import DeviceError
from minigan.kernels import precision_now


def captured(function: Callable) -> Captured:
    """Return a version of a function that runs it normally once, then captures it, then replays it.

    function: takes at least one Tensor or array, none of which needs gradients, and returns Tensors, arrays, or tuples
        or dicts of them. Only kernel launches are replayed: the function must not read a number from an array, and its
        Python code does not run again. Random draws from a `Philox`, optimisers, learning rates and batch-norm
        statistics advance with each call as they would without capture. Layers' modes and an optimiser's other
        settings stay as they were at capture.

    The first call for given shapes, dtypes and precision runs the function normally, which compiles kernels and creates
    optimiser state. The second call captures it, with memory that it keeps. The next call overwrites the results of a
    replay, so read or copy them first. Load new values into parameters and states; do not replace their arrays. On the
    CPU, every call runs the function.
    raises DeviceError if the function does something that cannot be replayed
    """
    return Captured(function)


class Captured:
    """The callable that `captured` returns."""

    def __init__(self, function: Callable):
        self.function = function
        self._steps: dict[tuple, _Step | None] = {}  # None: ran once, not captured yet
        functools.update_wrapper(self, function)

    def __call__(self, *arguments):
        arrays = [argument.data if isinstance(argument, Tensor) else argument for argument in arguments]
        places = {devices.device_of(array) if hasattr(array, "dtype") else type(array).__name__ for array in arrays}
        if len(places) != 1 or not places & set(devices.DEVICES):
            raise DeviceError(
                f"{self._name}: a captured step takes one or more Tensors or arrays, all on its own device; "
                f"these are on {', '.join(sorted(places)) or 'none'}"
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
    """A captured call: the arrays that its arguments are copied into, and its graph."""

    def __init__(self, function, arrays):
        from minigan.kernels.cuda.graph import Graph

        self.arguments = [array.copy() for array in arrays]
        self.graph = Graph(lambda: function(*map(Tensor, self.arguments)), self.arguments[0])

    def __call__(self, arrays):
        for place, array in zip(self.arguments, arrays, strict=True):
            place[...] = array
        self.graph.replay()
        return self.graph.result
