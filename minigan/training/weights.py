"""Save arrays as a safetensors file whose header has what is needed to rebuild their networks.

The header also has a SHA-256 of its other fields and all arrays, so that a changed file is refused.
"""

import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np

from minigan.data.arrays import python_number
from minigan.errors import RunError
from minigan.training import files, reading

DIGEST = "sha256"
DTYPES = ("F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")
DETAIL = 64  # image values per weight; no network that ends in a dense layer reaches this ratio


def packed(header: dict, arrays: dict[str, np.ndarray]) -> bytes:
    """Return the bytes of a safetensors file, always the same for the same content; header: JSON values by name."""
    metadata = {
        key: value if isinstance(value, str) else json.dumps(value, default=python_number)
        for key, value in header.items()
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return _in_order(_safetensors().numpy.save(arrays, {**metadata, DIGEST: _digest(metadata, arrays)}))


def save(path: Path, header: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write the file, completely or not at all. Raises RunError if that fails."""
    files.write(path, packed(header, arrays))


def read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Return the header, whose values are strings or JSON text, and the arrays of a file.

    raises RunError if the file is missing, truncated, of another format or was changed after it was saved, or holds
        numbers that are not finite or of a type that NumPy does not have
    """
    if not path.exists():
        raise RunError(f"{path}: there is no such file; training a run creates it")
    if not path.is_file():
        raise RunError(f"{path}: not a regular file")
    if not os.access(path, os.R_OK):  # safetensors would report that there is no such file
        raise RunError(f"{path}: cannot be read (Permission denied)")
    try:
        with _safetensors().safe_open(path, framework="numpy") as file:
            metadata, arrays = file.metadata() or {}, {}
            for name in file.keys():  # noqa: SIM118
                dtype = file.get_slice(name).get_dtype()
                if dtype not in DTYPES:
                    raise RunError(f"{path}: {name} holds {dtype}, which NumPy does not have; save it as float32 (F32)")
                arrays[name] = file.get_tensor(name)
    except RunError:
        raise
    except Exception as error:  # safetensors may raise anything for a damaged file
        raise RunError(f"{path}: not a complete safetensors file ({error})") from error
    recorded = metadata.pop(DIGEST, None)  # older files have no digest
    if recorded is not None and recorded != _digest(metadata, arrays):
        raise RunError(f"{path}: was changed or damaged after it was saved; its SHA-256 does not match")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RunError(f"{path}: {name} contains NaN or infinity, which minigan never saves")
    return metadata, arrays


def described(path: Path, header: dict[str, str], arrays: dict[str, np.ndarray], ours: str, otherwise: str) -> dict:
    """Return the header's description of the model: its name and image_shape, and options and changes if present.

    ours: the expected format; otherwise: the message for another format
    raises RunError if a field is not what minigan writes, or is too large for these arrays
    """
    reading.check_format(path, header.get("format"), ours, otherwise)
    numbers = sum(array.size for array in arrays.values())

    def within(value):
        return reading.scalar(value) and not (isinstance(value, int) and not 0 <= value <= numbers)

    fields = {
        "image_shape": reading.shape,
        "options": reading.table_of(within),
        "changes": reading.list_of(reading.text),
    }
    found = {name: reading.parsed(path, header[name]) for name in fields if name in header}
    found = reading.check_fields(path, found, fields, required=("image_shape",))
    if "model" not in header:
        raise RunError(f"{path}: damaged; 'model' is missing")
    return {"model": header["model"], **found}


def check_enough(path: Path, image_shape: list[int], arrays: dict[str, np.ndarray]) -> None:
    """Raise RunError if a file's image_shape is far too large for its number of weights."""
    numbers = sum(array.size for array in arrays.values())
    if math.prod(image_shape) > DETAIL * numbers:
        raise RunError(f"{path}: damaged; {numbers:,} weights are too few for images of {image_shape}")


def _digest(metadata, arrays):
    """Return the SHA-256 of the metadata and of the arrays with their names, dtypes and shapes."""
    found = hashlib.sha256()
    for name, value in sorted(metadata.items()):
        found.update(json.dumps([name, value]).encode())
    for name, array in sorted(arrays.items()):
        found.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()


def _in_order(content):
    """Sort a file's metadata by name: safetensors writes it in a different order in every process."""
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
