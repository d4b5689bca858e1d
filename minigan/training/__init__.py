"""The parts of every training run: the loop, callbacks, run folders and reports. Subclasses of `Loop` define steps."""

from minigan.errors import DivergedError, Interrupted, RunError, RunWarning, Terminated, TrainingError
from minigan.training.callbacks import Callback, Every, Progress
from minigan.training.loop import History, Loop, Result
from minigan.training.recorder import Recorder
from minigan.training.report import Curves, Shown

__all__ = [
    "Callback",
    "Curves",
    "DivergedError",
    "Every",
    "History",
    "Interrupted",
    "Loop",
    "Progress",
    "Recorder",
    "Result",
    "RunError",
    "RunWarning",
    "Shown",
    "Terminated",
    "TrainingError",
]
