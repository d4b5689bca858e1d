"""Keeping a run: the callback that fills a run folder during training."""

import json
import os
import time

import numpy as np

from minigan.training import environment, files, report, weights
from minigan.training.callbacks import Callback
from minigan.training.errors import RunError
from minigan.training.folder import CONFIG, ENVIRONMENT, FORMAT, LOG, ROOM, WEIGHTS, RunFolder
from minigan.training.grids import grid_png

GRIDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85)  # shares of the run; the first and last step besides
SECONDS = 60  # between savings of the weights, at most
MARGIN = 1 << 16  # bytes of room more than the weights take now, for the header's numbers


class Recorder(Callback):
    """Writes settings, a log, sample grids, weights and a report into a folder of their own.

    out: must not exist, or be empty; with force, a run that is there is replaced
    settings: kept in config.json and shown in the report
    every: steps between sample grids; unless given, there are eleven, close together at first
    raises RunError, from on_start, where the folder cannot be had, so before anything was trained
    """

    def __init__(self, out: str | os.PathLike, settings: dict, force: bool = False, every: int | None = None):
        environment.require(environment.REPORTING, "a run folder")
        self.folder = RunFolder(out)
        self.folder.check_free(force)
        self.settings, self.force, self.every = settings, force, every
        self.room = files.Room(self.folder / ROOM)
        self.log = None
        self.saved = None  # the step whose weights are on the disk
        self._shown = 0  # the step of the latest grid
        self._at = 0.0

    def on_start(self, trainer):
        self.folder.create(self.force)
        try:
            # Room first: where there is none, a run that is to be replaced is still whole.
            self.room.take(len(weights.packed(trainer.header(), trainer.state())) + MARGIN)
            self.folder.set_aside(ROOM)
            self._write_config(trainer)
            self.folder.write_json(ENVIRONMENT, environment.describe())
            self.log = _Log(self.folder / LOG)
        except RunError:
            self.room.free()
            self.folder.remove_if_empty()
            raise
        self._at = time.perf_counter()

    def on_step(self, trainer, record):
        self.log.add(record)
        if self._is_shown(trainer) and trainer.step < trainer.steps:
            self._show(trainer)
            self._save_weights(trainer)
        elif time.perf_counter() - self._at > SECONDS:
            self._save_weights(trainer)

    def record(self, trainer) -> None:
        """Keep a run that was not recorded while it trained."""
        self.on_start(trainer)
        for record in trainer.history:
            self.log.add(record)
        self.on_end(trainer)

    def on_end(self, trainer):
        if self.log is None:  # the folder was never had
            return
        try:
            if trainer.outcome != "aborted":
                self._finish(trainer)
        finally:
            self.log.close()
            self.room.free()
            if self.saved is None and self.folder.restore() and trainer.error is not None:
                trainer.error.add_note(f"The run that was to be replaced is still in {self.folder.path}.")

    def _is_shown(self, trainer):
        if self.every:
            return trainer.step % self.every == 0
        return trainer.step in {1, *(round(share * trainer.steps) for share in GRIDS)}

    def _finish(self, trainer):
        """Weights first: whatever else fails, they are there."""
        problems = []
        for act in (
            self._save_weights,
            self._show,
            self._flush_log,
            self._write_config,  # it names the pictures
            self._keep_pictures,
            self._write_report,
        ):
            try:
                act(trainer)
            except RunError as error:
                problems.append(error)
                self.room.free()  # the weights are written, or cannot be: what is left may use it
        if trainer.error is not None:
            trainer.error.add_note(self._where_weights_are())
        elif problems:
            problems[0].add_note(self._where_weights_are())
        if problems:
            raise problems[0]

    def _save_weights(self, trainer):
        if self.saved == trainer.step or not trainer.step:
            return
        state = trainer.state()
        if not all(np.isfinite(array).all() for array in state.values()):
            return  # the last good ones stay
        self.room.free()
        header = {**trainer.header(), "step": trainer.step, "seed": trainer.seed}
        weights.save(self.folder / WEIGHTS, header, state)
        self.saved, self._at = trainer.step, time.perf_counter()
        self.folder.forget()
        if trainer.step < trainer.steps:
            self.room.take((self.folder / WEIGHTS).stat().st_size + MARGIN)

    def _show(self, trainer):
        if trainer.step != self._shown and trainer.outcome != "failed":
            images = trainer.preview()
            if images is not None:
                self.folder.write_grid(trainer.step, grid_png(images, trainer.preview_columns))
            self._shown = trainer.step

    def _keep_pictures(self, trainer):
        if trainer.step and trainer.outcome != "failed":
            for name, content in trainer.pictures().items():
                self.folder.write_picture(name, content)

    def _flush_log(self, trainer):
        self.log.flush(last=True)

    def _write_config(self, trainer):
        networks = trainer.networks()
        self.folder.write_json(
            CONFIG,
            {
                "format": FORMAT,
                **self.settings,
                "steps_done": trainer.step,
                "outcome": trainer.outcome,
                "parameters": {title: network.parameter_count() for title, network in networks.items()},
                "networks": {title: repr(network) for title, network in networks.items()},
                "results": trainer.results(),
                "shown": trainer.shown().plain(),
                "peak_memory": environment.peak_memory(),
            },
        )

    def _write_report(self, trainer):
        if trainer.step:
            report.write(self.folder)

    def _where_weights_are(self):
        if self.saved is None:
            return "No weights were saved yet."
        return f"The weights of step {self.saved} are in {self.folder / WEIGHTS}."


class _Log:
    """log.jsonl: lines reach the file about every second, and the disk at the end."""

    def __init__(self, path):
        self.path, self.lines, self.at = path, [], time.perf_counter()
        try:
            self.file = open(path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise files.failure(path, error) from error

    def add(self, record):
        kept = {key: round(v, 6) if isinstance(v, float) else v for key, v in record.items()}
        self.lines.append(json.dumps(kept).encode() + b"\n")
        if time.perf_counter() - self.at > 1:
            self.flush()

    def flush(self, last=False):
        self.at = time.perf_counter()
        content = b"".join(self.lines)
        try:
            while content:  # a full disk takes part of it first
                content = content[self.file.write(content) :]
            if last:
                os.fsync(self.file.fileno())
        except OSError as error:
            raise files.failure(self.path, error) from error
        self.lines.clear()

    def close(self):
        self.file.close()
