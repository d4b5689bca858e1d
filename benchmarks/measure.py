"""Timing that can be compared: every case alternates ours and the peer's, and the ratio is the median of the pairs."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.peers.process import Peer, seconds

SAMPLE = 0.4  # seconds of ours in a sample, about
PAUSE = 0.02  # seconds between turns, so that the other's idle threads have stopped spinning


@dataclass
class Record:
    """One case: our time and the peer's (medians, in `unit`), and the median of the paired ratios ours / peer."""

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

    def as_json(self) -> dict:
        record = asdict(self)
        for short, name in (("ours", "ours"), ("peer_time", "peer")):
            record[f"{name}_{self.unit}"] = record.pop(short)
        del record["unit"]
        return record


def paired(ours: Callable, peers: dict[str, Peer], *, samples: int) -> tuple[list[float], str | None, list[float]]:
    """Seconds a call, sample by sample: ours, and those of the quickest peer (its name between them).

    A sample is as many calls in a row as take about SAMPLE seconds of ours, as in training. The peers are closed.
    """
    seconds(ours, 2)  # compile, allocate, warm the caches
    for peer in peers.values():
        peer.seconds(2)
    times = max(1, round(SAMPLE / seconds(ours, 1)))
    own, others = [], {name: [] for name in peers}
    for _ in range(samples):
        time.sleep(PAUSE)
        own.append(seconds(ours, times))
        for name, peer in peers.items():
            time.sleep(PAUSE)
            others[name].append(peer.seconds(times))
    for peer in peers.values():
        peer.close()
    best = min(others, key=lambda name: statistics.median(others[name]), default=None)
    return own, best, others.get(best, [])


def record(suite, case, threads, own, best, other, *, unit="ms", device="cpu") -> Record:
    """The medians of paired samples."""
    scale = {"ms": 1e3, "us": 1e6}[unit]
    ratios = sorted(a / b for a, b in zip(own, other, strict=True)) if best else []
    return Record(
        suite,
        case,
        device,
        threads,
        statistics.median(own) * scale,
        best,
        statistics.median(other) * scale if best else None,
        statistics.median(ratios) if best else None,
        ratios[len(ratios) // 4] if best else None,
        ratios[-1 - len(ratios) // 4] if best else None,
        len(own),
        unit,
    )


def show(one: Record) -> str:
    """A line of the table that a suite prints."""
    line = f"{one.case:<12} {one.ours:9.2f} {one.unit}"
    if one.peer:
        line += (
            f"   {one.peer:<20} {one.peer_time:9.2f} {one.unit}   ratio {one.ratio:5.2f}"
            f"  (half of {one.samples} within {one.low:.2f} to {one.high:.2f})"
        )
    return line


def machine() -> dict:
    """What was measured on."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line.partition(":") for line in info.read_text().splitlines()]
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    return {"processor": model, "cores": len(os.sched_getaffinity(0)), "system": platform.platform()}


def versions(*packages: str) -> dict:
    """The versions of Python and of packages that are installed."""
    found = {"python": platform.python_version()}
    for package in ("minigan", "numpy", "numba", *packages):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def save(path: str, records: list[Record], peer: str | None) -> None:
    """The JSON file that the results are kept in."""
    content = {
        "machine": machine(),
        "versions": versions(*([peer] if peer else [])),
        "records": [one.as_json() for one in records],
    }
    Path(path).write_text(json.dumps(content, indent=2) + "\n")
