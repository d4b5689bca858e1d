"""The loop of every training run: a step on each batch until it is stopped. Subclasses define the step."""

import time
from collections.abc import Iterable, Mapping

import numpy as np

from minigan.data import Batches
from minigan.nn import Module
from minigan.training.callbacks import Callback
from minigan.training.errors import Interrupted, Terminated, TrainingError
from minigan.training.interrupt import ENDING, stop_signals
from minigan.training.shown import Shown


class History(list):
    """The records of all steps, in order, each a dict; see `Callback.on_step` for what is in one."""

    def column(self, name: str) -> np.ndarray:
        """One quantity over all steps, (steps,): history.column("generator_loss")."""
        return np.array([record[name] for record in self])


class Loop:
    """Networks in training.

    name: of what is trained
    batches: images, float32 (N, H, W, C) in [-1, 1], with labels or None; without end
    steps: how many to do in all
    notes: what is worth saying before the first step, a line each
    outcome: "new", "running", then one of `Callback.on_end`'s; error: what ended the run, if something did

    A subclass defines `train_step`, `networks`, `state` and `header`, and where it has something to show `preview`,
    `results`, `pictures`, `shown` and `words`.
    """

    def __init__(self, name: str, batches: Batches, *, steps: int, seed: int = 0, callbacks: Iterable[Callback] = ()):
        self.name, self.batches, self.steps, self.seed = name, batches, steps, seed
        self.callbacks = _checked(callbacks)
        self.history = History()
        self.step = 0
        self.notes: list[str] = []
        self.outcome = "new"
        self.error = None
        self._stopping = False

    # ------------------------------------------------------------------------------ what a subclass says

    def train_step(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
        """One step on a batch. Returns what was measured, numbers by name.

        raises DivergedError where a loss is not a number; nothing has moved by it then
        """
        raise NotImplementedError(f"{type(self).__name__} has no train_step(); define what a step is")

    def networks(self) -> dict[str, Module]:
        """What is trained, by the titles that a report gives them."""
        raise NotImplementedError(f"{type(self).__name__} has no networks(); say what is trained")

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all arrays that are saved as the run's weights, by name."""
        raise NotImplementedError(f"{type(self).__name__} has no state(); say which arrays are saved")

    def header(self) -> dict:
        """What it takes to build the networks again, anything JSON: the weights' file begins with it.

        It is asked for before anything is measured.
        """
        raise NotImplementedError(f"{type(self).__name__} has no header(); say whose weights are saved")

    def preview(self) -> np.ndarray | None:
        """Images that show how far it is, (N, H, W, C), uint8; None where there is nothing to see.

        Draws nothing from the streams that training uses, and changes nothing.
        """
        return None

    preview_columns: int | None = None  # of the grid that these images are shown in; about square by default

    def results(self) -> dict:
        """What was measured at the end of the run, anything JSON: config.json keeps it. Empty before the end."""
        return {}

    def pictures(self) -> dict[str, bytes]:
        """PNG files to keep at the end of the run, by the names that `shown` has words for."""
        return {}

    def shown(self) -> Shown:
        """What a report says besides what all runs have."""
        return Shown()

    def words(self, means: Mapping[str, float]) -> str:
        """How it goes, in a few words: means are the records' numbers, smoothed."""
        kept = ((name, means[name]) for name in means if name not in ("step", "epoch", "seconds"))
        return "  ".join(f"{name.replace('_', ' ')} {number:.3f}" for name, number in kept)

    # ------------------------------------------------------------------------------------------ running

    def run(self) -> None:
        """Do all steps, or those until stop(), Ctrl-C, SIGTERM or SIGHUP.

        A signal lets the step and the callbacks finish; then Ctrl-C raises Interrupted, the others Terminated. A second
        Ctrl-C raises KeyboardInterrupt at once.
        """
        asked = []

        def ask(number):
            asked.append(number)
            self.stop()

        with stop_signals(ask):
            self._run()
        for number in asked:
            raise (Terminated if number in ENDING else Interrupted)(self.step, number)

    def stop(self) -> None:
        """End the run after the step that is being done."""
        self._stopping = True

    def _run(self):
        try:
            self.outcome = "running"
            for callback in self.callbacks:
                callback.on_start(self)
            self._loop()
            self.outcome = "finished" if self.step >= self.steps else "interrupted"
        except BaseException as error:
            self.outcome = "aborted" if isinstance(error, KeyboardInterrupt) else "failed"
            self.error = error
            self._end()
            raise
        self._end()

    def _loop(self):
        start = time.perf_counter()
        while self.step < self.steps and not self._stopping:
            epoch = self.batches.epoch + 1
            measured = self.train_step(*next(self.batches))
            self.step += 1
            record = {"step": self.step, "epoch": epoch, **measured, "seconds": time.perf_counter() - start}
            self.history.append(record)
            for callback in self.callbacks:
                callback.on_step(self, record)

    def _end(self):
        """Let every callback end, also where another one cannot; their errors become notes to the one that ended it."""
        self.batches.close()
        for callback in self.callbacks:
            try:
                callback.on_end(self)
            except Exception as error:
                if self.error is None:
                    self.error, self.outcome = error, "failed"
                elif str(error) != str(self.error):
                    self.error.add_note("\n".join([str(error), *getattr(error, "__notes__", ())]))
        if self.outcome == "failed":
            raise self.error


def _checked(callbacks):
    """Callbacks as a list. Raises TrainingError, before anything is trained, for anything else."""
    what = f"callbacks are a list of mg.training.Callback objects, not {callbacks!r}"
    if isinstance(callbacks, Callback):
        raise TrainingError(f"{what}; a single one goes into brackets")
    try:
        callbacks = list(callbacks)
    except TypeError as error:
        raise TrainingError(what) from error
    for callback in callbacks:
        if not all(callable(getattr(callback, name, None)) for name in ("on_start", "on_step", "on_end")):
            raise TrainingError(what)
    return callbacks
