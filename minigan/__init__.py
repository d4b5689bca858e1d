"""minigan: a deep learning engine written to be read, from scratch on NumPy.

import minigan as mg

x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
(x * x).sum().backward()
x.grad  # array([2., 4., 6.], dtype=float32)
"""

import importlib
import sys
from typing import TYPE_CHECKING

from minigan import kernels
from minigan.autograd import (
    backward,
    grad,
    is_recording,
    no_grad,
    nondifferentiable,
    primitive,
    value_and_grad,
    vjp_of,
)
from minigan.autograd.tensor import Tensor, tensor
from minigan.errors import (
    DataError,
    DeviceError,
    DtypeError,
    GraphError,
    MiniganError,
    NumpyFunctionError,
    ShapeError,
    UnknownNameError,
)
from minigan.kernels import precision
from minigan.ops import *
from minigan.ops import __all__ as _operations
from minigan.random import seed

if TYPE_CHECKING:
    from minigan import (
        classifier,
        data,
        debug,
        evaluation,
        gan,
        inside,
        metrics,
        models,
        nn,
        ops,
        optim,
        plain,
        pruning,
        restoration,
        testing,
        training,
        vae,
    )
    from minigan.autograd.recompute import recompute
    from minigan.replay import captured
    from minigan.saving import load, save

__version__ = "0.1.0"

_SUBMODULES = (
    "classifier",
    "data",
    "debug",
    "evaluation",
    "gan",
    "inside",
    "metrics",
    "models",
    "nn",
    "ops",
    "optim",
    "plain",
    "pruning",
    "restoration",
    "testing",
    "training",
    "vae",
)

_LATE = {  # name -> the module that has it
    "captured": "minigan.replay",
    "load": "minigan.saving",
    "recompute": "minigan.autograd.recompute",
    "save": "minigan.saving",
}

__all__ = [
    "DataError",
    "DeviceError",
    "DtypeError",
    "GraphError",
    "MiniganError",
    "NumpyFunctionError",
    "ShapeError",
    "Tensor",
    "UnknownNameError",
    "backward",
    "captured",
    "classifier",
    "data",
    "debug",
    "evaluation",
    "gan",
    "get_threads",
    "grad",
    "inside",
    "is_recording",
    "kernels",
    "load",
    "metrics",
    "models",
    "nn",
    "no_grad",
    "nondifferentiable",
    "ops",
    "optim",
    "plain",
    "precision",
    "primitive",
    "pruning",
    "recompute",
    "restoration",
    "save",
    "seed",
    "set_threads",
    "tensor",
    "testing",
    "training",
    "vae",
    "value_and_grad",
    "vjp_of",
]
__all__ += _operations


def set_threads(count: int) -> None:
    """Let kernels use this many threads, the calling one included. Results do not depend on it."""
    kernels.named(kernels.CPU).set_threads(count)


def get_threads() -> int:
    """How many threads kernels use: by default MINIGAN_THREADS, or as many as there are cores."""
    return kernels.named(kernels.CPU).get_threads()


def __getattr__(name):
    """Import sub-packages, and functions that few programs need, on first use: `import minigan` stays quick."""
    if name in _SUBMODULES:
        return importlib.import_module(f"minigan.{name}")
    if name in _LATE:
        found = globals()[name] = getattr(importlib.import_module(_LATE[name]), name)
        return found
    raise AttributeError(f"module 'minigan' has no attribute {name!r}", name=name, obj=sys.modules[__name__])


def __dir__():
    return sorted({*globals(), *__all__})
