"""For `--device cuda`: the GPU, its ceilings, and a clock for work launched by CuPy."""

from __future__ import annotations

import functools
import shutil
import subprocess
from typing import NamedTuple

import cupy
import numpy as np
from cupy._core import get_compute_type, set_compute_type
from cupy._core._routines_linalg import COMPUTE_TYPE_TF32

SIDE = 8192  # of the square matrices
COPIED = 1 << 30  # bytes per copy, larger than the caches
TIMES = 10  # calls, of which the fastest counts

# Waits; in one thread, so that it only delays later kernels.
HOLD = r"""
extern "C" __global__ void hold(long long nanoseconds) {
    long long start, now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
    do {
        asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    } while (now - start < nanoseconds);
}
"""


class Ceilings(NamedTuple):
    """GFLOP/s of matrix products in float32 and TF32 (2 FLOPs per multiply-add); GB/s of a copy."""

    products: float
    tf32_products: float
    copies: float

    def __str__(self):
        return (
            f"{self.products:.0f} GFLOP/s in a matrix product, {self.tf32_products:.0f} in TF32, "
            f"{self.copies:.1f} GB/s in a copy"
        )


def ceilings() -> Ceilings:
    """Measure the ceilings; takes a second and up to 3 GiB of GPU memory."""
    found = Ceilings(products_per_second() / 1e9, products_per_second(tf32=True) / 1e9, bytes_per_second() / 1e9)
    cupy.get_default_memory_pool().free_all_blocks()
    return found


def products_per_second(tf32: bool = False) -> float:
    """FLOP/s in cuBLAS' product of two float32 matrices."""
    rng, dtype = np.random.default_rng(0), np.dtype(np.float32)
    a, b = (cupy.asarray(rng.standard_normal((SIDE, SIDE), dtype)) for _ in range(2))
    out, before = cupy.empty((SIDE, SIDE), dtype), get_compute_type(dtype)
    if tf32:
        set_compute_type(dtype, COMPUTE_TYPE_TF32)
    try:
        return 2 * SIDE**3 / quickest(lambda: cupy.dot(a, b, out=out))
    finally:
        set_compute_type(dtype, before)


def bytes_per_second() -> float:
    """Bytes read and written per second by CUDA's copy or a kernel that negates, whichever is faster."""
    source, target = cupy.ones(COPIED // 4, np.float32), cupy.empty(COPIED // 4, np.float32)
    copy = quickest(lambda: cupy.copyto(target, source))
    return 2 * COPIED / min(copy, quickest(lambda: cupy.negative(source, out=target)))


def quickest(run) -> float:
    """Seconds of the fastest of several calls by the device's clock, after three warm-up calls."""
    for _ in range(3):
        run()
    times = []
    for _ in range(TIMES):
        first = event()
        run()
        last = event()
        wait()
        times.append(between(first, last))
    return min(times)


def wait() -> None:
    cupy.cuda.runtime.deviceSynchronize()


def hold(seconds: float) -> None:
    _holding()((1,), (1,), (np.int64(seconds * 1e9),))


@functools.cache
def _holding():
    return cupy.RawKernel(HOLD, "hold")


def event() -> cupy.cuda.Event:
    made = cupy.cuda.Event()
    made.record(cupy.cuda.get_current_stream())
    return made


def between(first: cupy.cuda.Event, last: cupy.cuda.Event) -> float:
    return cupy.cuda.get_elapsed_time(first, last) / 1e3


def machine() -> dict:
    """The GPU, its driver, and the CUDA versions of driver and runtime."""
    found = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    return {
        "gpu": found["name"].decode(),
        "compute_capability": f"{found['major']}.{found['minor']}",
        "multiprocessors": found["multiProcessorCount"],
        "memory_bytes": found["totalGlobalMem"],
        "l2_bytes": found["l2CacheSize"],
        "driver": driver_version(),
        "driver_cuda": cupy.cuda.runtime.driverGetVersion(),
        "cuda": cupy.cuda.runtime.runtimeGetVersion(),
    }


def driver_version() -> str | None:
    """The driver's version, or None without nvidia-smi."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    if shutil.which(command[0]) is None:
        return None
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
