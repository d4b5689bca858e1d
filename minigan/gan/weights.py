"""A GAN's weights in a file, and the GAN of a file of weights."""

import json
from pathlib import Path

import numpy as np

from minigan import models
from minigan.errors import MiniganError, UnknownNameError
from minigan.models import GAN
from minigan.training import weights
from minigan.training.errors import RunError

FORMAT = "minigan-gan-1"
PLAYERS = ("generator", "discriminator")


def header_of(gan: GAN) -> dict:
    """What `load` needs to build the GAN again."""
    return {"format": FORMAT, "model": gan.name, "image_shape": list(gan.image_shape)}


def state_of(gan: GAN) -> dict[str, np.ndarray]:
    """Copies of both players' parameters and buffers, under "generator." and "discriminator."."""
    return {
        f"{player}.{name}": array for player in PLAYERS for name, array in getattr(gan, player).state_dict().items()
    }


def load(path: Path, into: GAN | None = None) -> GAN:
    """Build the model that a file of weights belongs to, with these weights.

    into: a GAN that takes the weights instead; needed for models that minigan does not know by name
    raises RunError for a file that is missing, foreign, cut off, or of another model
    """
    header, arrays = weights.read(path)
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
