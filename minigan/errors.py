"""The errors that minigan raises. Each message names the call, what it received, and what to do."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigan.training import Result


class MiniganError(Exception):
    """The base class of minigan's errors. The command line prints them without a traceback."""


class ShapeError(MiniganError, ValueError):
    """Shapes do not fit each other or the operation."""


class DtypeError(MiniganError, TypeError):
    """The operation does not accept this dtype."""


class GraphError(MiniganError, RuntimeError):
    """A gradient cannot be computed: the graph was freed, its values were overwritten, or it leads nowhere."""


class NumpyFunctionError(GraphError, TypeError):
    """A NumPy function was called with a Tensor whose gradient it would lose."""


class DataError(MiniganError, ValueError):
    """A file or dataset is missing, truncated, corrupt or of another format."""


class UnknownNameError(MiniganError, LookupError):
    """A name is unknown. The message suggests similar names."""

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
        """Raise the error unless `name` is one of the known names; synonyms: other names for some of them."""
        if not isinstance(name, str) or name not in known:
            raise cls(kind, name, known, synonyms)


class DeviceError(MiniganError, RuntimeError):
    """Arrays are on different devices, or a device or something that it needs is missing."""


class TrainingError(MiniganError, ValueError):
    """The model cannot be trained with these settings."""


class DivergedError(MiniganError, ArithmeticError):
    """A loss became NaN or infinite."""


class RunError(MiniganError, OSError):
    """A run folder cannot be created, written or read. Nothing in it was lost."""


class RunWarning(UserWarning):
    """Part of an otherwise complete run is missing: a measurement, a picture, the report."""


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop. It finished its step and saved everything first.

    step: the number of steps done
    signal: the signal that stopped it, such as signal.SIGINT (Ctrl-C)
    result: what `fit` would have returned, with the model, if `fit` was stopped
    """

    result: Result | None = None

    def __init__(self, step: int, number: int = signal.SIGINT):
        super().__init__(f"stopped after step {step}")
        self.step, self.signal = step, signal.Signals(number)


class Terminated(Interrupted, SystemExit):
    """Interrupted by SIGTERM or SIGHUP. These ask the whole process to end, so a script that does not catch it ends."""

    def __init__(self, step: int, number: int):
        super().__init__(step, number)
        self.code = 128 + number
