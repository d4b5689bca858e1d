"""What a run of a suite was asked for; every suite is a function of one of these."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks import machine
from minigan import devices
from minigan.errors import MiniganError, UnknownNameError

ON_DEVICES = ("kernels", "conv", "step", "scaling")  # the suites that are for other devices than the CPU too


@dataclass
class Request:
    """A suite, its peer or None, threads for both sides, pairs of samples, the case or None for all, the device.

    peer: "torch", or for another device than the CPU "cpu": minigan there
    case: a name, or a pattern such as "dcgan-64/*"
    device: "sim" is a rehearsal: one sample of tiny cases, from which nothing follows but that all of it runs
    raises MiniganError for a device that does not exist or cannot be used, and for a suite that is not for it
    """

    suite: str
    peer: str | None
    threads: int
    samples: int
    case: str | None = None
    device: str = "cpu"
    ceilings: dict = field(default_factory=dict)  # those that were measured, by threads; a GPU's have no number

    def __post_init__(self):
        devices.on(self.device)
        if self.device != "cpu" and self.suite not in ON_DEVICES:
            raise MiniganError(
                f"--device {self.device}: the {self.suite} suite is for the cpu; on devices run {', '.join(ON_DEVICES)}"
            )
        if self.peer == "cpu" and self.device == "cpu":
            raise MiniganError("--peer cpu: that is what is measured; it is the peer of another --device")
        if self.rehearsal:
            self.samples, self.peer = 1, None

    @property
    def rehearsal(self) -> bool:
        return self.device == "sim"

    def sample(self, seconds: float) -> float:
        """So long, or no longer than a call in a rehearsal."""
        return 0 if self.rehearsal else seconds

    def wanted(self, names: Iterable[str]) -> list[str]:
        """Those of the suite's cases that are asked for. Raises UnknownNameError where that is none."""
        names = list(names)
        if self.case is None:
            return names
        chosen = [name for name in names if name == self.case or fnmatch.fnmatchcase(name, self.case)]
        if not chosen:
            raise UnknownNameError(f"case of the {self.suite} suite", self.case, names)
        return chosen

    def ceilings_of(self, threads: int | None = None):
        """What the machine can do with so many threads, the request's unless given, or its GPU; measured once a run.

        returns: machine.Ceilings, or on a GPU gpu.Ceilings
        """
        key = None if self.device == "cuda" else threads or self.threads
        if key not in self.ceilings:
            self.ceilings[key] = machine.ceilings(key) if key else ceilings_of_gpu()
        return self.ceilings[key]


def ceilings_of_gpu():
    from benchmarks import gpu

    return gpu.ceilings()


def positive(text: str) -> int:
    """The number, for argparse. Raises ArgumentTypeError where it is below 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number
