"""Whole training steps: the generator's images, the discriminator's update, the generator's update, both optimisers.

PyTorch does the same work with the same weights in both of its layouts; the better one counts.
"""

from __future__ import annotations

import numpy as np

from benchmarks import measure
from benchmarks.peers.process import Peer
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
            shape = (size, size, channels)
            real = real_images(shape, batch)
            layouts = {"torch NCHW": False, "torch NHWC": True} if peer == "torch" else {}
            peers = {name: Peer(_torch_step, model, shape, batch, last, threads) for name, last in layouts.items()}
            trainer = Trainer(models.build(model, shape), Batches(real, batch_size=batch), steps=1)
            own, best, other = measure.paired(
                lambda trainer=trainer, real=real: trainer.play(real), peers, samples=samples
            )
            yield measure.record("step", case, threads, own, best, other)


def real_images(shape, batch):
    """Stand-ins for real images, the same for every engine."""
    return np.random.default_rng(0).uniform(-1, 1, (batch, *shape)).astype(np.float32)


def _torch_step(model, shape, batch, channels_last, threads):
    """PyTorch's step with the same weights, in the process that calls this."""
    import torch

    from benchmarks.peers.torch_gan import TorchTrainer

    torch.set_num_threads(threads)
    gan = models.build(model, shape)
    trainer = TorchTrainer(gan, channels_last)
    images = trainer.images(real_images(shape, batch))
    return lambda: trainer.step(images, torch.randn(batch, gan.latent_size))
