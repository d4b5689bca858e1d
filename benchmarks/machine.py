"""What is measured on: the processor, the versions, and the ceilings that no kernel of its kind can pass.

The ceilings are measured, not looked up: the quickest large matrix product that any of ours or NumPy's BLAS does, and
the quickest copy of memory that lies in no cache, with the same number of threads as what is compared with them.
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

SIDE = 2048  # of the square matrices that are multiplied
COPIED = 1 << 27  # bytes that are copied, beyond the caches
TIMES = 10  # the quickest counts


class Ceilings(NamedTuple):
    """threads; products: GFLOP/s of a matrix product, 2 for each product and sum; copies: GB/s read and written."""

    threads: int
    products: float
    copies: float

    def __str__(self):
        return (
            f"{self.threads} threads: {self.products:.0f} GFLOP/s in a matrix product, {self.copies:.1f} GB/s in a copy"
        )


def ceilings(threads: int) -> Ceilings:
    """Measure them; takes a few seconds."""
    return Ceilings(threads, products_per_second(threads) / 1e9, bytes_per_second(threads) / 1e9)


def products_per_second(threads: int, side: int = SIDE) -> float:
    """Floating point operations a second in the quickest product of two float32 matrices."""
    import threadpoolctl

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side)).astype(np.float32) for _ in range(2))
    with threadpoolctl.threadpool_limits(threads):
        blas = quickest(lambda: a @ b)
    time.sleep(0.1)  # until the threads of BLAS have stopped spinning
    return 2 * side**3 / min(blas, quickest(lambda: kernels.of(a).matmul(a, b)))


def bytes_per_second(threads: int, size: int = COPIED) -> float:
    """Bytes read and written a second by the quickest of a copy and of a copy onto itself.

    Most processors read the memory that a copy goes to before they write it; what is overwritten has been read anyway.
    """
    # pages of their own, that go back to the system afterwards
    source, target = (np.frombuffer(mmap.mmap(-1, size), np.int32) for _ in range(2))
    source[...] = 1
    bounds = np.linspace(0, len(source), threads + 1).astype(int)
    parts = [slice(first, last) for first, last in itertools.pairwise(bounds)]
    with ThreadPoolExecutor(threads) as pool:
        copy = quickest(lambda: list(pool.map(lambda part: np.copyto(target[part], source[part]), parts)))
        again = quickest(lambda: list(pool.map(lambda part: np.invert(source[part], out=source[part]), parts)))
    return 2 * size / min(copy, again)


def quickest(run) -> float:
    """Seconds of the quickest of some calls, after one that does not count."""
    run()
    times = []
    for _ in range(TIMES):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def machine() -> dict:
    """The processor, the cores that this process may use, the system."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line.partition(":") for line in info.read_text().splitlines()]
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    return {"processor": model, "cores": available_cores(), "system": platform.platform()}


def versions(*packages: str) -> dict:
    """The versions of Python and of packages that are installed."""
    found = {"python": platform.python_version()}
    for package in ("minigan", "numpy", "numba", *packages):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
