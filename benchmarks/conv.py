"""Every convolution of the models at their benchmark batch: forward, input gradient and weight gradient, one by one.

A transposed layer is the adjoint of a convolution, so layers of one geometry share their three products; each product
is measured once, under the first layer that has it, and `also` in its record names the others. PyTorch computes only
the requested gradient, in both memory layouts; the faster one counts, case by case. With uneven padding PyTorch pads
the image first and crops the input gradient, as its users must do. GFLOP/s count the products of the definition, so
algorithms with fewer products can exceed the ceiling. The R-GAN's 1 x 1 layers are measured as described in the text,
on concatenated maps; its model computes the same with fewer products.
"""

from __future__ import annotations

import math

from benchmarks import measure
from benchmarks.cases import GANS
from benchmarks.layers import Convolution, layers, operands, products
from benchmarks.peers.process import started
from benchmarks.step import LAYOUTS
from minigan import devices, kernels

WIDTH = 52
DIRECTIONS = ("forward", "input gradient", "weight gradient")


def run(request):
    cases, also = all_cases()
    wanted = request.wanted(cases)
    builds = {name: (torch_layer, *cases[wanted[0]], last, request.threads) for name, last in LAYOUTS.items()}
    with started(builds if request.peer else {}) as peers:
        for name in wanted:
            layer, direction = cases[name]
            for peer, last in zip(peers.values(), LAYOUTS.values(), strict=False):
                peer.become(torch_layer, layer, direction, last, request.threads)
            own, best, other = measure.paired(
                ours(layer, direction), peers, samples=request.samples, sample=measure.SHORT_SAMPLE
            )
            more = {"plain_product": layer.plain_product, "also": also[name]}
            yield measure.record(request, name, own, best, other, products=products(layer), **more)


def summary(records) -> list[str]:
    """The geometric mean of the ratios, and the worst layer of each kind."""
    if not records or records[0].ratio is None:
        return []
    mean = math.exp(sum(math.log(one.ratio) for one in records) / len(records))
    lines = [f"geometric mean of {len(records)} ratios: {mean:.3f}"]
    for title, plain in (("worst", False), ("worst of the plain matrix products", True)):
        kind = [one for one in records if one.more["plain_product"] is plain]
        if kind:
            worst = max(kind, key=lambda one: one.ratio)
            lines.append(f"{title}: {worst.ratio:.2f}, {worst.case}")
    return lines


def all_cases() -> tuple[dict[str, tuple[Convolution, str]], dict[str, list[str]]]:
    """The cases, name -> (layer, direction), and for each the names of other layers with the same product."""
    cases, names, also = {}, {}, {}
    for model, case in GANS.items():
        gan = case.build()
        players = {"D": (gan.discriminator, gan.image_shape), "G": (gan.generator, (gan.latent_size,))}
        for player, (network, shape) in players.items():
            found = [layer for layer in layers(network, case.batch, shape) if isinstance(layer, Convolution)]
            for layer in found:
                for direction in DIRECTIONS:
                    name = f"{model}/{player}{layer.label} {direction}"
                    first = names.setdefault((layer.geometry, product_of(layer, direction)), name)
                    if first == name:
                        cases[name], also[name] = (layer, direction), []
                    else:
                        also[first].append(name)
    return cases, also


def product_of(layer: Convolution, direction: str) -> str:
    """The kernel that computes one direction of a layer."""
    if direction == "weight gradient":
        return "conv2d_weight"
    return "conv2d" if (direction == "forward") is not layer.transposed else "conv2d_transpose"


def ours(layer: Convolution, direction: str, device: str = "cpu", algorithm: str | None = None):
    """A function without arguments that computes one direction and returns an array."""
    g, product = layer.geometry, product_of(layer, direction)
    x, w, y = (devices.move(on_a_cache_line(array), device) for array in operands(g))
    given = {"conv2d": (x, w), "conv2d_transpose": (y, w), "conv2d_weight": (x, y)}[product]
    how = {"algorithm": algorithm} if algorithm else {}
    return lambda: getattr(kernels.of(x), product)(*given, g, **how)


def on_a_cache_line(array):
    """A copy aligned like the results of kernels. (PyTorch also copies it, with its own alignment.)"""
    from minigan.kernels.cpu.runtime.threads import aligned  # not in the peer's process, since it changes malloc

    copy = aligned(array.shape, array.dtype)
    copy[...] = array
    return copy


def torch_layer(layer: Convolution, direction: str, channels_last: bool, threads: int):
    """PyTorch's version, in the calling process."""
    import torch

    from benchmarks.peers.torch_layers import convolution

    torch.set_num_threads(threads)
    return convolution(layer, direction, channels_last)
