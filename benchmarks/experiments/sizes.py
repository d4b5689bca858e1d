"""How large and how quick is each model, as `minigan train` has it on MNIST?

    python -m benchmarks.experiments.sizes [--only NAME ...] [--samples 15] [--threads N] [--out FILE]

Parameters, megabytes and multiply-adds for one image are counted (`mg.models.size`). Measured are a training step, with
the batch of the model's first run and its own recipe, and images a second in use, 256 at a time: made by GANs and VAEs,
classified by a classifier, restored by a deconvnet. All models take turns, sample by sample, and medians count. No
speed depends on what the images show, so these are noise.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.measure import PAUSE
from benchmarks.peers.process import seconds
from benchmarks.request import positive
from minigan import data, kinds, models, pruning, random, set_threads
from minigan.kernels.cpu.runtime.threads import get_threads
from minigan.models import Model

SIDE, CLASSES = 28, 10  # MNIST's pixels and digits
MADE = 256  # images at a time, in use
SAMPLE = 0.2  # seconds, about: so many calls in a row
STEPS = 1_000_000  # that a trainer is told; only its learning rate follows from that


class Case:
    """A model, what a step of its training is, and what it does in use."""

    def __init__(self, name: str, batch: int | None = None):
        side = models.size_for(name, SIDE, SIDE) or SIDE
        self.model: Model = models.build(name, (side, side, 1), classes=CLASSES)
        self.sizes = models.size(self.model)
        self.player = pruning.player_of(self.model)
        self.batch = batch or getattr(self.model, "first_run", (None, self.model.batch))[1]
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (max(MADE, 4 * self.batch), side, side, 1), np.uint8)
        labels = rng.integers(0, CLASSES, len(images))
        self.use = in_use(self.model, images[:MADE])
        self.batches = data.Batches(images, labels, batch_size=self.batch)
        trainer = kinds.kind(self.model.kind).trainer
        self.trainer = trainer(self.model, self.batches, steps=STEPS)

    def step(self) -> None:
        self.trainer.train_step(*next(self.batches))

    def plain(self, steps: list[float], uses: list[float]) -> dict:
        """What was counted, and the medians of what was measured in seconds."""
        return {
            "kind": self.model.kind,
            "image": list(self.model.image_shape),
            "player": self.player,
            "sizes": {name: vars(size) for name, size in self.sizes.items()},
            "batch": self.batch,
            "step_ms": statistics.median(steps) * 1e3,
            "images_per_second": MADE / statistics.median(uses),
        }


def in_use(model: Model, images: np.ndarray) -> Callable[[], object]:
    """A function that makes as many images as these, or does with these what the model is for."""
    if model.kind in ("gan", "vae"):
        stream = random.Philox(0, "sample")
        return lambda: model.generate(model.noise(len(images), stream), batch=len(images))
    if model.kind == "classifier":
        return lambda: model.logits(images, batch=len(images))
    return lambda: model.restore(images, batch=len(images))


def measure(cases: dict[str, Case], samples: int) -> dict[str, dict]:
    """Every case, its calls interleaved with all others'."""
    calls = {(name, what): getattr(case, what) for name, case in cases.items() for what in ("step", "use")}
    times = {}
    for key, call in calls.items():
        seconds(call, 2)  # compile, allocate, warm the caches
        times[key] = max(1, round(SAMPLE / seconds(call, 1)))
    found = {key: [] for key in calls}
    for _ in range(samples):
        for key, call in calls.items():
            time.sleep(PAUSE)
            found[key].append(seconds(call, times[key]))
    return {name: case.plain(found[name, "step"], found[name, "use"]) for name, case in cases.items()}


def table(rows: dict[str, dict]) -> str:
    """A line for each model, as Markdown; where it has two networks, the numbers of both."""
    heading = ["model", "image", "parameters", "MB", "multiply-adds, one image", "batch", "step", "throughput"]
    lines = [f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
    for name, row in rows.items():
        sizes = row["sizes"].values()
        parameters = " + ".join(f"{size['parameters']:,}" for size in sizes)
        megabytes = sum(size["bytes"] for size in sizes) / 1e6
        work = row["sizes"][row["player"]]["multiply_adds"] / 1e6
        cells = [
            *(f"`{name}`", " x ".join(map(str, row["image"][:2])), parameters, f"{megabytes:.2f}"),
            *(f"{work:.2f} million", str(row["batch"])),
            *(f"{row['step_ms']:.1f} ms", f"{row['images_per_second']:,.0f} images/s"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.sizes")
    parser.add_argument("--only", nargs="+", choices=models.available(), metavar="NAME", help="these models alone")
    parser.add_argument("--samples", type=positive, default=15)
    parser.add_argument("--threads", type=positive, help="all cores unless given")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for all figures")
    given = parser.parse_args(arguments)
    if given.out and not given.out.parent.is_dir():
        parser.error(f"--out {given.out}: there is no folder {given.out.parent}")
    if given.threads:
        set_threads(given.threads)
    cases = {name: Case(name) for name in given.only or models.available()}
    rows = measure(cases, given.samples)
    for case in cases.values():
        case.batches.close()
    if given.out:
        about = {"machine": machine.machine(), "versions": machine.versions(), "threads": get_threads()}
        given.out.write_text(json.dumps({**about, "samples": given.samples, "models": rows}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
