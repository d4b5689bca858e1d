"""Beginning with the weights of another run: what fits is taken over, and what does not is said."""

import copy
import os

from minigan.gan import weights
from minigan.models import GAN
from minigan.training.errors import TrainingError
from minigan.training.folder import RunFolder

PLAYERS = ("generator", "discriminator")


def begin_with(gan: GAN, start: str | os.PathLike | GAN) -> list[str]:
    """Give a GAN the weights of another one, those whose names and shapes are the same.

    start: a run's folder, or a GAN
    returns: what was taken, what not and why, in words
    raises TrainingError where nothing fits, RunError for a folder that is no run; the GAN stays as it is then
    """
    if isinstance(start, GAN):
        header, arrays, source = weights.header_of(start), weights.state_of(start), f"another {start.name}"
    else:
        folder = RunFolder(start)
        header, arrays = weights.read(folder)
        source = str(folder.path)
    told, taken = _differences(gan, header, source), {}
    changed = copy.deepcopy(gan).change(header["changes"])  # the names of the discriminator's layers change too
    for player in PLAYERS:
        mine, theirs = getattr(changed, player).state_dict(), weights.of(player, arrays)
        taken[player], words = _fitting(mine, theirs)
        told.append(f"{player}: {len(taken[player])} of {len(mine)} arrays from {source}{words}")
    if not any(taken.values()):
        raise TrainingError(f"no weights of {source} ({header['model']}) fit {gan.name}: " + "; ".join(told))
    gan.change(header["changes"])
    for player, fitting in taken.items():
        getattr(gan, player).load_state_dict(fitting, strict=False)
    return told


def _differences(gan, header, source):
    """What is different about the run that the weights come from."""
    told = []
    if header["model"] != gan.name:
        told.append(f"{source} is a {header['model']}, this a {gan.name}")
    if tuple(header["image_shape"]) != tuple(gan.image_shape):
        theirs, ours = (" x ".join(map(str, shape)) for shape in (header["image_shape"], gan.image_shape))
        told.append(f"images are {theirs} there and {ours} here")
    return told


def _fitting(mine, theirs):
    """The arrays that fit, and words on those of mine that find none."""
    fitting = {name: theirs[name] for name in mine if name in theirs and theirs[name].shape == mine[name].shape}
    others = [
        f"{name} ({theirs[name].shape} there, {array.shape} here)" if name in theirs else f"{name} (not there)"
        for name, array in mine.items()
        if name not in fitting
    ]
    return fitting, f"; begins afresh: {', '.join(others)}" if others else ""
