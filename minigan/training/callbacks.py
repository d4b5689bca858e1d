"""Callbacks that watch a run, the progress bar, and the stream that it is written to."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, TextIO

from minigan.training.inputs import whole

if TYPE_CHECKING:
    from minigan.training.loop import Loop


class Callback:
    """Watches a training run. Override the methods that you need.

    The trainer has `name`, `step` (steps done), `steps` (total steps), `history`, `batches`, `networks()`, `preview()`
    and `stop()`, and `model` (for GANs also `gan`).
    Callbacks must not draw from the random streams that training uses, so that a run is the same with and without them.
    """

    def on_start(self, trainer: Loop) -> None:
        """Called once, before the first step."""

    def on_step(self, trainer: Loop, record: dict) -> None:
        """Called after every step.

        record: step and epoch (from 1), seconds since the start, and the step's measurements. For a GAN these are
            discriminator_loss, generator_loss, real_accuracy and fake_accuracy (the shares of the real and the
            generated images that the discriminator classified correctly before its update).
        """

    def on_end(self, trainer: Loop) -> None:
        """Called once at the end, however the run ends.

        trainer.outcome: "finished", "interrupted" (Ctrl-C or stop(), after a whole step), "failed" or "aborted"
            (in the middle of a step, by a second Ctrl-C)
        """


class Every(Callback):
    """Calls function(trainer, record) every `every` steps.

    mg.gan.fit(..., callbacks=[mg.gan.Every(100, lambda trainer, record: print(record["generator_loss"]))])
    """

    def __init__(self, steps: int, function):
        self.steps, self.function = whole("Every: steps", steps, needed=True), function

    def on_step(self, trainer, record):
        if trainer.step % self.steps == 0:
            self.function(trainer, record)


class SafeStream:
    """A text stream that never raises: once a write fails, all further output is dropped.

    stream: standard output, standard error or another one; with None (Python's value for a closed one) all is dropped
    lost: the error of the first write that failed, or None
    """

    def __init__(self, stream: TextIO | None):
        self.stream, self.lost = stream, None

    def write(self, text: str) -> int:
        if isinstance(text, str):
            self._try("write", text)
            return len(text)
        return self.stream.write(text)  # raises, as the caller's error should

    def flush(self) -> None:
        self._try("flush")

    def isatty(self) -> bool:
        return self.stream is not None and not self.lost and self.stream.isatty()

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def _try(self, name, *text):
        if self.stream is None or self.lost:
            return
        try:
            try:
                getattr(self.stream, name)(*text)
            except UnicodeEncodeError as error:  # the stream's encoding lacks a character
                shown = text[0].encode(error.encoding, "backslashreplace").decode(error.encoding)
                self.stream.write(shown)
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            self.lost = error
            self._discard()

    def _discard(self):
        """Redirect the stream to the null device, so that Python does not fail to flush its buffer at exit."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):  # not backed by a file
            return


SECONDS = 5  # between progress lines without a terminal


def clock(seconds: float) -> str:
    """Format seconds as 0:07, 12:34 or 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Pace:
    """Steps per second over the last KEPT steps. The time of the first step, which compiles kernels, does not count."""

    KEPT = 50

    def __init__(self):
        self.times = []

    def add(self, seconds: float) -> None:
        self.times = [*self.times, seconds][-self.KEPT :]

    @property
    def rate(self) -> float:
        """Steps per second, 0 while unknown."""
        took = self.times[-1] - self.times[0] if len(self.times) > 1 else 0
        return (len(self.times) - 1) / took if took else 0.0


class Progress(Callback):
    """Prints the trainer's notes, then a progress bar with rate, time left and smoothed measurements.

    stream: where to write, by default standard error. Without a terminal or without rich, plain lines are printed.
    """

    def __init__(self, stream=None):
        self.stream = stream
        self.pace = Pace()
        self.mean = {}
        self.bar = None
        self.last_print = 0.0

    def on_start(self, trainer):
        self.stream = SafeStream(self.stream or sys.stderr)
        for note in trainer.notes:
            print(note, file=self.stream)
        self.bar = _bar(self.stream, trainer)

    def on_step(self, trainer, record):
        self.pace.add(record["seconds"])
        weight = max(0.05, 1 / trainer.step)
        for name, number in record.items():
            self.mean[name] = self.mean.get(name, number) * (1 - weight) + number * weight
        if self.bar:
            self.bar.update(trainer, self)
        elif trainer.step in (1, trainer.steps) or time.perf_counter() - self.last_print > SECONDS:
            self.last_print = time.perf_counter()
            done = f"step {trainer.step:{len(str(trainer.steps))}}/{trainer.steps}"
            print(f"{done}  {self.speed(trainer)}  {trainer.words(self.mean)}", file=self.stream, flush=True)

    def on_end(self, trainer):
        if self.bar:
            self.bar.stop()
        if trainer.outcome == "interrupted":
            print(
                f"stopping after step {trainer.step} (press Ctrl-C again to stop at once)", file=self.stream, flush=True
            )

    def speed(self, trainer) -> str:
        """Describe the rate and the time left."""
        rate = self.pace.rate
        if not rate:
            return "compiling"
        shown = f"{rate:.1f} steps/s" if rate >= 1 else f"{1 / rate:.1f} s/step"
        return f"{shown}  {clock((trainer.steps - trainer.step) / rate)} left"


def _bar(stream, trainer):
    """Return a bar if the stream is a terminal that can show one, else None."""
    if not stream.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(file=stream)
    return None if console.is_dumb_terminal else _Bar(console, trainer)


class _Bar:
    """Two lines: the bar with rate and time left, and the figures below it."""

    def __init__(self, console, trainer):
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class TwoLines(RichProgress):
            def get_renderables(self):
                yield self.make_tasks_table(self.tasks)
                yield Text(self.tasks[0].fields["figures"] if self.tasks else "", style="dim")

        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("[cyan]{task.fields[speed]}"),
        )
        self.progress = TwoLines(*columns, console=console, expand=True)
        self.task = self.progress.add_task(trainer.name, total=trainer.steps, speed="compiling", figures="")
        self.progress.start()

    def update(self, trainer, state):
        speed, figures = state.speed(trainer), trainer.words(state.mean)
        self.progress.update(self.task, completed=trainer.step, speed=speed, figures=figures)

    def stop(self):
        self.progress.stop()


class Downloads:
    """Shows the progress of a download: one line, rewritten, on a terminal; a new line every 5 seconds elsewhere."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.last_print, self.open = 0.0, False

    def report(self, name: str, there: int, total: int) -> None:
        """Show that `there` of `total` bytes of a file have arrived."""
        now = time.perf_counter()
        if there < total and now - self.last_print < (0.1 if self.live else 5):
            return
        self.last_print = now
        line = f"downloading {name}: {there / 1e6:.1f} of {total / 1e6:.1f} MB"
        print(f"\r{line}" if self.live else line, end="" if self.live else "\n", file=self.stream, flush=True)
        self.open = self.live
        if there >= total:
            self._close_line()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._close_line()

    def _close_line(self):
        if self.open:
            print(file=self.stream)
            self.open = False
