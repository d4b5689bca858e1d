"""How training is going, on a terminal as a bar, anywhere else as a line now and then."""

import sys
import time

from minigan.training.callbacks import Callback
from minigan.training.streams import Steady

SECONDS = 5  # between lines where there is no terminal


def clock(seconds: float) -> str:
    """Seconds as 0:07, 12:34 or 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Pace:
    """Steps per second over the last while; the first step, which compiles, does not count once there are others."""

    KEPT = 50

    def __init__(self):
        self.times = []

    def add(self, seconds: float) -> None:
        self.times = [*self.times, seconds][-self.KEPT :]

    @property
    def rate(self) -> float:
        """Steps per second, 0 where it is not known yet."""
        took = self.times[-1] - self.times[0] if len(self.times) > 1 else 0
        return (len(self.times) - 1) / took if took else 0.0


class Progress(Callback):
    """A progress bar with rate, time left and what is measured (smoothed), in the trainer's words; its notes first.

    stream: where to write, standard error by default. Without a terminal (or without rich): a plain line now and then.
    """

    def __init__(self, stream=None):
        self.stream = stream
        self.pace = Pace()
        self.mean = {}
        self.bar = None
        self.told = 0.0

    def on_start(self, trainer):
        self.stream = Steady(self.stream or sys.stderr)
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
        elif trainer.step in (1, trainer.steps) or time.perf_counter() - self.told > SECONDS:
            self.told = time.perf_counter()
            done = f"step {trainer.step:{len(str(trainer.steps))}}/{trainer.steps}"
            print(f"{done}  {self.speed(trainer)}  {trainer.words(self.mean)}", file=self.stream, flush=True)

    def on_end(self, trainer):
        if self.bar:
            self.bar.stop()
        if trainer.outcome == "interrupted":
            print(f"stopping after step {trainer.step} (Ctrl-C again: at once)", file=self.stream, flush=True)

    def speed(self, trainer) -> str:
        """Rate and time left, in words."""
        rate = self.pace.rate
        if not rate:
            return "compiling"
        shown = f"{rate:.1f} steps/s" if rate >= 1 else f"{1 / rate:.1f} s/step"
        return f"{shown}  {clock((trainer.steps - trainer.step) / rate)} left"


def _bar(stream, trainer):
    """A bar if the stream is a terminal that can show one, else None."""
    if not stream.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(file=stream)
    return None if console.is_dumb_terminal else _Bar(console, trainer)


class _Bar:
    """Two lines: the bar with rate and time left, and below it the figures."""

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
