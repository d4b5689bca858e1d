"""The loop of every training run: a step on each batch until it is stopped. Subclasses define the step."""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.data import Batches
from minigan.errors import DivergedError, Interrupted, Terminated, TrainingError
from minigan.nn import Module
from minigan.training.callbacks import Callback
from minigan.training.report import Shown


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
        self.callbacks = checked_callbacks(callbacks)
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


def checked_callbacks(callbacks: Iterable[Callback]) -> list[Callback]:
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


def check_loss(
    trainer, whose: str, loss: Tensor, images: Tensor | np.ndarray, forward: Callable[[], object], learning_rate: float
) -> None:
    """Raise DivergedError for a loss that is NaN or infinite: when, where it began, what to try.

    trainer: has `networks()`, `seed` and `step`
    forward: computes again what led to the loss, for the tracer
    """
    number = loss.item()
    if math.isfinite(number):
        return
    raise DivergedError(
        f"step {trainer.step + 1}: {whose} is {number}; {_origin(trainer.networks(), images, forward)}. "
        f"Try a smaller learning rate than {learning_rate:g}, another seed than {trainer.seed}, "
        f"or a larger batch than {len(images)}"
    )


def _origin(networks, images, forward):
    """Where the first value that is not finite is: the images, a weight, or an operation."""
    images = images.numpy() if isinstance(images, Tensor) else images
    if not np.isfinite(images).all():
        return "the images hold values that are not numbers"
    for title, network in networks.items():
        for name, array in network.state_dict().items():
            if not np.isfinite(array).all():
                return f"the {title.lower()}'s {name} {array.shape} is not finite, so the step before left it so"
    return _traced(networks, forward) or "all weights are finite, so it arose in this step"


def _traced(networks, forward):
    """The tracer's words on the first operation whose result is not finite; None if there is none."""
    from minigan import debug

    try:
        with no_grad(), debug.trace_nans(inf=True, **{title.lower(): network for title, network in networks.items()}):
            forward()
    except debug.NanError as error:
        return str(error)
    return None


ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextlib.contextmanager
def stop_signals(ask: Callable[[int], None]) -> Iterator[None]:
    """Inside, SIGINT, SIGTERM and SIGHUP call ask(signal) instead of ending the process.

    A second SIGINT raises KeyboardInterrupt as always. SIGTERM and SIGHUP may come any number of times: timeout and
    closing terminals send them twice.
    Only Python's main thread can choose what a signal does, and what the process ignores (SIGHUP under nohup, SIGINT in
    a background job) or handles itself stays as it is.
    """
    before = _replaceable() if threading.current_thread() is threading.main_thread() else {}

    def handle(number, frame):
        if number == signal.SIGINT:
            signal.signal(number, before[number])
        ask(number)

    try:
        for number in before:
            signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise SystemExit, so that no half-written file and no lock is left."""
    before = _replaceable() if threading.current_thread() is threading.main_thread() else {}
    before.pop(signal.SIGINT, None)
    try:
        for number in before:
            signal.signal(number, _leave)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number, frame):
    raise SystemExit(128 + number)


def _replaceable():
    """Signals that would end the process, and what handles them now."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
    return {
        number: handler
        for number, handler in handlers.items()
        if (callable(handler) if number == signal.SIGINT else handler in (signal.SIG_DFL, _leave))
    }
