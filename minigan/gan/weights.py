"""A GAN's weights in a file, and the GAN of a file of weights."""

import copy

import numpy as np

from minigan import models
from minigan.errors import MiniganError, UnknownNameError
from minigan.models import GAN
from minigan.training import weights
from minigan.training.errors import RunError
from minigan.training.folder import WEIGHTS, RunFolder
from minigan.training.inputs import check_model

FORMAT = "minigan-gan-1"


def header_of(gan: GAN) -> dict:
    """What `load` needs to build the GAN again."""
    header = {"format": FORMAT, "model": gan.name, "image_shape": list(gan.image_shape), "changes": list(gan.changes)}
    return header if gan.classes is None else {**header, "classes": gan.classes}


def state_of(gan: GAN) -> dict[str, np.ndarray]:
    """Copies of all parameters and buffers, under "generator.", "discriminator." and, if there is one, "average."."""
    return {
        f"{player}.{name}": array
        for player, network in gan.networks().items()
        for name, array in network.state_dict().items()
    }


def load(folder: RunFolder, into: GAN | None = None) -> GAN:
    """Build the model of a run, with its weights.

    into: a GAN that takes the weights instead; needed for models that minigan does not know by name
    raises RunError where the weights are missing, foreign, cut off, or of another run or model
    """
    if into is not None:
        check_model("load: into", into, GAN)
    said, arrays = read(folder)
    path, gan = folder / WEIGHTS, into
    try:
        if gan is None:
            if models.kind_of(said["model"]) != "gan":
                raise RunError("it is no GAN")
            gan = models.build(said["model"], said["image_shape"], classes=said.get("classes"))
        if into is not None:
            _fill(copy.deepcopy(into), said["changes"], arrays)  # where one network does not fit, none is changed
        _fill(gan, said["changes"], arrays)
    except UnknownNameError as error:
        raise RunError(f"{path}: {error}; build the model yourself and load(..., into=it)") from error
    except (MiniganError, MemoryError) as error:
        raise RunError(f"{path}: does not fit the model {said['model']!r}: {error}") from error
    return gan


def read(folder: RunFolder) -> tuple[dict, dict[str, np.ndarray]]:
    """What the weights of a run say of its GAN (model, image_shape, changes, classes), and the arrays.

    raises RunError where they are not a GAN's
    """
    header, arrays = folder.weights()
    otherwise = "a safetensors file, but not a GAN that minigan saved"
    return {"changes": [], **weights.described(folder / WEIGHTS, header, arrays, FORMAT, otherwise)}, arrays


def of(player: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of one network, by their names in it."""
    start = player + "."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def _fill(gan, changes, arrays):
    gan.change(changes)
    averaged = any(name.startswith("average.") for name in arrays)
    gan.average = copy.deepcopy(gan.generator).freeze().eval() if averaged else None
    for player, network in gan.networks().items():
        network.load_state_dict(of(player, arrays))
