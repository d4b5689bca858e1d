"""What training leaves."""

import os

from minigan.training.loop import History, Loop


class Result:
    """What training leaves; what was trained, its subclasses name.

    history: a record for every step, see `Callback.on_step`; history.column("generator_loss") is a curve
    settings: what it was trained with
    """

    def __init__(self, trainer: Loop, settings: dict):
        self._trainer = trainer
        self.history: History = trainer.history
        self.settings = settings

    def save(self, folder: str | os.PathLike, force: bool = False) -> None:
        """Write weights, settings, log, a sample grid and the report into a new folder, as `minigan train` does.

        raises RunError where the folder holds something already (with force: something other than a run) or cannot
            be written
        """
        from minigan.training.recorder import Recorder

        Recorder(folder, self.settings, force).record(self._trainer)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._trainer.name!r}, {len(self.history)} steps)"
