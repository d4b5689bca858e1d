"""Module: named parameters, buffers and other modules, and operations on all of them at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Number
from typing import Any

import numpy as np

from minigan import devices
from minigan.autograd import graph, memory
from minigan.autograd.tensor import Tensor
from minigan.errors import DtypeError, MiniganError, ShapeError


class _Mode(threading.local):
    in_use = False


_mode = _Mode()


class as_in_use:
    """Inside, and in this thread alone, every module behaves as after `eval()`, whatever its own mode.

    Another thread may train the same modules meanwhile, and an error or Ctrl-C changes the mode of no module.
    """

    def __enter__(self):
        self._before, _mode.in_use = _mode.in_use, True

    def __exit__(self, *_):
        _mode.in_use = self._before


COLLECTIONS = list, tuple, set, frozenset, dict  # in which modules and parameters would be overlooked


class Module:
    """A function with state. Subclasses assign their state in `__init__` and compute in `forward`.

    An attribute that is a Tensor is state: a parameter if it requires gradients when it is assigned, else a buffer
    (kept and saved, never trained). An attribute that is a Module is a part; several are kept in a ModuleList or a
    ModuleDict, and a plain list, tuple or dict of them is refused. A subclass must call `super().__init__()`
    before it assigns anything.
    """

    def __init__(self):
        for name, start in (("_parameters", {}), ("_buffers", {}), ("_modules", {}), ("_training", True)):
            object.__setattr__(self, name, start)

    @property
    def training(self) -> bool:
        """Whether the module behaves as in training, as set by `train()` and `eval()`."""
        return self._training and not _mode.in_use

    @training.setter
    def training(self, mode: bool):
        object.__setattr__(self, "_training", mode)

    def _no_forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__} has no forward(); define what it computes")

    forward: Callable[..., Any] = _no_forward  # subclasses have a method with arguments of its own

    def __call__(self, *inputs, **settings) -> Tensor:
        return self.run(self.forward, *inputs, **settings)

    def run(self, function: Callable[..., Any], *inputs, **settings) -> Any:
        """Call a function in place of `forward`: NaNs are traced to this module, and bad arguments are explained."""
        if graph.watch is None:
            try:
                return function(*inputs, **settings)
            except AttributeError as error:
                self._refuse_numbers(inputs, error)
                raise
        with graph.watch.layer(self):  # NaNs are being traced: see minigan.debug
            return function(*inputs, **settings)

    def _refuse_numbers(self, inputs, error):
        """Raise DtypeError if one of minigan's modules was called with something that has no shape."""
        for x in inputs:
            if type(self).__module__.startswith("minigan.") and isinstance(x, Number | str | list | tuple | dict):
                raise DtypeError(
                    f"{type(self).__name__}: it was called with a {type(x).__name__}, but it takes arrays or Tensors"
                ) from error

    def __delattr__(self, name):
        for table in (self._parameters, self._buffers, self._modules):
            table.pop(name, None)
        object.__delattr__(self, name)

    def __setattr__(self, name, attribute):
        if not hasattr(self, "_modules"):
            raise AttributeError(f"{type(self).__name__}: call super().__init__() before assigning {name!r}")
        if isinstance(attribute, COLLECTIONS):
            _refuse_state_within(f"{type(self).__name__}.{name}", attribute)
        for table in (self._parameters, self._buffers, self._modules):
            table.pop(name, None)
        if isinstance(attribute, Module):
            self._modules[name] = attribute
        elif isinstance(attribute, Tensor):
            (self._parameters if attribute.requires_grad else self._buffers)[name] = attribute
        object.__setattr__(self, name, attribute)

    def _refuse_late_state(self):
        """Raise MiniganError for modules or parameters that a list, set or dict got after it was assigned."""
        if not type(self).__module__.startswith("minigan."):
            for name, attribute in vars(self).items():
                if isinstance(attribute, COLLECTIONS) and name[:1] != "_":
                    _refuse_state_within(f"{type(self).__name__}.{name}", attribute)

    # ------------------------------------------------------------------------------------------ state

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (under `prefix`) and all parts of it, each once, with dotted names."""
        seen = set()
        stack = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            module._refuse_late_state()
            yield name, module
            parts = [(f"{name}.{part}" if name else part, m) for part, m in module._modules.items()]
            stack.extend(reversed(parts))

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """All parameters with dotted names, each once, frozen ones too."""
        yield from self._named("_parameters")

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        yield from self._named("_buffers")

    def _named(self, table):
        seen = set()
        for prefix, module in self.named_modules():
            for name, tensor in getattr(module, table).items():
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield f"{prefix}.{name}" if prefix else name, tensor

    def parameters(self) -> list[Tensor]:
        """The parameters that are trained: all that are not frozen."""
        return [p for _, p in self.named_parameters() if p.requires_grad]

    def parameter_count(self) -> int:
        """How many numbers the parameters hold, frozen ones too."""
        return sum(p.size for _, p in self.named_parameters())

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers by name, on the CPU."""
        return {name: np.array(t.numpy()) for name, t in (*self.named_parameters(), *self.named_buffers())}

    def load_state_dict(self, state: dict[str, np.ndarray], strict: bool = True) -> None:
        """Copy the arrays of `state` into the parameters and buffers. If one does not fit, nothing is changed.

        strict: require the same names on both sides; with False, names that only one side has are ignored
        raises ShapeError for missing, unexpected or differently shaped entries
        """
        if not isinstance(state, Mapping):
            raise ShapeError(
                f"load_state_dict into {type(self).__name__}: it takes arrays by name, as state_dict() returns them, "
                f"but got a {type(state).__name__}"
            )
        mine = dict((*self.named_parameters(), *self.named_buffers()))
        problems = []
        if strict:
            problems += [f"missing {name}" for name in mine if name not in state]
            problems += [f"unexpected {name}" for name in state if name not in mine]
        problems += [
            f"{name} is {np.shape(state[name])}, but {tensor.shape} here"
            for name, tensor in mine.items()
            if name in state and np.shape(state[name]) != tensor.shape
        ]
        for name, array in state.items():
            if name in mine and np.asarray(array).dtype.kind not in "biuf":
                problems.append(f"{name} holds {np.asarray(array).dtype}, not numbers")
            if name in mine and np.ma.is_masked(array):
                problems.append(f"{name} has masked values, which are to be filled first")
        if problems:
            raise ShapeError(f"load_state_dict into {type(self).__name__}: " + "; ".join(problems))
        for name, tensor in mine.items():
            if name in state:
                tensor.data[...] = devices.move(np.asarray(state[name], tensor.dtype), tensor.device)
                memory.note_write(tensor.data)

    @property
    def device(self) -> str:
        """Where the parameters are: "cpu", "cuda" or "sim"; "cpu" for a module without any."""
        return next((parameter.device for _, parameter in self.named_parameters()), "cpu")

    def to(self, device: str) -> Module:
        """Move all parameters and buffers to a device, "cpu", "cuda" or "sim", in place. Returns the module.

        Move a module before its optimiser's first step: the optimiser's state stays on the old device.
        """
        for _, tensor in (*self.named_parameters(), *self.named_buffers()):
            tensor.data = devices.move(tensor.data, device)
            tensor.grad = None if tensor.grad is None else devices.move(tensor.grad, device)
        return self

    # ------------------------------------------------------------------------------------------ modes

    def train(self, mode: bool = True) -> Module:
        """Behave as in training: batch norm uses the batch, dropout drops. Returns the module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Behave as in inference: batch norm uses its running statistics, dropout does nothing. Returns the module."""
        return self.train(False)

    def freeze(self, frozen: bool = True) -> Module:
        """Stop (or with False, resume) the training of all parameters: they get no gradients. Returns the module."""
        for _, parameter in self.named_parameters():
            parameter.requires_grad = not frozen
        return self

    def astype(self, dtype) -> Module:
        """Turn all parameters and buffers into another floating point dtype. Returns the module."""
        if np.dtype(dtype).kind != "f":
            raise DtypeError(f"{type(self).__name__}.astype: {np.dtype(dtype)} has no gradients; it takes float dtypes")
        for _, tensor in (*self.named_parameters(), *self.named_buffers()):
            tensor.data, tensor.grad = tensor.data.astype(dtype), None
        return self

    def zero_grad(self) -> None:
        for _, parameter in self.named_parameters():
            parameter.grad = None

    # ------------------------------------------------------------------------------------------- repr

    def describe(self) -> str:
        """The module's arguments, for its repr."""
        return ""

    def __repr__(self) -> str:
        lines = list(self._lines("", type(self).__name__))
        width = max(len(text) for text, _ in lines)
        table = "\n".join(f"{text:<{width}}  {state}".rstrip() for text, state in lines)
        frozen = sum(p.size for _, p in self.named_parameters() if not p.requires_grad)
        note = f", {frozen:,} of them frozen" if frozen else ""
        return f"{table}\n{self.parameter_count():,} parameters{note}"

    def _lines(self, indent, title):
        state = ", ".join(f"{n} {tuple(t.shape)}" for n, t in (*self._parameters.items(), *self._buffers.items()))
        yield f"{indent}{title}({self.describe()})", state
        for name, part in self._modules.items():
            yield from part._lines(indent + "  ", f"{name}: {type(part).__name__}")


class ModuleList(Module):
    """A list of modules, for a `forward` that applies them in its own way.

    modules: the modules, in order; their parameters are named "0.weight", "1.weight", ...
    raises MiniganError for anything but Modules
    """

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        try:
            modules = list(modules)
        except TypeError as error:
            raise MiniganError(f"{type(self).__name__}: {modules!r} is not a list of Modules") from error
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> None:
        _check(type(self).__name__, f"number {len(self)}", module)
        setattr(self, str(len(self)), module)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, index):
        modules = list(self._modules.values())
        return ModuleList(modules[index]) if isinstance(index, slice) else modules[index]


class ModuleDict(Module):
    """Modules by name, for a `forward` that chooses among them.

    modules: names and modules; their parameters are named "encoder.weight", ...
    raises MiniganError for anything but Modules, and for names that are not identifiers
    """

    def __init__(self, modules: Mapping[str, Module] | None = None):
        super().__init__()
        if modules is not None and not isinstance(modules, Mapping):
            raise MiniganError(f"ModuleDict: {modules!r} is not a dictionary of Modules")
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or not name.isidentifier() or hasattr(Module, name):
            raise MiniganError(
                f"ModuleDict: {name!r} cannot name a module; names are Python's identifiers, and not those of Module"
            )
        _check("ModuleDict", repr(name), module)
        setattr(self, name, module)

    def __getitem__(self, name: str) -> Module:
        return self._modules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def keys(self):
        return self._modules.keys()

    def values(self):
        return self._modules.values()

    def items(self):
        return self._modules.items()


def _check(container, place, module):
    if not isinstance(module, Module):
        raise MiniganError(f"{container}: {place} is {module!r}, but it holds Modules alone")


def _refuse_state_within(where, collection):
    """Raise MiniganError where a list, tuple, set or dict holds what would be neither trained nor saved."""
    for item in collection.values() if isinstance(collection, dict) else collection:
        if isinstance(item, Module):
            better = "nn.ModuleDict" if isinstance(collection, dict) else "nn.ModuleList"
            raise MiniganError(
                f"{where}: modules in a {type(collection).__name__} would be neither trained nor saved; "
                f"assign {better}(...) of them, or each to an attribute of its own"
            )
        if isinstance(item, Tensor) and item.requires_grad:
            raise MiniganError(
                f"{where}: parameters in a {type(collection).__name__} would be neither trained nor saved; "
                "assign each to an attribute of its own"
            )
        if isinstance(item, COLLECTIONS):
            _refuse_state_within(where, item)
