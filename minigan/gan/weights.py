"""A GAN's weights as one safetensors file, with what it takes to build the model again in its header."""

import json
from pathlib import Path

import numpy as np

from minigan import models
from minigan.errors import MiniganError, UnknownNameError
from minigan.gan import files
from minigan.gan.errors import RunError
from minigan.models import GAN

FORMAT = "minigan-gan-1"
PLAYERS = ("generator", "discriminator")


def state_of(gan: GAN) -> dict[str, np.ndarray]:
    """Copies of both players' parameters and buffers, under "generator." and "discriminator."."""
    return {
        f"{player}.{name}": array for player in PLAYERS for name, array in getattr(gan, player).state_dict().items()
    }


def packed(gan: GAN, **notes) -> bytes:
    """The bytes of a safetensors file.

    notes: anything JSON, kept in the header beside the model's name and image shape
    """
    header = {"format": FORMAT, "model": gan.name, "image_shape": list(gan.image_shape), **notes}
    metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in header.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in state_of(gan).items()}
    return _safetensors("numpy").save(arrays, metadata)


def save(gan: GAN, path: Path, **notes) -> None:
    """Write the weights, whole or not at all. Raises RunError where that fails."""
    files.write(path, packed(gan, **notes))


def load(path: Path, into: GAN | None = None) -> GAN:
    """Build the model that a file of weights belongs to, with these weights.

    into: a GAN that takes the weights instead; needed for models that minigan does not know by name
    raises RunError for a file that is missing, foreign, cut off, or of another model
    """
    header, arrays = _read(path)
    if header.get("format") != FORMAT:
        raise RunError(f"{path}: a safetensors file, but not a GAN that minigan saved")
    gan = into
    try:
        if gan is None:
            gan = models.build(header["model"], json.loads(header["image_shape"]))
        _fill(gan, arrays)
    except UnknownNameError as error:
        raise RunError(f"{path}: {error}; build the model yourself and load(..., into=it)") from error
    except (MiniganError, KeyError, ValueError) as error:
        raise RunError(f"{path}: does not fit the model {header.get('model')!r}: {error}") from error
    return gan


def _fill(gan, arrays):
    for player in PLAYERS:
        start = player + "."
        getattr(gan, player).load_state_dict(
            {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
        )


def _read(path):
    """The header's metadata and the arrays of a safetensors file."""
    if not path.is_file():
        raise RunError(f"{path}: there is no such file; a run has one once it has trained")
    safetensors = _safetensors()
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path}: not a whole safetensors file ({error})") from error


def _safetensors(part=None):
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise RunError("saving and loading weights needs safetensors: pip install 'minigan[train]'") from error
    return safetensors.numpy if part == "numpy" else safetensors
