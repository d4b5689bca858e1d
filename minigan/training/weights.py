"""Arrays as one safetensors file, with what it takes to build their networks again in its header."""

import json
from pathlib import Path

import numpy as np

from minigan.training import files
from minigan.training.errors import RunError


def packed(header: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """The bytes of a safetensors file, the same for the same content; header: anything JSON, by name."""
    metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in header.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return _in_order(_safetensors().numpy.save(arrays, metadata))


def save(path: Path, header: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write the file, whole or not at all. Raises RunError where that fails."""
    files.write(path, packed(header, arrays))


def read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The header, whose values are strings or JSON, and the arrays of a file.

    raises RunError for a file that is missing, foreign or cut off
    """
    if not path.is_file():
        raise RunError(f"{path}: there is no such file; a run has one once it has trained")
    safetensors = _safetensors()
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path}: not a whole safetensors file ({error})") from error


def _in_order(content):
    """The same file with its metadata sorted by name: safetensors writes them in another order in every process."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    metadata = dict(sorted(header.pop("__metadata__", {}).items()))
    text = json.dumps({"__metadata__": metadata, **header}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def _safetensors():
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise RunError("saving and loading weights needs safetensors: pip install 'minigan[train]'") from error
    return safetensors
