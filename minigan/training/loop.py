"""The loop of every training run: one step per batch until the end or a stop. Subclasses define the step."""

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
    """The records of all steps, in order. `Callback.on_step` describes a record, which is a dict."""

    def column(self, name: str) -> np.ndarray:
        """Return one quantity over all steps, (steps,): history.column("generator_loss")."""
        return np.array([record[name] for record in self])


class Loop:
    """Trains networks.

    name: the model's name
    batches: an endless iterator of images, float32 (N, H, W, C) in [-1, 1], with labels or None
    steps: the total number of steps
    notes: lines to print before the first step
    outcome: "new", "running", then one of the outcomes in `Callback.on_end`
    error: the error that ended the run, or None

    A subclass defines `train_step`, `networks`, `state` and `header`, and optionally `preview`, `results`, `pictures`,
    `shown` and `words`.
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

    # ------------------------------------------------------------------------------ for subclasses to define

    def train_step(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
        """Train on one batch. Returns measurements, numbers by name.

        raises DivergedError if a loss is not finite; in that case no parameter was updated
        """
        raise NotImplementedError(f"{type(self).__name__} must define train_step()")

    def networks(self) -> dict[str, Module]:
        """Return the trained networks by their titles in the report."""
        raise NotImplementedError(f"{type(self).__name__} must define networks()")

    def state(self) -> dict[str, np.ndarray]:
        """Return copies, by name, of all arrays to save as the run's weights."""
        raise NotImplementedError(f"{type(self).__name__} must define state()")

    def header(self) -> dict:
        """Return what is needed to rebuild the networks, as JSON values for the header of the weights file.

        It is called before anything is measured.
        """
        raise NotImplementedError(f"{type(self).__name__} must define header()")

    def preview(self) -> np.ndarray | None:
        """Return images that show the progress of training, (N, H, W, C), uint8, or None.

        It must not draw from training's random streams or change anything.
        """
        return None

    preview_columns: int | None = None  # of the preview grid; by default it is about square

    def results(self) -> dict:
        """Return the measurements at the end of the run, as JSON values for config.json. Empty before the end."""
        return {}

    def pictures(self) -> dict[str, bytes]:
        """Return PNG files to save at the end of the run. `shown` has a caption for each name."""
        return {}

    def shown(self) -> Shown:
        """Return the parts of the report that are specific to this kind of training."""
        return Shown()

    def words(self, means: Mapping[str, float]) -> str:
        """Describe the current state in a few words; means: the records' numbers, smoothed."""
        kept = ((name, means[name]) for name in means if name not in ("step", "epoch", "seconds"))
        return "  ".join(f"{name.replace('_', ' ')} {number:.3f}" for name, number in kept)

    # ------------------------------------------------------------------------------------------ running

    def run(self) -> None:
        """Train until all steps are done, or until stop(), Ctrl-C, SIGTERM or SIGHUP.

        After a signal, the step and the callbacks finish; then Ctrl-C raises Interrupted, the others Terminated. A
        second Ctrl-C raises KeyboardInterrupt at once.
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
        """End the run after the current step."""
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
        """Call on_end of every callback, even if one raises. Further errors become notes on the first."""
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
    """Return callbacks as a list. Raises TrainingError if they are not callbacks."""
    what = f"callbacks must be a list of mg.training.Callback objects, not {callbacks!r}"
    if isinstance(callbacks, Callback):
        raise TrainingError(f"{what}; put a single one in brackets")
    try:
        callbacks = list(callbacks)
    except TypeError as error:
        raise TrainingError(what) from error
    for callback in callbacks:
        if not all(callable(getattr(callback, name, None)) for name in ("on_start", "on_step", "on_end")):
            raise TrainingError(what)
    return callbacks


class Result:
    """The result of training. Subclasses add the trained model.

    history: a record for every step, see `Callback.on_step`; history.column("generator_loss") is a curve
    settings: the settings of the run
    """

    def __init__(self, trainer: Loop, settings: dict):
        self._trainer = trainer
        self.history: History = trainer.history
        self.settings = settings

    def save(self, folder: str | os.PathLike, force: bool = False) -> None:
        """Write weights, settings, log, a sample grid and the report into a new folder, as `minigan train` does.

        raises RunError if the folder is not empty (with force: holds something other than a run) or cannot be written
        """
        from minigan.training.recorder import Recorder

        Recorder(folder, self.settings, force).record(self._trainer)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._trainer.name!r}, {len(self.history)} steps)"


def check_loss(
    trainer, whose: str, loss: Tensor, images: Tensor | np.ndarray, forward: Callable[[], object], learning_rate: float
) -> None:
    """Raise DivergedError for a loss that is NaN or infinite. The message names the step, the origin and remedies.

    trainer: has `networks()`, `seed` and `step`
    forward: repeats the computation of the loss for the tracer
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
    """Describe where the first value that is not finite arose: in the images, a weight or an operation."""
    images = images.numpy() if isinstance(images, Tensor) else images
    if not np.isfinite(images).all():
        return "the images contain NaN or infinity"
    for title, network in networks.items():
        for name, array in network.state_dict().items():
            if not np.isfinite(array).all():
                return f"the {title.lower()}'s {name} {array.shape} is not finite, so it arose in the previous step"
    return _traced(networks, forward) or "all weights are finite, so it arose in this step"


def _traced(networks, forward):
    """Return the tracer's message on the first operation whose result is not finite, or None."""
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
    """Inside this context, SIGINT, SIGTERM and SIGHUP call ask(signal) instead of ending the process.

    A second SIGINT raises KeyboardInterrupt as usual. SIGTERM and SIGHUP may arrive any number of times, because
    `timeout` and closing terminals send them twice.
    Outside Python's main thread, which alone can set handlers, nothing changes. Signals that the process ignores
    (SIGHUP under nohup, SIGINT in a background job) or handles itself are left alone.
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
    """Inside this context, SIGTERM and SIGHUP raise SystemExit, so that no partial file and no lock is left."""
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
    """Return the signals that would end the process, with their current handlers."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
    return {
        number: handler
        for number, handler in handlers.items()
        if (callable(handler) if number == signal.SIGINT else handler in (signal.SIG_DFL, _leave))
    }
