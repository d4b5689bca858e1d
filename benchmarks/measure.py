"""Paired timing: every case alternates minigan and its peer, and the ratio is the median over the pairs."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import machine
from benchmarks.peers.process import Peer, seconds
from benchmarks.request import Request

SAMPLE = 0.4  # approximate seconds of a sample
SHORT_SAMPLE = 0.04  # for suites with many cases
PAUSE = 0.02  # seconds between turns, until the other engine's idle threads stop spinning
SCALES = {"s": 1, "ms": 1e3, "us": 1e6, "MB": 1e-6}  # units of seconds or bytes


@dataclass
class Record:
    """One case: minigan's and the peer's medians in `unit`, and the median of the paired ratios ours / peer.

    low, high: quartiles of the ratios
    rate, peer_rate: effective GFLOP/s or GB/s (`rate_unit`); share: minigan's rate / the machine's ceiling
    more: fields specific to the suite
    rehearsal: the times mean nothing
    """

    suite: str
    case: str
    device: str
    threads: int
    ours: float
    peer: str | None
    peer_time: float | None
    ratio: float | None
    low: float | None
    high: float | None
    samples: int
    unit: str = "ms"
    rate: float | None = None
    peer_rate: float | None = None
    rate_unit: str | None = None
    share: float | None = None
    more: dict = field(default_factory=dict)
    rehearsal: bool = False

    def as_json(self) -> dict:
        fields = {
            "suite": self.suite,
            "case": self.case,
            "device": self.device,
            "threads": self.threads,
            f"ours_{self.unit.lower()}": self.ours,
            "peer": self.peer,
            f"peer_{self.unit.lower()}": self.peer_time,
            "ratio": self.ratio,
            "low": self.low,
            "high": self.high,
            "samples": self.samples,
        }
        if self.rate is not None:
            fields |= {
                "rate": self.rate,
                "peer_rate": self.peer_rate,
                "rate_unit": self.rate_unit,
                "share": self.share,
            }
        if self.rehearsal:
            fields["rehearsal"] = True
        return fields | self.more


def paired(
    ours: Callable, peers: dict[str, Peer], *, samples: int, sample: float | None = None
) -> tuple[list[float], str | None, list[float]]:
    """Seconds per call for each sample: minigan's, the fastest peer's name, and its samples.

    sample: approximate seconds of a sample of consecutive calls, as in training [SAMPLE]
    """
    seconds(ours, 2)  # compile, allocate, warm the caches
    for peer in peers.values():
        peer.seconds(2)
    times = max(1, round((sample or SAMPLE) / seconds(ours, 1)))
    own, others = [], {name: [] for name in peers}
    for _ in range(samples):
        time.sleep(PAUSE)
        own.append(seconds(ours, times))
        for name, peer in peers.items():
            time.sleep(PAUSE)
            others[name].append(peer.seconds(times))
    return own, *best_of(others)


def best_of(others: dict[str, list[float]]) -> tuple[str | None, list[float]]:
    """The name and the samples of the peer with the smallest median; (None, []) without peers."""
    best = min(others, key=lambda name: statistics.median(others[name]), default=None)
    return best, others.get(best, [])


def record(
    request: Request,
    case: str,
    own: list[float],
    best: str | None,
    other: list[float],
    *,
    unit: str = "ms",
    threads: int | None = None,
    products: float = 0,
    precision: str = "float32",
    traffic: float = 0,
    **more,
) -> Record:
    """The record of paired samples.

    own, other: seconds, or bytes if the unit is MB, for each sample
    threads: the request's by default
    products: FLOPs of a call, of this precision; or traffic: the minimum number of bytes that it reads and writes
    """
    scale, threads = SCALES[unit], threads or request.threads
    ratios = sorted(a / b for a, b in zip(own, other, strict=True)) if best else []
    ours, theirs = statistics.median(own), statistics.median(other) if best else None
    one = Record(
        request.suite,
        case,
        request.device,
        threads,
        ours * scale,
        best,
        theirs * scale if best else None,
        statistics.median(ratios) if best else None,
        ratios[len(ratios) // 4] if best else None,
        ratios[-1 - len(ratios) // 4] if best else None,
        len(own),
        unit,
        more=more,
        rehearsal=request.rehearsal,
    )
    if (products or traffic) and not request.rehearsal:
        work = (products or traffic) / 1e9
        ceilings = request.ceilings_of(threads)
        one.rate, one.peer_rate = work / ours, work / theirs if best else None
        one.rate_unit = "GFLOP/s" if products else "GB/s"
        ceiling = ceilings.products if precision == "float32" else ceilings.tf32_products
        one.share = one.rate / (ceiling if products else ceilings.copies)
    return one


def show(one: Record, width: int = 12) -> str:
    """A line of a suite's printed table."""
    digits = 2 if one.device == "cpu" else 4  # microseconds count on a GPU
    line = f"{one.case:<{width}} {one.ours:9.{digits}f} {one.unit}"
    if one.rate is not None:
        line += f" {one.rate:7.1f} {one.rate_unit} ({one.share:4.0%})"
    if one.peer:
        line += (
            f"   {one.peer:<10} {one.peer_time:9.{digits}f} {one.unit}   ratio {one.ratio:5.2f}"
            f"  (quartiles of {one.samples}: {one.low:.2f} to {one.high:.2f})"
        )
    return line


def machine_of(request: Request) -> dict:
    """The processor, and the GPU if it is measured."""
    found = machine.machine()
    if request.device == "cuda":
        from benchmarks import gpu

        found |= gpu.machine()
    return found


def save(path: str | Path, request: Request, records: list[Record]) -> None:
    """Write the results to a JSON file."""
    measured = [request.ceilings[threads]._asdict() for threads in sorted(request.ceilings, key=lambda t: t or 0)]
    packages = [request.peer] if request.peer else []
    content = {} if request.device == "cpu" else {"device": request.device, "rehearsal": request.rehearsal}
    content |= {
        "machine": machine_of(request) | ({"ceilings": measured} if measured else {}),
        "versions": machine.versions(*packages, *(["cupy-cuda13x"] if request.device == "cuda" else [])),
        "records": [one.as_json() for one in records],
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content, indent=2) + "\n")
