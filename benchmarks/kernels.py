"""Kernels other than convolutions, at shapes of the DCGAN: GB/s of the necessary memory traffic.

The necessary traffic reads every input once and writes every output once. The ceiling is a copy of memory; arrays in a
cache can exceed it. PyTorch's equivalents are in benchmarks/peers/torch_kernels.py, each in all its forms (memory
layouts, or an optimiser's loops), of which the fastest counts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import minigan as mg
from benchmarks import measure
from benchmarks.peers.process import started
from minigan import devices, kernels
from minigan.kernels.geometry import ConvGeometry

WIDTH = 26
IMAGES = (64, 32, 32, 64)  # the first feature maps of the DCGAN at 64 pixels
SLIDE = ConvGeometry.of_window(IMAGES, kernel_size=4, stride=2, padding=1)
POOL = ConvGeometry.of_window(IMAGES, kernel_size=2, stride=2)
ON_A_GPU = (512, 32, 32, 64)  # more images than its cache can hold
REHEARSED = (2, 8, 8, 4)
SLOPE, EPSILON = 0.2, 1e-5
ADAM = {"lr": 2e-4, "betas": (0.5, 0.999)}
LAYOUTS, LOOPS = ("NCHW", "NHWC"), ("foreach", "fused")


class Setting(NamedTuple):
    """The inputs for the kernels of a device."""

    device: str
    images: tuple[int, int, int, int]
    slide: ConvGeometry
    pool: ConvGeometry

    def drawn(self, shape, number: int = 0):
        """Normal numbers on the device."""
        return devices.move(drawn(shape, number), self.device)

    def rows(self):
        """Images as (pixels, channels), on the device."""
        return self.drawn(self.images).reshape(-1, self.images[-1])

    def parameter_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the parameters that an optimiser updates."""
        return [(3, 4), (5,)] if self.device == "sim" else parameter_shapes()


class Case(NamedTuple):
    """build() returns a function without arguments; traffic: bytes it must move; forms: PyTorch's variants."""

    build: Callable
    traffic: int
    forms: tuple[str, ...] = LAYOUTS


def run(request):
    cases = all_cases()
    wanted = request.wanted(cases)
    forms = (*LAYOUTS, *LOOPS) if request.peer else ()
    # one process per form, for all cases
    with started({f"torch {form}": (_nothing,) for form in forms}) as peers:
        for name in wanted:
            case = cases[name]
            chosen = {f"torch {form}": peers[f"torch {form}"] for form in case.forms if peers}
            for form, peer in zip(case.forms, chosen.values(), strict=False):
                peer.become(_torch_kernel, name, form, request.threads)
            own, best, other = measure.paired(
                case.build(), chosen, samples=request.samples, sample=measure.SHORT_SAMPLE
            )
            yield measure.record(request, name, own, best, other, traffic=case.traffic)


def all_cases(device: str = "cpu") -> dict[str, Case]:
    """All cases by name, in the order of printing."""
    at = setting_of(device)
    image, columns, pooled = (4 * int(np.prod(shape)) for shape in (at.images, at.slide.columns, at.pool.features))
    parameters = 4 * sum(int(np.prod(shape)) for shape in at.parameter_shapes())
    adam, momentum, rmsprop = 7 * parameters, 5 * parameters, 5 * parameters
    cases = {
        "im2col": Case(_im2col, image + columns, ("NCHW",)),
        "col2im": Case(_col2im, image + columns, ("NCHW",)),
        "max pool forward": Case(_max_pool, image + 2 * pooled),
        "max pool backward": Case(_max_pool_backward, image + 2 * pooled),
        "average pool forward": Case(_average_pool, image + pooled),
        "average pool backward": Case(_average_pool_backward, image + pooled),
        "batch norm, leaky forward": Case(_batch_norm, 2 * image),
        "batch norm, leaky backward": Case(_batch_norm_backward, 3 * image),
        "leaky relu forward": Case(_leaky_relu, 2 * image),
        "leaky relu backward": Case(_leaky_relu_backward, 3 * image),
        "tanh forward": Case(_tanh, 2 * image),
        "bias gradient": Case(_bias_sum, image),
        "adam": Case(lambda at: _optimiser(at, mg.optim.Adam, **ADAM), adam, LOOPS),
        "sgd with momentum": Case(lambda at: _optimiser(at, mg.optim.SGD, lr=1e-4, momentum=0.9), momentum, LOOPS),
        "rmsprop": Case(lambda at: _optimiser(at, mg.optim.RMSprop, lr=1e-4), rmsprop, LOOPS[:1]),
    }
    return {name: case._replace(build=functools.partial(case.build, at)) for name, case in cases.items()}


def setting_of(device: str) -> Setting:
    if device == "cpu":
        return Setting(device, IMAGES, SLIDE, POOL)
    images = ON_A_GPU if device == "cuda" else REHEARSED
    slide = ConvGeometry.of_window(images, kernel_size=4, stride=2, padding=1)
    return Setting(device, images, slide, ConvGeometry.of_window(images, kernel_size=2, stride=2))


def parameter_shapes() -> list[tuple[int, ...]]:
    """The parameter shapes of both networks of the DCGAN at 64 pixels."""
    gan = mg.models.build("dcgan", (64, 64, 3))
    return [p.shape for network in (gan.generator, gan.discriminator) for p in network.parameters()]


def drawn(shape, number: int = 0) -> np.ndarray:
    """Normal float32 numbers, the same for every engine; `number` is the seed."""
    return np.random.default_rng(number).standard_normal(shape, np.float32)


def _im2col(at):
    x = at.drawn(at.images)
    return lambda: kernels.of(x).im2col(x, at.slide)


def _col2im(at):
    columns = at.drawn(at.slide.columns)
    return lambda: kernels.of(columns).col2im(columns, at.slide)


def _max_pool(at):
    x = at.drawn(at.images)
    return lambda: mg.max_pool2d(x, 2)


def _max_pool_backward(at):
    x, y = at.drawn(at.images), at.drawn(at.pool.features, 1)
    indices = kernels.of(x).max_pool_indices(x, at.pool)
    return lambda: kernels.of(y).pool_scatter(y, indices, at.pool)


def _average_pool(at):
    x = at.drawn(at.images)
    return lambda: mg.avg_pool2d(x, 2)


def _average_pool_backward(at):
    y, share = at.drawn(at.pool.features), np.float32(1 / (at.pool.KH * at.pool.KW))
    return lambda: kernels.of(y).window_spread(y * share, at.pool)


def _batch_norm(at):
    rows, scale, shift = at.rows(), at.drawn(at.images[-1], 1), at.drawn(at.images[-1], 2)
    return lambda: kernels.of(rows).batch_norm(rows, scale, shift, EPSILON, SLOPE)[0]


def _batch_norm_backward(at):
    x, scale, shift = at.rows(), at.drawn(at.images[-1], 1), at.drawn(at.images[-1], 2)
    g = at.drawn(x.shape, 3)
    _, mean, inverse = kernels.of(x).batch_norm(x, scale, shift, EPSILON, SLOPE)
    return lambda: kernels.of(x).batch_norm_vjp(g, x, scale, shift, mean, inverse, SLOPE)[0]


def _leaky_relu(at):
    x = at.drawn(at.images)
    return lambda: kernels.of(x).leaky_relu(x, SLOPE)


def _leaky_relu_backward(at):
    x, g = at.drawn(at.images), at.drawn(at.images, 3)
    return lambda: kernels.of(x).leaky_relu_vjp(g, x, SLOPE)


def _tanh(at):
    x = at.drawn(at.images)
    return lambda: mg.tanh(x)


def _bias_sum(at):
    g = at.rows()
    return lambda: kernels.of(g).bias_sum(g)


def _optimiser(at, kind, **settings):
    shapes = at.parameter_shapes()
    parameters = [mg.tensor(at.drawn(shape, i), requires_grad=True) for i, shape in enumerate(shapes)]
    gradients = [at.drawn(shape, len(shapes) + i) for i, shape in enumerate(shapes)]
    optimiser = kind(parameters, **settings)

    def step():
        optimiser.step(gradients)
        return parameters[0].data

    return step


def _nothing():
    return lambda: None


def _torch_kernel(name: str, form: str, threads: int):
    """PyTorch's version, in the calling process."""
    import torch

    from benchmarks.peers.torch_kernels import kernel

    torch.set_num_threads(threads)
    return kernel(name, form)
