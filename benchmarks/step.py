"""Whole training steps: the generator's images, the discriminator's update, the generator's update, both optimisers.

PyTorch does the same work with the same weights in both memory layouts; the faster one counts. GFLOP/s count the
products in the layers' definitions, even if an algorithm needs fewer.
"""

from __future__ import annotations

import numpy as np

from benchmarks import measure
from benchmarks.cases import GANS, GanCase
from benchmarks.layers import products_of_a_step
from benchmarks.peers.process import started
from minigan.data import Batches
from minigan.gan import Trainer

LAYOUTS = {"torch NCHW": False, "torch NHWC": True}
WIDTH = 12


def run(request):
    for name in request.wanted(GANS):
        case = GANS[name]
        gan = case.build()
        real = real_images(case)
        trainer = Trainer(gan, Batches(real, batch_size=case.batch), steps=1)
        with started(builds(case, request)) as peers:
            own, best, other = measure.paired(
                lambda trainer=trainer, real=real: trainer.train_step(real), peers, samples=request.samples
            )
        yield measure.record(request, name, own, best, other, products=products_of_a_step(gan, case.batch))


def builds(case: GanCase, request) -> dict[str, tuple]:
    """The peers to start for a case."""
    layouts = LAYOUTS if request.peer else {}
    return {name: (torch_step, case, channels_last, request.threads) for name, channels_last in layouts.items()}


def real_images(case: GanCase) -> np.ndarray:
    """Stand-ins for real images, the same for every engine."""
    return np.random.default_rng(0).uniform(-1, 1, (case.batch, *case.shape)).astype(np.float32)


def torch_step(case: GanCase, channels_last: bool, threads: int):
    """PyTorch's step with the same weights, in the calling process."""
    import torch

    from benchmarks.peers.torch_gan import TorchTrainer

    torch.set_num_threads(threads)
    gan = case.build()
    trainer = TorchTrainer(gan, channels_last)
    images = trainer.images(real_images(case))
    return lambda: trainer.step(images, torch.randn(case.batch, gan.latent_size))
