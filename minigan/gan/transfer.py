"""Start from the weights of another run: arrays that fit are copied, and the others are listed."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass

import numpy as np

from minigan.errors import TrainingError
from minigan.models import GAN
from minigan.models.model import arrays_of
from minigan.training import fitting
from minigan.training.folder import RunFolder

PLAYERS = ("generator", "discriminator")


@dataclass(frozen=True)
class Start:
    """The weights that a GAN can take from another.

    words: lines that list what is copied, and what is not and why
    changes: the changes that the GAN's discriminator needs first
    arrays: by player and name
    """

    words: list[str]
    changes: tuple[str, ...]
    arrays: dict[str, dict[str, np.ndarray]]

    def give(self, gan: GAN) -> None:
        """Copy the weights into the GAN that they were selected for."""
        gan.change(self.changes)
        for player, arrays in self.arrays.items():
            getattr(gan, player).load_state_dict(arrays, strict=False)


def start_for(gan: GAN, source: str | os.PathLike | GAN) -> Start:
    """Select the weights of a run or another GAN that have the same names and shapes. Changes nothing.

    raises TrainingError if nothing fits, RunError if the folder is not a run of a GAN
    """
    if isinstance(source, GAN):
        description = {"model": source.name, "image_shape": source.image_shape, "changes": source.changes}
        arrays, name = source.state(), f"another {source.name}"
    else:
        folder = RunFolder(source)
        description, arrays = fitting.read(folder, "gan")
        name = str(folder.path)
    words, taken = _differences(gan, description, name), {}
    changed = copy.deepcopy(gan).change(description["changes"])  # the names of the discriminator's layers change too
    for player in PLAYERS:
        mine, theirs = getattr(changed, player).state_dict(), arrays_of(player, arrays)
        taken[player], others = _fitting(mine, theirs)
        words.append(f"{player}: {len(taken[player])} of {len(mine)} arrays from {name}{others}")
    if not any(taken.values()):
        raise TrainingError(f"no weights of {name} ({description['model']}) fit {gan.name}: " + "; ".join(words))
    return Start(words, tuple(description["changes"]), taken)


def _differences(gan, description, name):
    """Describe how the model that the weights come from differs."""
    words = []
    if description["model"] != gan.name:
        words.append(f"{name} is a {description['model']}, this is a {gan.name}")
    if tuple(description["image_shape"]) != tuple(gan.image_shape):
        theirs, ours = (" x ".join(map(str, shape)) for shape in (description["image_shape"], gan.image_shape))
        words.append(f"its images are {theirs}, these are {ours}")
    return words


def _fitting(mine, theirs):
    """Return the arrays that fit, and a description of my arrays that no array fits."""
    fitting = {name: theirs[name] for name in mine if name in theirs and theirs[name].shape == mine[name].shape}
    others = [
        f"{name} ({theirs[name].shape} there, {array.shape} here)" if name in theirs else f"{name} (missing there)"
        for name, array in mine.items()
        if name not in fitting
    ]
    return fitting, f"; newly initialised: {', '.join(others)}" if others else ""
