"""The tables of docs/kernels.md, generated from the kernels themselves."""

from __future__ import annotations

import functools
from functools import partial

import numpy as np

from benchmarks.layers import products
from docs.build.lecture import tiles
from docs.build.lecture.launches import Launch, launches_of
from docs.build.lecture.operations import (
    BANDWIDTH,
    CEILINGS,
    DIRECTIONS,
    OPERATIONS,
    Sizes,
    convolution,
    dcgan_layers,
    multiplied,
    of_the_dcgan,
)
from docs.build.lecture.traced import SECTOR, Trace, Tracer, bytes_of, requests, sectors
from docs.build.lecture.watched import launching
from docs.build.performance import table
from minigan.kernels.cuda import SimArray
from minigan.kernels.geometry import ConvGeometry


def intensities(*names: str) -> str:
    """A row per operation: its launches, FLOPs, bytes, intensity, and the ceiling that bounds it."""
    at, rows = of_the_dcgan(), []
    for name in names:
        operation = OPERATIONS[name]
        flops, moved = operation.flops(at), operation.traffic(at)
        launches = "<br>".join(map(_launch, operation.launches(at)))
        numbers = [short(flops / 1e6), short(moved / 1e6), short(flops / moved)]
        rows.append([f"`{name}`", operation.layer, launches, *numbers, under(flops / moved, operation.ceiling)])
    return table(["operation", "layer", "launches, blocks", "MFLOP", "MB", "FLOP/byte", "bound"], rows)


def _launch(launch: Launch) -> str:
    return f"`{launch.kernel}` {launch.blocks}" if launch.file else launch.kernel


def under(intensity: float, ceiling: str) -> str:
    """The ceiling at an intensity; for memory, with the share of the arithmetic ceiling that it allows."""
    share = intensity * BANDWIDTH / CEILINGS[ceiling]
    if not intensity:
        return "memory"
    return ceiling if share >= 1 else f"memory, at most {100 * share:.2g}% of {ceiling}"


def short(number: float) -> str:
    """Three digits."""
    return f"{number:,.0f}" if number >= 99.95 else f"{number:.3g}"


def of_layers() -> str:
    """A row per convolution of the DCGAN at 64 pixels: each direction's kernel, blocks, intensity, and number of
    multiplications relative to the definition."""
    rows = []
    for name, layer in dcgan_layers().items():
        row = [f"{name} {layer.label.partition(' ')[2]}", short(products(layer) / 1e9)]
        for direction in DIRECTIONS:
            launches = _launches(layer.geometry, direction)
            intensity = products(layer) / sum(launch.bytes for launch in launches)
            kernel, blocks, *_ = launches[0][1:]
            times = multiplied(layer.geometry, direction, kernel.rpartition("_")[2]) / products(layer)
            row.append(f"`{kernel}` {blocks}{' +' * (len(launches) > 1)}; {short(intensity)}; {times:.3g}")
        rows.append(row)
    return table(["layer", "GFLOP", *(f"`{direction}`" for direction in DIRECTIONS)], rows)


def _launches(geometry, direction) -> list[Launch]:
    at = of_the_dcgan()
    return launches_of(lambda: convolution(at, geometry, direction, "implicit"))


def of_tiles() -> str:
    """A row per tile: sizes, FLOPs per byte from global and from shared memory, turns of shared memory."""
    rows = []
    for name, tile in tiles.all_tiles().items():
        cost = tiles.cost(name)
        (padded, bare), (reads, bare_reads) = cost.stores["left"], max(cost.reads.values())
        row = [f"`{name}`", f"{tile.rows} x {tile.columns} x {tile.depth}", f"{tile.own[0]} x {tile.own[1]}"]
        row += [str(2 * tile.cells * (tile.rows + tile.columns + 2 * tile.pad) * tiles.WORD)]
        row += [short(cost.flops / cost.loaded), short(cost.flops / cost.read)]
        rows.append([*row, f"{padded}, {bare}", f"{reads}, {bare_reads}"])
    heading = ["tile", "per block and step", "own", "shared bytes", "FLOP/byte loaded", "FLOP/byte from shared"]
    return table([*heading, "store turns", "read turns"], rows)


# ------------------------------------------------------------------------------------------ requests of a warp

SEEN = [  # channels, operation, {kernel: its arrays}: "<" is read, ">" written
    (64, "leaky_relu_vjp", {"leaky_relu_vjp": "<g <x >gx"}),
    (64, "im2col", {"im2col": "<x >columns"}),
    (64, "col2im", {"col2im": "<columns >x"}),
    (64, "pool_scatter", {"pool_scatter": "<y <indices >x"}),
    (64, "leaky_relu_vjp_sum", {"leaky_relu_vjp_sums": "<g <x >gx >partial"}),
    (64, "batch_norm", {"normalise": "<x >y"}),
    (64, "conv2d, implicit", {"conv2d_medium": "<x <w >y"}),
    (64, "conv2d_transpose, implicit", {"transpose_medium": "<y <w >x"}),
    (64, "conv2d_weight, implicit", {"weight_medium": "<x <y >w"}),
    (64, "standard_normal", {"standard_normal": ">out"}),
    (3, "im2col", {"im2col": "<x >columns"}),
    (3, "col2im", {"col2im": "<columns >x"}),
    (3, "conv2d, implicit", {"conv2d_medium": "<x <w >y"}),
    (3, "conv2d_transpose, implicit", {"transpose_narrow": "<y <w >x"}),
    (3, "conv2d_weight, implicit", {"weight_medium": "<x <y >w"}),
]


@functools.cache
def of_requests() -> str:
    """The size of a warp's requests and their sectors, traced on the device sim for an image of 8 x 8."""
    rows = []
    for channels, name, kernels in SEEN:
        with launching(Tracer()) as tracer:
            OPERATIONS[name].call(few(channels))
        for trace in tracer.traces:
            alike = {}
            for word in kernels.get(trace.kernel, "").split():
                alike.setdefault(_asked(trace, word[1:], word[0] == ">"), []).append(word)
            rows += [[f"`{trace.kernel}`", str(channels), _said(words), *found] for found, words in alike.items()]
    return table(["kernel", "channels", "arrays", "bytes per lane", "per warp", "sectors", "used"], rows)


def _asked(trace: Trace, array: str, write: bool) -> tuple[str, ...]:
    """Bytes per lane and per warp, sectors, and the share of them used: means over the requests for an array."""
    found = requests(trace.of(array, write))
    bytes_asked = np.mean([len(np.unique(bytes_of(one))) for one in found])
    touched = np.mean([sectors(one) for one in found])
    lane = int(np.median([one["size"][0] for one in found]))
    return str(lane), short(bytes_asked), short(touched), f"{bytes_asked / (SECTOR * touched):.0%}"


def _said(words: list[str]) -> str:
    read, written = (", ".join(f"`{word[1:]}`" for word in words if word[0] == sign) for sign in "<>")
    return "; ".join(f"{verb} {arrays}" for verb, arrays in (("reads", read), ("writes", written)) if arrays)


def few(channels: int) -> Sizes:
    """The sizes for one image of 8 x 8 pixels."""
    conv = ConvGeometry.of_conv((1, 8, 8, channels), (4, 4, channels, 64), stride=2, padding=1)
    return Sizes(on_sim, conv.image, (1, 16, 16, 3), conv, (8, 1), (1, 1024), [conv.weight])


def on_sim(shape, values=None):
    return np.array(np.ones(shape, np.float32) if values is None else values).view(SimArray)


TABLES = {
    "numbers": partial(intensities, "leaky_relu", "leaky_relu_vjp", "tanh_vjp"),
    "windows": partial(
        intensities,
        *("im2col", "col2im", "max_pool_indices", "pool_gather", "pool_scatter", "window_sum", "window_spread"),
    ),
    "sums": partial(
        intensities,
        *("bias_sum", "leaky_relu_vjp_sum", "batch_norm", "batch_norm_vjp"),
        *("binary_cross_entropy_sum", "binary_cross_entropy_excess"),
    ),
    "tiles": of_tiles,
    "products": partial(
        intensities,
        "matmul",
        *(f"{direction}, {how}" for how in ("im2col", "implicit") for direction in DIRECTIONS),
    ),
    "tensor": partial(intensities, *(f"{direction}, {how}" for how in ("tf32", "bf16") for direction in DIRECTIONS)),
    "layers": of_layers,
    "updates": partial(intensities, "sgd_update", "sgd_update, momentum", "rmsprop_update", "adam_update"),
    "random": partial(intensities, "standard_normal", "uniform"),
    "requests": of_requests,
}
