"""The parameters and buffers of any module in one safetensors file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigan.nn import Module

FORMAT = "minigan-module"


def save(module: Module, path: str | os.PathLike) -> None:
    """Write all parameters and buffers of a module to a safetensors file, whole or not at all.

    raises RunError where the file cannot be written
    """
    from minigan.training import weights

    weights.save(Path(path), {"format": FORMAT, "module": type(module).__name__}, module.state_dict())


def load(module: Module, path: str | os.PathLike, *, strict: bool = True) -> Module:
    """Take over what `save` wrote, into a module that was built in the same way. Returns the module.

    strict: every name in the module must be in the file and the other way round; otherwise only common names are taken
    raises RunError for a file that is missing or damaged, ShapeError where its arrays do not fit the module
    """
    from minigan.training import weights

    _, arrays = weights.read(Path(path))
    module.load_state_dict(arrays, strict=strict)
    return module
