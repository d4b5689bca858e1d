"""The callback that writes the run folder during training."""

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

GRIDS = (
    0.02,
    0.05,
    0.1,
    0.2,
    0.3,
    0.4,
    0.55,
    0.7,
    0.85,
)  # shares of the run at which a grid is drawn, besides the first and last step
SECONDS = 60  # at most, between two saves of the weights
MARGIN = 1 << 16  # bytes reserved beyond the weights' current size, for longer headers


class Recorder(Callback):
    """Writes settings, a log, sample grids, weights and a report to a run folder.

    out: a folder that does not exist or is empty; with force, a run in it is replaced once the new one is complete
    settings: saved in config.json; the report shows model, data, images, image_shape, steps, batch and seed
    every: steps between sample grids; by default eleven grids are drawn, more of them early
    raises RunError from on_start, before any training, if the folder cannot be used

    If the disk is full or not writable, training continues: a RunWarning is issued, and saving is tried again.
    At the end, the weights are saved first, then the log and the configuration; then held-out images are measured, and
    pictures are drawn. Weights, log and configuration make a run complete: on_end raises if one of them cannot be
    saved. Any other failure is recorded in config.json and the report, and reported as a RunWarning (or as a note on
    the error that ended the run).
    """

    def __init__(self, out: str | os.PathLike, settings: dict, force: bool = False, every: int | None = None):
        inputs.require(inputs.REPORTING, "a run folder")
        self.folder = RunFolder(out)
        self.folder.check_free(force)
        self.settings, self.force, self.every = {**settings, "run": _name_of(settings)}, force, every
        self.log = None
        self.saved = None  # the step of the weights on disk
        self.problems: list[str] = []  # what could not be measured or drawn, and why
        self._results, self._described = {}, Shown().plain()
        self._shown = 0  # the step of the latest grid
        self._warned = False  # whether a failed save has been reported
        self._at = 0.0

    def on_start(self, trainer):
        self.claim = self.folder.claim(self.force)
        self.place = self.claim.place
        self.room = files.ReservedSpace(self.place / ROOM)
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
        """Save a run after training without a recorder."""
        self.on_start(trainer)
        self.on_end(trainer)

    def on_end(self, trainer):
        if self.log is None:  # on_start failed
            return
        error = trainer.error
        try:
            if trainer.outcome != "aborted":
                self._finish(trainer)
        except BaseException as problem:  # also a second Ctrl-C: the error still gets the notes below
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
                    error.add_note(f"The old run is still in {self.folder.path}.")

    def _is_shown(self, trainer):
        if self.every:
            return trainer.step % self.every == 0
        return trainer.step in {1, *(round(share * trainer.steps) for share in GRIDS)}

    def _finish(self, trainer):
        failed = [_error(act, trainer) for act in (self._save_last_weights, self._finish_log, self._write_config)]
        self.room.free()  # no more weights will be written, so other files may use it
        for problem, act in (
            ("the held-out images could not be measured", self._measure),
            ("the sample grid could not be drawn", self._show),
            ("the contents of the report could not be prepared", self._describe),
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
        """Report all problems, and raise the first error that leaves the run incomplete."""
        if trainer.error is not None:
            for problem in (*self.problems, *map(str, failed)):
                trainer.error.add_note(problem)
        elif failed:
            raise failed[0]
        elif self.problems:
            warnings.warn(RunWarning(f"{'; '.join(self.problems)}. {self._where_weights_are()}"), stacklevel=2)

    def _try(self, problem, act, trainer):
        """Do something optional. If it fails, record the problem and continue."""
        error = _error(act, trainer)
        if error is not None:
            words = str(error) if isinstance(error, MiniganError) else f"{type(error).__name__}: {error}"
            sentence = f"{problem} ({words.removesuffix(': ')})"
            if sentence not in self.problems:
                self.problems.append(sentence)

    def _meanwhile(self, act, argument):
        """Do something that will be tried again later. If the disk fails, warn the first time and continue."""
        try:
            act(argument)
        except RunError as error:
            if not self._warned:
                warnings.warn(RunWarning(f"{error}. Training continues, and saving will be tried again"), stacklevel=2)
            self._warned = True

    def _save_last_weights(self, trainer):
        self._save_weights(trainer)
        if self.saved != trainer.step and trainer.step and trainer.error is None:
            raise RunError(
                f"{self.place / WEIGHTS}: the weights of step {trainer.step} contain NaN or infinity, so they were not "
                "saved; try a smaller learning rate"
            )

    def _save_weights(self, trainer):
        if self.saved == trainer.step or not trainer.step:
            return
        state = trainer.state()
        if all(np.isfinite(array).all() for array in state.values()):  # otherwise keep the last finite ones
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
        self.log.follow(trainer.history)  # if another callback failed, the last step is not logged yet
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
        """Replace the old run, unless the weights of this one's last step were not saved."""
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
    """Return the identifier of a run's files: eight digits of the SHA-256 of its settings."""
    text = json.dumps(settings, sort_keys=True, default=python_number)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _error(act, trainer):
    """Call act(trainer). Returns the exception that it raised, or None."""
    try:
        act(trainer)
    except Exception as error:
        return error
    return None


class _Log:
    """Writes log.jsonl about every second, and flushes it to disk at the end."""

    def __init__(self, path):
        self.path, self.lines, self.at, self.count = path, [], time.perf_counter(), 0
        try:
            self.file = open(path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise files.failure(path, error) from error

    def follow(self, history):
        """Add the records that are not in the log yet."""
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
            while self.lines[0]:  # a full disk may accept only a part
                self.lines[0] = self.lines[0][self.file.write(self.lines[0]) :]
            if last:
                os.fsync(self.file.fileno())
        except OSError as error:
            raise files.failure(self.path, error) from error
        self.lines.clear()

    def close(self):
        self.file.close()


def environment() -> dict:
    """Return versions and hardware for run folders and reports, as strings and numbers."""
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
    """Return the processor's name as reported by the system."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not available on this system
        return os.cpu_count() or 1


def peak_memory() -> int | None:
    """Return this process's peak memory in bytes, or None if the system does not report it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
