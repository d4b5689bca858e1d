"""The request for a run of a suite; every suite is a function of a Request."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks import machine
from minigan import devices
from minigan.errors import MiniganError, UnknownNameError

ON_DEVICES = ("kernels", "conv", "step", "scaling")  # the suites that also run on other devices


@dataclass
class Request:
    """A suite, its peer or None, threads of both sides, pairs of samples, the case or None for all, the device.

    peer: "torch", or "cpu" on another device: minigan on the CPU
    case: a name, or a pattern such as "dcgan-64/*"
    device: "sim" is a rehearsal: one sample of tiny cases, which only shows that everything runs
    raises MiniganError for a device that does not exist or cannot be used, and for a suite that does not support it
    """

    suite: str
    peer: str | None
    threads: int
    samples: int
    case: str | None = None
    device: str = "cpu"
    ceilings: dict = field(default_factory=dict)  # measured so far, by threads; None for a GPU

    def __post_init__(self):
        devices.on(self.device)
        if self.device != "cpu" and self.suite not in ON_DEVICES:
            raise MiniganError(
                f"--device {self.device}: the {self.suite} suite runs only on the cpu; "
                f"on devices run {', '.join(ON_DEVICES)}"
            )
        if self.peer == "cpu" and self.device == "cpu":
            raise MiniganError("--peer cpu compares another --device with the CPU, but the device is the CPU")
        if self.rehearsal:
            self.samples, self.peer = 1, None

    @property
    def rehearsal(self) -> bool:
        return self.device == "sim"

    def sample(self, seconds: float) -> float:
        """The length of a sample: 0 in a rehearsal, for a single call."""
        return 0 if self.rehearsal else seconds

    def wanted(self, names: Iterable[str]) -> list[str]:
        """The requested cases. Raises UnknownNameError if there are none."""
        names = list(names)
        if self.case is None:
            return names
        chosen = [name for name in names if name == self.case or fnmatch.fnmatchcase(name, self.case)]
        if not chosen:
            raise UnknownNameError(f"case of the {self.suite} suite", self.case, names)
        return chosen

    def ceilings_of(self, threads: int | None = None):
        """The ceilings of the machine with these threads (the request's by default), or of its GPU; measured once.

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
    """A type for argparse. Raises ArgumentTypeError for numbers below 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number
