"""Training networks that restore images: super-resolution, completion, denoising.

train, test = mg.data.load(folder, size=32), mg.data.load(folder, split="test", size=32)
result = mg.restoration.fit("deconvnet", train, task="denoising", test=test)
result.predict(noisy), result.figures
"""

import os

from minigan.models import Restorer
from minigan.restoration.fitting import Result, fit, predict
from minigan.restoration.measuring import evaluate
from minigan.restoration.tasks import TASKS, Task
from minigan.restoration.trainer import Trainer

__all__ = ["TASKS", "Restorer", "Result", "Task", "Trainer", "evaluate", "fit", "load", "predict"]


def load(run: str | os.PathLike, into: Restorer | None = None) -> Restorer:
    """The trained network of a run folder.

    into: a Restorer that takes the weights, instead of a new one of the name that the run gives
    raises RunError where the folder is no run of a restoration, or its weights are missing, cut off or do not fit
    """
    from minigan.training import fitting

    return fitting.load(run, "restoration", into)
