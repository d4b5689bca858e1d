"""The errors minigan raises on purpose; each message says what was called, with what, and what to do."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigan.training import Result


class MiniganError(Exception):
    """Anything minigan refuses to do. The command line prints these without a traceback."""


class ShapeError(MiniganError, ValueError):
    """Shapes that do not fit one another or the operation."""


class DtypeError(MiniganError, TypeError):
    """A dtype that the operation does not take."""


class GraphError(MiniganError, RuntimeError):
    """A gradient that cannot be had: the graph was freed, its values were overwritten, or it leads nowhere."""


class NumpyFunctionError(GraphError, TypeError):
    """A function of NumPy was given a Tensor whose gradient it would lose."""


class DataError(MiniganError, ValueError):
    """A file or data set that is missing, truncated, foreign or corrupt."""


class UnknownNameError(MiniganError, LookupError):
    """A name that stands for nothing, with the nearest ones that do."""

    def __init__(self, kind: str, name: str, known: Iterable[str], synonyms: Mapping[str, str] = MappingProxyType({})):
        known = sorted(known)
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
        if str(name) in synonyms:
            near = [synonyms[str(name)]]
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
        super().__init__(f"no {kind} is called {name!r}; {hint}")

    @classmethod
    def check(
        cls, kind: str, name: str, known: Iterable[str], synonyms: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Raise the error for anything but one of the known names; synonyms: what others call some of them."""
        if not isinstance(name, str) or name not in known:
            raise cls(kind, name, known, synonyms)


class DeviceError(MiniganError, RuntimeError):
    """Arrays are on different devices, or a device or what it needs is not there."""


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

    result: Result | None = None

    def __init__(self, step: int, number: int = signal.SIGINT):
        super().__init__(f"stopped after step {step}")
        self.step, self.signal = step, signal.Signals(number)


class Terminated(Interrupted, SystemExit):
    """The same by SIGTERM or SIGHUP, which ask the whole process to end: a script that does not catch it does so."""

    def __init__(self, step: int, number: int):
        super().__init__(step, number)
        self.code = 128 + number
