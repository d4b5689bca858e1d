"""What a run of a suite was asked for; every suite is a function of one of these."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks import machine
from minigan.errors import MiniganError, UnknownNameError

DEVICES = ("cpu",)


@dataclass
class Request:
    """A suite, its peer or None, threads for both sides, pairs of samples, the case or None for all, the device.

    case: a name, or a pattern such as "dcgan-64/*"
    raises MiniganError for a device that this version has no kernels for
    """

    suite: str
    peer: str | None
    threads: int
    samples: int
    case: str | None = None
    device: str = "cpu"
    ceilings: dict[int, machine.Ceilings] = field(default_factory=dict)  # those that were measured, by threads

    def __post_init__(self):
        if self.device not in DEVICES:
            raise MiniganError(
                f"--device {self.device}: this version has kernels for the processor only; there is: cpu"
            )

    def wanted(self, names: Iterable[str]) -> list[str]:
        """Those of the suite's cases that are asked for. Raises UnknownNameError where that is none."""
        names = list(names)
        if self.case is None:
            return names
        chosen = [name for name in names if name == self.case or fnmatch.fnmatchcase(name, self.case)]
        if not chosen:
            raise UnknownNameError(f"case of the {self.suite} suite", self.case, names)
        return chosen

    def ceilings_of(self, threads: int | None = None) -> machine.Ceilings:
        """What the machine can do with so many threads, the request's unless given; measured once a run."""
        threads = threads or self.threads
        if threads not in self.ceilings:
            self.ceilings[threads] = machine.ceilings(threads)
        return self.ceilings[threads]
