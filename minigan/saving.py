"""Save and load the parameters and buffers of a module as one safetensors file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from minigan.errors import RunError

if TYPE_CHECKING:
    from minigan.nn import Module

FORMAT = "minigan-module"


def save(module: Module, path: str | os.PathLike) -> None:
    """Write all parameters and buffers of a module to a safetensors file. The file is written completely or not at all.

    raises RunError if the file cannot be written
    """
    from minigan.training import weights

    weights.save(Path(path), {"format": FORMAT, "module": type(module).__name__}, module.state_dict())


def load(module: Module, path: str | os.PathLike, *, strict: bool = True) -> Module:
    """Load what `save` wrote into a module that was built in the same way. Returns the module.

    strict: the module and the file must have the same names; if False, only names that both have are loaded
    raises RunError for a file that is missing, damaged or without a name of the module; ShapeError if its arrays do not
        fit the module
    """
    from minigan.training import weights

    _, arrays = weights.read(Path(path))
    names = module.state_dict().keys()
    if names and not names & arrays.keys():
        some = ", ".join(sorted(arrays)[:3])
        raise RunError(f"{path}: has no array for this {type(module).__name__}; its arrays are {some} and others")
    module.load_state_dict(arrays, strict=strict)
    return module
