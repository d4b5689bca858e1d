"""PyTorch on a GPU: the same work in several variants. Only functions import PyTorch."""

from __future__ import annotations

import os
from typing import NamedTuple

from benchmarks.cases import GanCase
from benchmarks.clocks import ByTheDevice, ByTheHost
from benchmarks.layers import Convolution


class Way(NamedTuple):
    """The memory layout, the precision of products, and whether torch.compile is used."""

    channels_last: bool
    tf32: bool = False
    compiled: bool = False

    @property
    def name(self) -> str:
        extras = (", tf32" if self.tf32 else "") + (", compiled" if self.compiled else "")
        return f"torch {'NHWC' if self.channels_last else 'NCHW'}{extras}"


EAGER = [Way(last, tf32) for tf32 in (False, True) for last in (False, True)]
COMPILED = [way._replace(compiled=True) for way in EAGER]


def step(case: GanCase, way: Way):
    """A training step with minigan's weights, timed by the host."""
    torch, library = begun(way)
    from benchmarks.peers.torch_gan import networks
    from benchmarks.peers.torch_training import Training
    from benchmarks.step import real_images

    gan = case.build()
    theirs = [network.cuda() for network in networks(gan)]
    trainer = Training(*theirs, gan.recipe.generator_rate, gan.recipe.betas, way.channels_last)
    for network in theirs if way.compiled else ():
        network.compile()
    images = trainer.images(real_images(case)).cuda()

    def run():
        return trainer.step(images, torch.randn(case.batch, gan.latent_size, device="cuda"))

    run()  # what compiles does so here, all peers at a time
    return ByTheHost(run, library)


def convolution(layer: Convolution, direction: str, way: Way):
    """One direction of a layer, timed by the device."""
    torch, library = begun(way)
    from benchmarks.peers import torch_layers

    run = torch_layers.convolution(layer, direction, way.channels_last, "cuda")
    return ByTheDevice(torch.compile(run) if way.compiled else run, library)


def all_directions(layer: Convolution, way: Way):
    """The three directions of a layer in turn, timed by the host."""
    _, library = begun(way)
    from benchmarks.conv import DIRECTIONS
    from benchmarks.peers import torch_layers

    parts = [torch_layers.convolution(layer, direction, way.channels_last, "cuda") for direction in DIRECTIONS]
    return ByTheHost(lambda: [part() for part in parts], library)


def kernel(name: str, form: str):
    """A case of the kernels suite, timed by the device."""
    _, library = begun(EAGER[0])
    from benchmarks.peers import torch_kernels

    return ByTheDevice(torch_kernels.kernel(name, form, "cuda"), library)


def begun(way: Way):
    """(torch, its clock), configured for a variant in the calling process.

    cuDNN searches for the best algorithm for each new shape, the usual setting for fixed shapes.
    """
    # a peer's process may not have children, which the compiler would start by default
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = way.tf32
    torch.backends.cudnn.benchmark = True
    if way.compiled:
        torch._dynamo.reset()  # so that a case does not count as another shape of the one before
    torch.cuda.empty_cache()
    return torch, Library(torch)


class Library:
    """PyTorch's part of a clock (clocks.py)."""

    CYCLES = 2e9  # approximate GPU cycles per second; waits need not be exact

    def __init__(self, torch):
        self.torch, self.wait = torch, torch.cuda.synchronize

    def hold(self, seconds: float) -> None:
        self.torch.cuda._sleep(int(seconds * self.CYCLES))

    def event(self):
        made = self.torch.cuda.Event(enable_timing=True)
        made.record()
        return made

    def between(self, first, last) -> float:
        return first.elapsed_time(last) / 1e3
