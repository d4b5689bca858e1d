"""Several peers for each case, in processes that are reused; peers that cannot run a case are reported."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.measure import PAUSE
from benchmarks.peers.process import Peer, seconds


class Rival(NamedTuple):
    """What a peer builds in its process; fair: it has at least minigan's precision, so its time counts."""

    build: Callable
    arguments: tuple
    fair: bool = True


class Samples(NamedTuple):
    """Seconds per call for each sample: minigan's, each rival's by name; and which rivals failed."""

    own: list[float]
    others: dict[str, list[float]]
    failed: list[str]


class Rivals:
    """The rivals' processes; a context manager that ends them."""

    def __init__(self):
        self.peers: dict[str, Peer] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in list(self.peers):
            self.leave(name)

    def beside(self, ours: Callable, rivals: dict[str, Rival], *, samples: int, sample: float) -> Samples:
        """Take turns: minigan, then each rival. sample: approximate seconds of a sample."""
        failed = []

        def ask(name, what, *given):
            try:
                return what(*given)
            except RuntimeError as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed.append(name)
                self.leave(name)

        for name, rival in rivals.items():  # all build at once
            ask(name, self.begin, name, rival)
        seconds(ours, 2)
        for name in rivals:
            if name not in failed:
                ask(name, self.peers[name].seconds, 2)
        times = max(1, round(sample / seconds(ours, 1)))
        own, others = [], {name: [] for name in rivals if name not in failed}
        for _ in range(samples):
            time.sleep(PAUSE)
            own.append(seconds(ours, times))
            for name in [name for name in others if name not in failed]:
                time.sleep(PAUSE)
                others[name].append(ask(name, self.peers[name].seconds, times))
        return Samples(own, {name: found for name, found in others.items() if name not in failed}, failed)

    def begin(self, name: str, rival: Rival) -> None:
        """Build a rival in its existing process or in a new one."""
        if name in self.peers:
            self.peers[name].become(rival.build, *rival.arguments)
        else:
            self.peers[name] = Peer(rival.build, *rival.arguments)

    def leave(self, name: str) -> None:
        """End a rival's process."""
        if name in self.peers:
            self.peers.pop(name).close()


def quickest(samples: Samples, rivals: dict[str, Rival]) -> str | None:
    """The fair rival with the smallest median, or None."""
    medians = {name: statistics.median(found) for name, found in samples.others.items() if rivals[name].fair}
    return min(medians, key=medians.get, default=None)
