"""The machine: its processor, versions, and ceilings for kernels.

The ceilings are measured, not looked up: the fastest large matrix product of minigan or NumPy's BLAS, and the fastest
copy of memory outside the caches, with the same number of threads as the kernels that are compared with them.
"""

from __future__ import annotations

import itertools
import mmap
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigan import kernels
from minigan.kernels.cpu.runtime.threads import available_cores

SIDE = 2048  # of the square matrices
COPIED = 1 << 27  # bytes per copy, larger than the caches
TIMES = 10  # calls, of which the fastest counts


class Ceilings(NamedTuple):
    """threads; products: GFLOP/s of a matrix product (2 FLOPs per multiply-add); copies: GB/s read and written."""

    threads: int
    products: float
    copies: float

    def __str__(self):
        return (
            f"{self.threads} threads: {self.products:.0f} GFLOP/s in a matrix product, {self.copies:.1f} GB/s in a copy"
        )


def ceilings(threads: int) -> Ceilings:
    """Measure the ceilings; takes a few seconds."""
    return Ceilings(threads, products_per_second(threads) / 1e9, bytes_per_second(threads) / 1e9)


def products_per_second(threads: int, side: int = SIDE) -> float:
    """FLOP/s in the fastest product of two float32 matrices."""
    import threadpoolctl

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side)).astype(np.float32) for _ in range(2))
    with threadpoolctl.threadpool_limits(threads):
        blas = quickest(lambda: a @ b)
    time.sleep(0.1)  # until the threads of BLAS have stopped spinning
    return 2 * side**3 / min(blas, quickest(lambda: kernels.of(a).matmul(a, b)))


def bytes_per_second(threads: int, size: int = COPIED) -> float:
    """Bytes read and written per second by a copy or an in-place operation, whichever is faster.

    Most processors also read the target of a copy before they write it; an in-place operation reads it anyway.
    """
    # separate pages, which are returned to the system afterwards
    source, target = (np.frombuffer(mmap.mmap(-1, size), np.int32) for _ in range(2))
    source[...] = 1
    bounds = np.linspace(0, len(source), threads + 1).astype(int)
    parts = [slice(first, last) for first, last in itertools.pairwise(bounds)]
    with ThreadPoolExecutor(threads) as pool:
        copy = quickest(lambda: list(pool.map(lambda part: np.copyto(target[part], source[part]), parts)))
        again = quickest(lambda: list(pool.map(lambda part: np.invert(source[part], out=source[part]), parts)))
    return 2 * size / min(copy, again)


def quickest(run) -> float:
    """Seconds of the fastest of several calls, after a warm-up call."""
    run()
    times = []
    for _ in range(TIMES):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def machine() -> dict:
    """The processor, the number of cores available to this process, the system."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line.partition(":") for line in info.read_text().splitlines()]
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    return {"processor": model, "cores": available_cores(), "system": platform.platform()}


def versions(*packages: str) -> dict:
    """The versions of Python and of installed packages."""
    found = {"python": platform.python_version()}
    for package in ("minigan", "numpy", "numba", *packages):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
