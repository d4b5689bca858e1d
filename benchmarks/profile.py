"""Where a training step's time goes: in the kernels that it calls, and elsewhere.

Every kernel is timed where an operation calls it, in the calling thread; time in nested kernels counts for the outer
one. `the rest` is Python, NumPy's operations and memory allocation. Times are medians over steps for each part, so the
parts add up to the total within noise.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from benchmarks import measure
from benchmarks.cases import GANS
from benchmarks.step import real_images
from minigan import kernels
from minigan.data import Batches
from minigan.gan import Trainer

WIDTH = 12
PARTS = {  # label in pictures and tables -> kernels
    "conv2d": ["conv2d"],
    "conv2d_transpose": ["conv2d_transpose"],
    "conv2d_weight": ["conv2d_weight"],
    "dense": ["matmul"],
    "batch norm": ["batch_norm", "batch_norm_vjp"],
    "activation, bias": ["leaky_relu", "leaky_relu_vjp", "leaky_relu_vjp_sum", "tanh_vjp", "bias_sum"],
    "optimiser": ["adam_update"],
}
REST = "the rest"


def run(request):
    module = kernels.of(np.empty(0, np.float32))
    for name in request.wanted(GANS):
        case = GANS[name]
        real = real_images(case)
        trainer = Trainer(case.build(), Batches(real, batch_size=case.batch), steps=1)
        trainer.train_step(real)
        wholes, parts = [], defaultdict(list)
        for _ in range(request.samples):
            with watched(module) as spent:
                start = time.perf_counter()
                trainer.train_step(real)
                wholes.append(time.perf_counter() - start)
            for part, functions in PARTS.items():
                parts[part].append(sum(spent[function] for function in functions))
            parts[REST].append(wholes[-1] - sum(parts[part][-1] for part in PARTS))
        more = {"parts": {part: statistics.median(seconds) * 1e3 for part, seconds in parts.items()}}
        yield measure.record(request, name, wholes, None, [], **more)


def summary(records) -> list[str]:
    """A line per step with the share of each part."""
    return [
        f"{one.case}: " + ", ".join(f"{part} {spent / one.ours:.0%}" for part, spent in one.more["parts"].items())
        for one in records
    ]


@contextlib.contextmanager
def watched(module) -> Iterator[dict[str, float]]:
    """Seconds spent in each kernel of a module, by name, inside the block."""
    spent = defaultdict(float)
    originals = {name: getattr(module, name) for functions in PARTS.values() for name in functions}

    def timed(name):
        def call(*arguments, **settings):
            start = time.perf_counter()
            try:
                return originals[name](*arguments, **settings)
            finally:
                spent[name] += time.perf_counter() - start

        return call

    try:
        for name in originals:
            setattr(module, name, timed(name))
        yield spent
    finally:
        for name, original in originals.items():
            setattr(module, name, original)
