"""Whole training steps: the generator's images, the discriminator's update, the generator's update, both optimisers.

PyTorch does the same work with the same weights in both of its layouts; the better one counts.
"""

from __future__ import annotations

import numpy as np

from benchmarks import measure
from minigan import models
from minigan.data import Batches
from minigan.errors import UnknownNameError
from minigan.gan import Trainer

CASES = {  # name -> model, image size, channels, batch
    "mlp-gan": ("mlp-gan", 28, 1, 128),
    "dcgan-28": ("dcgan", 28, 1, 128),
    "dcgan-32": ("dcgan", 32, 3, 64),
    "dcgan-64": ("dcgan", 64, 3, 64),
}


def run(peer: str | None, threads: int, samples: int, only: str | None):
    if only is not None and only not in CASES:
        raise UnknownNameError("case of the step suite", only, CASES)
    for case, (model, size, channels, batch) in CASES.items():
        if only in (None, case):
            gan = models.build(model, (size, size, channels))
            rng = np.random.default_rng(0)
            real = rng.uniform(-1, 1, (batch, size, size, channels)).astype(np.float32)
            peers = _torch_steps(gan, real) if peer == "torch" else {}
            trainer = Trainer(gan, Batches(real, batch_size=batch), steps=1)
            own, best, other = measure.paired(
                lambda trainer=trainer, real=real: trainer.play(real), peers, samples=samples
            )
            yield measure.record("step", case, threads, own, best, other)


def _torch_steps(gan, real):
    import torch

    from benchmarks.peers.torch_gan import TorchTrainer

    def step(trainer, images):
        return lambda: trainer.step(images, torch.randn(len(images), gan.latent_size))

    trainers = {f"torch {name}": TorchTrainer(gan, last) for name, last in (("NCHW", False), ("NHWC", True))}
    return {name: step(trainer, trainer.images(real)) for name, trainer in trainers.items()}
