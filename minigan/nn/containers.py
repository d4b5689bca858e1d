"""Modules that hold other modules: in a list, applied in turn, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from minigan.errors import MiniganError
from minigan.nn.fusion import fused, fuses
from minigan.nn.module import Module


class ModuleList(Module):
    """Modules in a list, for a `forward` that says itself how they are applied.

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


class Sequential(ModuleList):
    """Modules applied one after another; indexing and slicing as a list."""

    def __init__(self, *modules: Module):
        super().__init__(modules)

    def forward(self, x):
        modules = list(self)
        while modules:
            module = modules.pop(0)
            if modules and fuses(module, modules[0]):
                x = fused(module, modules.pop(0), x)
            else:
                x = module(x)
        return x

    def __getitem__(self, index):
        found = super().__getitem__(index)
        return Sequential(*found) if isinstance(index, slice) else found


class ModuleDict(Module):
    """Modules by name, for a `forward` that says itself which are applied.

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
