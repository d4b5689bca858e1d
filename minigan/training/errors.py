"""What can go wrong with a run, apart from its data."""

import signal

from minigan.errors import MiniganError


class TrainingError(MiniganError, ValueError):
    """Settings that no training can be done with."""


class DivergedError(MiniganError, ArithmeticError):
    """A loss that is no longer a number."""


class RunError(MiniganError, OSError):
    """A run folder that cannot be made, written or read; nothing in it was lost."""


class RunWarning(UserWarning):
    """What is missing from a run that is otherwise whole: a measurement, a picture, the report."""


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop, and did so after its step was finished and everything was saved.

    step: how many steps were done
    signal: what asked, as signal.SIGINT (Ctrl-C)
    result: what `fit` would have returned, where it was `fit` that was stopped: the model is in it
    """

    result = None

    def __init__(self, step: int, number: int = signal.SIGINT):
        super().__init__(f"stopped after step {step}")
        self.step, self.signal = step, signal.Signals(number)


class Terminated(Interrupted, SystemExit):
    """The same by SIGTERM or SIGHUP, which ask the whole process to end: a script that does not catch it does so."""

    def __init__(self, step: int, number: int):
        super().__init__(step, number)
        self.code = 128 + number
