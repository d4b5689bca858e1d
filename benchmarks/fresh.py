"""Import time, time of the first step and memory of an engine in a fresh process.

    python -m benchmarks.fresh ENGINE CASE STEPS THREADS

ENGINE is minigan, torch NCHW or torch NHWC. The process imports only what a user's process would, takes STEPS training
steps, and prints a line after the first step and a line with its measurements.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.cases import GANS, GanCase

ROOT = Path(__file__).parents[1]
FIRST = "the first step is done"


class Fresh(NamedTuple):
    """import_seconds: of the engine; first_step_seconds: from process start to the end of the first step; imported:
    resident bytes after the import; peak: maximum resident bytes until the end of the last step."""

    import_seconds: float
    first_step_seconds: float
    imported: int
    peak: int


def run(engine: str, case: str, steps: int, threads: int, environment: dict[str, str] | None = None) -> Fresh:
    """Measure an engine in a new process.

    environment: additional environment variables
    raises RuntimeError if that process fails
    """
    command = [sys.executable, "-m", "benchmarks.fresh", engine, case, str(steps), str(threads)]
    # PyTorch reads this variable before it starts its threads, by default one per core
    given = {"OMP_NUM_THREADS": str(threads), "MINIGAN_THREADS": str(threads), **(environment or {})}
    return measured(command, given)


def measured(command: list[str], environment: dict[str, str]) -> Fresh:
    """Measure a process that calls `main`; environment: additional environment variables."""
    given = {**os.environ, **environment}
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=given, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
        found = process.stdout.read()
    if process.returncode or line.strip() != FIRST:
        raise RuntimeError(f"{' '.join(command[2:])} ended with {process.returncode}; its error is above")
    return Fresh(first_step_seconds=seconds, **json.loads(found))


def main(engine: str, case: str, steps: str, threads: str) -> None:
    """Runs in the new process."""
    start = time.perf_counter()
    if engine == "minigan":
        import minigan  # noqa: F401
    else:
        import torch  # noqa: F401
    seconds = time.perf_counter() - start
    imported = resident("VmRSS")
    step = (_minigan if engine == "minigan" else _torch)(GANS[case], engine, int(threads))
    for number in range(int(steps)):
        step()
        if not number:
            print(FIRST, flush=True)
    print(json.dumps({"import_seconds": seconds, "imported": imported, "peak": resident("VmHWM")}))


def resident(which: str) -> int:
    """Resident bytes of this process now (VmRSS) or at most so far (VmHWM).

    Without /proc, both are ru_maxrss, the maximum so far. It is not used on Linux, where it starts with the parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines[which].split()[0]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _minigan(case: GanCase, engine: str, threads: int):
    import numpy as np

    from minigan.data import Batches
    from minigan.gan import Trainer

    real = np.random.default_rng(0).uniform(-1, 1, (case.batch, *case.shape)).astype(np.float32)
    trainer = Trainer(case.build(), Batches(real, batch_size=case.batch), steps=1)
    return lambda: trainer.train_step(real)


def _torch(case: GanCase, engine: str, threads: int):
    import torch

    from benchmarks.peers.torch_training import first_step

    torch.set_num_threads(threads)
    return first_step(case, channels_last=engine == "torch NHWC")


if __name__ == "__main__":
    main(*sys.argv[1:])
