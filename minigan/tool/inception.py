"""`minigan evaluate --inception`: FID and Inception Score, and how long the network takes, on standard error."""

from __future__ import annotations

import sys
import time

import numpy as np

from minigan import devices
from minigan.data import Dataset
from minigan.evaluation import inception, inception_weights
from minigan.evaluation.inception import InceptionEvaluation
from minigan.evaluation.inception_weights import Weights
from minigan.evaluation.seen import kept_folder
from minigan.training.callbacks import clock


def loaded(file: str, device: str) -> Weights:
    """The network with the weights of a file, on a device. Raises the errors of `inception_weights.load`."""
    devices.on(device)
    weights = inception_weights.load(file)
    weights.network.to(device)
    return weights


def measured(
    images: np.ndarray, weights: Weights, train: Dataset, test: Dataset, most: int | None
) -> InceptionEvaluation:
    """The scores of generated images, with progress shown; the features of real images are kept on disk."""
    with Forwarding() as forwarding:
        return inception.evaluate(
            images, weights, train, test, most=most, folder=kept_folder(), report=forwarding.report
        )


class Forwarding:
    """Tells how many images the network has seen, how quickly, and the time left: a line that is rewritten on a
    terminal, one every ten seconds elsewhere; the first batches, in which kernels are compiled, do not count."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.told, self.open = 0.0, False
        self.begun = None  # (seconds, images seen) where the rate is counted from

    def report(self, name: str, done: int, total: int) -> None:
        """`done` of `total` images have been seen; name: of which kind the last were."""
        now = time.perf_counter()
        if self.begun is None:
            self.begun = now, done
        if done < total and now - self.told < (0.2 if self.live else 10):
            return
        self.told = now
        rate = (done - self.begun[1]) / (now - self.begun[0]) if now > self.begun[0] else 0.0
        pace = f"{rate:.1f} images/s, {clock((total - done) / rate)} left" if rate else "compiling"
        line = f"Inception network: {done:,} of {total:,} images ({name}), {pace}"
        print(f"\r\x1b[K{line}" if self.live else line, end="" if self.live else "\n", file=self.stream, flush=True)
        self.open = self.live

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.open:
            print(file=self.stream)
