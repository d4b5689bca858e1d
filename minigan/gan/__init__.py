"""Training GANs: objectives, the training step, and what `minigan.training` has for all runs.

result = mg.gan.fit("dcgan", mg.data.load("glyphs"), steps=800, callbacks=[mg.gan.Progress()])
"""

import os

from minigan.gan.fitting import Result, fit, sample
from minigan.gan.objectives import OBJECTIVES, Objective
from minigan.gan.trainer import Trainer
from minigan.models import GAN, Recipe
from minigan.training.callbacks import Callback, Every, Progress
from minigan.training.errors import DivergedError, Interrupted, RunError, TrainingError
from minigan.training.grids import grid, grid_png
from minigan.training.loop import History
from minigan.training.recorder import Recorder

__all__ = [
    "OBJECTIVES",
    "Callback",
    "DivergedError",
    "Every",
    "History",
    "Interrupted",
    "Objective",
    "Progress",
    "Recipe",
    "Recorder",
    "Result",
    "RunError",
    "Trainer",
    "TrainingError",
    "fit",
    "grid",
    "grid_png",
    "load",
    "sample",
]


def load(run: str | os.PathLike, into: GAN | None = None) -> GAN:
    """The trained model of a run folder.

    into: a GAN that takes the weights, instead of a new one of the model that the run names
    raises RunError where the folder is no run, or its weights are missing, cut off or of another model
    """
    from minigan.gan import weights
    from minigan.training.folder import RunFolder

    return weights.load(RunFolder(run), into)
