"""Keeping a run: the callback that fills a run folder during training."""

import hashlib
import json
import os
import platform
import sys
import time
import warnings

import numpy as np

from minigan.data.arrays import python_number
from minigan.errors import MiniganError, RunError, RunWarning
from minigan.training import files, inputs, report, weights
from minigan.training.callbacks import Callback
from minigan.training.folder import CONFIG, ENVIRONMENT, FORMAT, LOG, ROOM, WEIGHTS, RunFolder
from minigan.training.grids import grid_png
from minigan.training.report import Shown

GRIDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85)  # shares of the run; the first and last step besides
SECONDS = 60  # between savings of the weights, at most
MARGIN = 1 << 16  # bytes of room more than the weights take now, for the header's numbers


class Recorder(Callback):
    """Writes settings, a log, sample grids, weights and a report into a folder of their own.

    out: must not exist, or be empty; with force, a run that is there is replaced once the new one is whole
    settings: kept in config.json; the report shows model, data, images, image_shape, steps, batch and seed
    every: steps between sample grids; by default there are eleven, close together at first
    raises RunError, from on_start, where the folder cannot be had, so before anything was trained

    A disk that is full, or lets nothing be written, does not end training: it is said in a RunWarning, and tried again.
    At the end weights come first, then log and configuration, then what is measured on held-out images, then what is
    drawn. A run is whole with weights, log and configuration; without one of them on_end raises. Whatever else fails is
    named in config.json and in the report, and said in a RunWarning (a note to the error that ended the run, if one
    did).
    """

    def __init__(self, out: str | os.PathLike, settings: dict, force: bool = False, every: int | None = None):
        inputs.require(inputs.REPORTING, "a run folder")
        self.folder = RunFolder(out)
        self.folder.check_free(force)
        self.settings, self.force, self.every = {**settings, "run": _name_of(settings)}, force, every
        self.log = None
        self.saved = None  # the step whose weights are on the disk
        self.problems: list[str] = []  # what could not be measured or drawn, and why
        self._results, self._described = {}, Shown().plain()
        self._shown = 0  # the step of the latest grid
        self._warned = False  # that the disk is in the way
        self._at = 0.0

    def on_start(self, trainer):
        self.claim = self.folder.claim(self.force)
        self.place = self.claim.place
        self.room = files.Room(self.place / ROOM)
        try:
            self.room.take(len(weights.packed(trainer.header(), trainer.state())) + MARGIN)
            self._describe(trainer)
            self._write_config(trainer)
            self.place.write_json(ENVIRONMENT, environment())
            self.log = _Log(self.place / LOG)
        except BaseException:
            self.place.remove()
            self.claim.end()
            raise
        self._at = time.perf_counter()

    def on_step(self, trainer, record):
        self._meanwhile(self.log.follow, trainer.history)
        if self._is_shown(trainer) and trainer.step < trainer.steps:
            self._meanwhile(self._save_weights, trainer)
            self._try("the sample grid could not be drawn", self._show, trainer)
        elif time.perf_counter() - self._at > SECONDS:
            self._at = time.perf_counter()
            self._meanwhile(self._save_weights, trainer)

    def record(self, trainer) -> None:
        """Keep a run that was not recorded while it trained."""
        self.on_start(trainer)
        self.on_end(trainer)

    def on_end(self, trainer):
        if self.log is None:  # the folder was never had
            return
        error = trainer.error
        try:
            if trainer.outcome != "aborted":
                self._finish(trainer)
        except BaseException as problem:  # a second Ctrl-C too: what it came after is saved
            error = error or problem
            raise
        finally:
            self.log.close()
            self.room.free()
            replaces = self.claim.replaces
            self.claim.end()
            if error is not None:
                error.add_note(self._where_weights_are())
                if replaces:
                    error.add_note(f"The run that was to be replaced is still in {self.folder.path}.")

    def _is_shown(self, trainer):
        if self.every:
            return trainer.step % self.every == 0
        return trainer.step in {1, *(round(share * trainer.steps) for share in GRIDS)}

    def _finish(self, trainer):
        failed = [_error(act, trainer) for act in (self._save_last_weights, self._finish_log, self._write_config)]
        self.room.free()  # the weights are written, or cannot be: what is left may use it
        for problem, act in (
            ("the held-out images could not be measured", self._measure),
            ("the sample grid could not be drawn", self._show),
            ("what the report says could not be worked out", self._describe),
            ("the configuration could not be completed", self._write_config),  # it names the pictures
            ("the pictures could not be drawn", self._keep_pictures),
            ("the report could not be written", self._write_report),
        ):
            self._try(problem, act, trainer)
        failed.append(_error(self._name_problems, trainer))
        if not any(failed) and trainer.outcome != "failed":
            failed.append(_error(self._commit, trainer))
        self._say(trainer, [error for error in failed if error])

    def _say(self, trainer, failed):
        """Say what could not be done, and raise the first error of what a run cannot do without."""
        if trainer.error is not None:
            for problem in (*self.problems, *map(str, failed)):
                trainer.error.add_note(problem)
        elif failed:
            raise failed[0]
        elif self.problems:
            warnings.warn(RunWarning(f"{'; '.join(self.problems)}. {self._where_weights_are()}"), stacklevel=2)

    def _try(self, problem, act, trainer):
        """Do what a run is whole without. Where it fails, say so at the end and go on."""
        error = _error(act, trainer)
        if error is not None:
            words = str(error) if isinstance(error, MiniganError) else f"{type(error).__name__}: {error}"
            sentence = f"{problem} ({words.removesuffix(': ')})"
            if sentence not in self.problems:
                self.problems.append(sentence)

    def _meanwhile(self, act, argument):
        """Do what is done again later. Where the disk is in the way, say so the first time and go on."""
        try:
            act(argument)
        except RunError as error:
            if not self._warned:
                warnings.warn(RunWarning(f"{error}. Training goes on, and saving is tried again"), stacklevel=2)
            self._warned = True

    def _save_last_weights(self, trainer):
        self._save_weights(trainer)
        if self.saved != trainer.step and trainer.step and trainer.error is None:
            raise RunError(
                f"{self.place / WEIGHTS}: the weights of step {trainer.step} hold NaN or infinity, so they were not "
                "saved; try a smaller learning rate"
            )

    def _save_weights(self, trainer):
        if self.saved == trainer.step or not trainer.step:
            return
        state = trainer.state()
        if all(np.isfinite(array).all() for array in state.values()):  # otherwise the last good ones stay
            self._write_weights(trainer, state)

    def _write_weights(self, trainer, state):
        self.room.free()
        results = {"results": self._results} if self._results else {}
        header = {**trainer.header(), **results, "step": trainer.step, "seed": trainer.seed}
        header["run"] = self.settings["run"]
        weights.save(self.place / WEIGHTS, header, state)
        self.saved, self._at = trainer.step, time.perf_counter()
        if trainer.outcome == "running":
            self.room.take((self.place / WEIGHTS).stat().st_size + MARGIN)

    def _finish_log(self, trainer):
        self.log.follow(trainer.history)  # where another callback failed, its step is not there yet
        self.log.flush(last=True)

    def _measure(self, trainer):
        self._results = trainer.results()
        if self._results and self.saved == trainer.step:
            self._write_weights(trainer, trainer.state())  # with the results in the header

    def _show(self, trainer):
        if trainer.step != self._shown and trainer.outcome != "failed":
            self._shown = trainer.step
            images = trainer.preview()
            if images is not None:
                self.place.write_grid(trainer.step, grid_png(images, trainer.preview_columns))

    def _describe(self, trainer):
        self._described = trainer.shown().plain()

    def _keep_pictures(self, trainer):
        if trainer.step and trainer.outcome != "failed":
            for name, content in trainer.pictures().items():
                self.place.write_picture(name, content)

    def _write_config(self, trainer):
        networks, self._named = trainer.networks(), len(self.problems)
        self.place.write_json(
            CONFIG,
            {
                "format": FORMAT,
                **self.settings,
                "steps_done": trainer.step,
                "outcome": trainer.outcome,
                "parameters": {title: network.parameter_count() for title, network in networks.items()},
                "networks": {title: repr(network) for title, network in networks.items()},
                "results": self._results,
                "shown": self._described,
                "problems": self.problems,
            },
        )

    def _name_problems(self, trainer):
        if len(self.problems) > self._named:
            self._write_config(trainer)

    def _write_report(self, trainer):
        self._name_problems(trainer)
        self.place.write_json(ENVIRONMENT, {**self.place.environment(), "peak_memory": peak_memory()})
        if trainer.step:
            report.write(self.place)

    def _commit(self, trainer):
        """Replace the run that was there, unless this one has no weights of its last step."""
        if self.saved == trainer.step:
            try:
                self.claim.commit()
            finally:
                self.place = self.claim.place

    def _where_weights_are(self):
        if self.saved is None:
            return "No weights were saved yet."
        file = self.place / WEIGHTS
        if not file.exists():
            return f"The weights of step {self.saved} were saved in {file}, which is no longer there."
        return f"The weights of step {self.saved} are in {file}."


def _name_of(settings):
    """What tells a run's files from those of another: eight digits of the SHA-256 of its settings."""
    text = json.dumps(settings, sort_keys=True, default=python_number)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _error(act, trainer):
    """What an act raises, None where it does what it should."""
    try:
        act(trainer)
    except Exception as error:
        return error
    return None


class _Log:
    """log.jsonl: lines reach the file about every second, and the disk at the end."""

    def __init__(self, path):
        self.path, self.lines, self.at, self.count = path, [], time.perf_counter(), 0
        try:
            self.file = open(path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise files.failure(path, error) from error

    def follow(self, history):
        """Add the records that are not there yet."""
        for record in history[self.count :]:
            kept = {key: round(v, 6) if isinstance(v, float) else v for key, v in record.items()}
            self.lines.append(json.dumps(kept).encode() + b"\n")
        self.count = len(history)
        if time.perf_counter() - self.at > 1:
            self.flush()

    def flush(self, last=False):
        self.at = time.perf_counter()
        self.lines = [b"".join(self.lines)]
        try:
            while self.lines[0]:  # a full disk takes part of it first
                self.lines[0] = self.lines[0][self.file.write(self.lines[0]) :]
            if last:
                os.fsync(self.file.fileno())
        except OSError as error:
            raise files.failure(self.path, error) from error
        self.lines.clear()

    def close(self):
        self.file.close()


def environment() -> dict:
    """What a run folder and a report say about where they come from: plain strings and numbers."""
    import minigan

    return {
        "minigan": minigan.__version__,
        "python": platform.python_version(),
        **{name: inputs.version(name) for name in inputs.PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": cores(),
        "threads": minigan.get_threads(),
        "device": "cpu",
    }


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def peak_memory() -> int | None:
    """The most memory this process has held, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
