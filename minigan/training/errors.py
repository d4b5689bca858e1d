"""What can go wrong with a run, apart from its data."""

from minigan.errors import MiniganError


class TrainingError(MiniganError, ValueError):
    """Settings that no training can be done with."""


class DivergedError(MiniganError, ArithmeticError):
    """A loss that is no longer a number."""


class RunError(MiniganError, OSError):
    """A run folder that cannot be made, written or read; nothing in it was lost."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after the step was finished and everything was saved.

    step: how many steps were done
    """

    def __init__(self, step: int):
        super().__init__(f"stopped after step {step}")
        self.step = step
