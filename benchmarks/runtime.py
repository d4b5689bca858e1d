"""What each part of the CPU kernels' runtime saves: python -m benchmarks.runtime [--samples N]

Each part is disabled in one process, which takes turns with another that has it. Prints the table of docs/runtime.md
and writes it there, with the machine's name. The ratios are medians over pairs of consecutive measurements, so other
load on the machine affects both sides.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import fresh, machine, measure
from benchmarks.cases import GANS
from benchmarks.peers.process import Peer
from benchmarks.request import positive
from benchmarks.step import real_images
from minigan.kernels.cpu.runtime.threads import available_cores

STEPS = ("mlp-gan", "dcgan-28")
PAGE = Path(__file__).parents[1] / "docs" / "runtime.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


# ------------------------------------------------------------------------------------------ a step without a part


def on_one_thread():
    from minigan.kernels.cpu.runtime import threads

    threads.set_threads(1)


def with_a_pool_of_python():
    """A ThreadPoolExecutor performs the tasks, in equal ranges."""
    from minigan.kernels.cpu.runtime import crew, threads
    from minigan.kernels.cpu.runtime.compile import called_from_python

    @called_from_python
    def do_range(own, function, first, last, slot):
        for task in range(first, last):
            crew.call(function, own.ctypes.data, task, slot)

    pool = ThreadPoolExecutor(threads.available_cores())

    def share(board, own, function, tasks, slots):
        bounds = [slot * tasks // slots for slot in range(slots + 1)]
        others = [
            pool.submit(do_range, own, function, bounds[slot], bounds[slot + 1], slot) for slot in range(1, slots)
        ]
        do_range(own, function, 0, bounds[1], 0)
        for other in others:
            other.result()
        return 0.0

    crew.share = share
    threads._start = lambda helpers: threads._helpers.extend(range(helpers - len(threads._helpers)))


def with_helpers_that_sleep():
    """Helpers sleep as soon as they have no work."""
    from minigan.kernels.cpu.runtime import threads

    threads.PATIENCE = 0


def with_helpers_that_are_waited_for():
    """Work is shared even right after a helper has lost its core to another program."""
    from minigan.kernels.cpu.runtime import threads

    threads._leave_alone = lambda late: None


def with_results_anywhere():
    """Results are aligned as NumPy's own arrays."""
    from minigan.kernels.cpu.runtime import threads

    aligned = threads.aligned
    threads.aligned = lambda shape, dtype: (aligned if dtype == np.uint8 else np.empty)(shape, dtype)


def with_new_scratch():
    """Scratch memory is allocated for each call."""
    from minigan.kernels.cpu.runtime import threads

    class Forgetful(dict):
        def get(self, name):
            return None

    threads._kept.buffers = Forgetful()


def with_malloc_as_it_is():
    """Does nothing: MINIGAN_KEEP_MEMORY=0 is set when the process starts."""


IN_A_STEP: dict[str, Callable[[], None]] = {
    "several threads": on_one_thread,
    "the board instead of a ThreadPoolExecutor": with_a_pool_of_python,
    "helpers poll before they sleep": with_helpers_that_sleep,
    "helpers that lost their core get no work": with_helpers_that_are_waited_for,
    "freed memory stays with the process": with_malloc_as_it_is,
    "scratch memory is reused": with_new_scratch,
    "results begin on a cache line": with_results_anywhere,
}


def step_without(part: str | None, name: str):
    """A training step in this process, without a part of the runtime."""
    from minigan.data import Batches
    from minigan.gan import Trainer

    if part:
        IN_A_STEP[part]()
    case = GANS[name]
    real = real_images(case)
    trainer = Trainer(case.build(), Batches(real, batch_size=case.batch), steps=1)
    return lambda: trainer.train_step(real)


# ------------------------------------------------------------------------------------------ a start without a part


class Start(NamedTuple):
    """A part that matters when a process starts: statements that disable it, and whether the cache is "empty" or
    "warm"."""

    change: str
    cache: str


AT_THE_START = {
    "compiled kernels are cached": Start("", "warm"),  # the process without this part has an empty cache
    "long kernels are outlined": Start("compile.outlined = compile.kernel", "empty"),
    "kernels have no entry points for Python": Start("compile.Kernel.__init__ = compile.Compiled.__init__", "empty"),
    "Numba's runtime is cached": Start("compile.nrtdynmod.compile_nrt_functions = theirs", "warm"),
    "loading does not initialise the compiler": Start("cached.Cache.load_overload = refreshed", "warm"),
}
# imports and changes the runtime before the kernels; their package would import them first
BEFORE_THE_KERNELS = """
import sys, types
import minigan.kernels
from benchmarks import fresh
from numba.core.runtime import nrtdynmod
theirs = nrtdynmod.compile_nrt_functions
package = sys.modules["minigan.kernels.cpu"] = types.ModuleType("minigan.kernels.cpu")
package.__path__ = [minigan.kernels.__path__[0] + "/cpu"]
from minigan.kernels.cpu.runtime import cached, compile
load = cached.Cache.load_overload
def refreshed(self, sig, target_context):
    target_context.refresh()
    return load(self, sig, target_context)
{change}
del sys.modules["minigan.kernels.cpu"]
"""


def start(change: str, cache: str) -> fresh.Fresh:
    """Measure a new process that executes `change` and takes three steps; cache: folder of compiled kernels."""
    code = BEFORE_THE_KERNELS.format(change=change)
    code += f"fresh.main('minigan', {STEPS[1]!r}, '3', '{available_cores()}')"
    return fresh.measured([sys.executable, "-c", code], {"MINIGAN_CACHE": cache})


# ------------------------------------------------------------------------------------------ measuring


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set environment variables inside the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Row(NamedTuple):
    """A part's samples: `own` with the part, `other` without it, in pairs."""

    part: str
    of: str
    unit: str
    own: list[float]
    other: list[float]

    def __str__(self):
        ratios = sorted(other / own for own, other in zip(self.own, self.other, strict=True))
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        own, other = statistics.median(self.own), statistics.median(self.other)
        ratio = statistics.median(ratios)
        return (
            f"| {self.part} | {self.of} | {own:.4g} {self.unit} | {other:.4g} {self.unit} | {ratio:.2f} "
            f"| {low:.2f} to {high:.2f} |"
        )


def rows_of_steps(samples: int) -> Iterator[Row]:
    for part in IN_A_STEP:
        for name in STEPS:
            with contextlib.ExitStack() as stack:
                own = stack.enter_context(contextlib.closing(Peer(step_without, None, name)))
                changed = {"MINIGAN_KEEP_MEMORY": "0"} if IN_A_STEP[part] is with_malloc_as_it_is else {}
                with environment(**changed):
                    other = stack.enter_context(contextlib.closing(Peer(step_without, part, name)))
                yield Row(part, f"a step of {name}", "ms", *paired(own, other, samples))


def paired(own: Peer, other: Peer, samples: int) -> tuple[list[float], list[float]]:
    """Milliseconds of both, measured in turns."""
    for peer in (own, other):
        peer.seconds(3)
    times = max(1, round(measure.SAMPLE / own.seconds(1)))
    found = [], []
    for sample in range(samples):
        for which in (0, 1) if sample % 2 else (1, 0):
            time.sleep(measure.PAUSE)
            found[which].append((own, other)[which].seconds(times) * 1e3)
    return found


def rows_of_starts(samples: int) -> Iterator[Row]:
    for part, (change, cache) in AT_THE_START.items():
        found = [], []
        with tempfile.TemporaryDirectory() as folder:
            sides = ("", cache), (change, cache if change else "empty")
            for side, (changed, kept) in enumerate(sides):
                if kept == "warm":
                    start(changed, f"{folder}/{side}")
            for sample in range(samples):
                for side in (0, 1) if sample % 2 else (1, 0):
                    changed, kept = sides[side]
                    place = f"{folder}/{side}" if kept == "warm" else f"{folder}/{side}-{sample}"
                    found[side].append(start(changed, place))
        seconds = [[one.first_step_seconds for one in some] for some in found]
        memory = [[one.peak / 1e6 for one in some] for some in found]
        yield Row(part, f"first step of {STEPS[1]}, {cache} cache", "s", *seconds)
        yield Row(part, f"memory of {STEPS[1]}, {cache} cache", "MB", *memory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runtime", description=__doc__.split("\n\n")[0])
    parser.add_argument("--samples", type=positive, default=9, metavar="N", help="pairs of steps [9]")
    parser.add_argument("--starts", type=positive, default=3, metavar="N", help="pairs of processes [3]")
    options = parser.parse_args()
    lines = [
        f"{machine.machine()['processor']}, {available_cores()} threads.",
        "",
        "| part | measured | with it | without it | without / with | quartiles of the ratios |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    print(*lines, sep="\n")
    for row in itertools.chain(rows_of_steps(options.samples), rows_of_starts(options.starts)):
        lines.append(str(row))
        print(row, flush=True)
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text("\n".join([before + BEGIN, "", *lines, "", END + rest.split(END)[1]]))


if __name__ == "__main__":
    main()
