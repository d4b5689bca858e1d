"""How time grows with batch, channels, image size and threads.

`layer`: a 4 x 4 convolution with stride 2, forward and both gradients, from C to 2 C channels; one of batch, channels
and size varies while the others stay at 64, 64 and 32. `step`: whole steps of the DCGAN at 28 pixels. Both engines use
the same number of threads, the request's except where threads vary.
"""

from __future__ import annotations

from benchmarks import measure
from benchmarks.cases import GANS
from benchmarks.layers import Convolution, operands, products, products_of_a_step
from benchmarks.peers.process import started
from benchmarks.step import LAYOUTS, real_images, torch_step
from minigan import kernels
from minigan.data import Batches
from minigan.gan import Trainer
from minigan.kernels.cpu.runtime.threads import set_threads
from minigan.kernels.geometry import ConvGeometry

WIDTH = 20
SAMPLE = 0.1  # seconds
USUAL = {"batch": 64, "channels": 64, "size": 32}
VALUES = {"batch": (1, 4, 16, 64, 256), "channels": (4, 16, 64, 256), "size": (8, 16, 32, 64)}
STEP = "dcgan-28"
BATCHES = (8, 32, 128)


def run(request):
    cases = all_cases(request.threads)
    for name in request.wanted(cases):
        kind, axis, value = cases[name]
        threads = value if axis == "threads" else request.threads
        set_threads(threads)
        try:
            yield (_layer if kind == "layer" else _step)(request, name, axis, value, threads)
        finally:
            set_threads(request.threads)


def all_cases(threads: int) -> dict[str, tuple[str, str, int]]:
    """Name -> (what is measured, what varies, its value)."""
    axes = [("layer", axis, value) for axis, values in VALUES.items() for value in values]
    axes += [("step", "batch", batch) for batch in BATCHES]
    axes += [(kind, "threads", count) for kind in ("layer", "step") for count in range(1, threads + 1)]
    return {f"{kind}, {axis} {value}": (kind, axis, value) for kind, axis, value in axes}


def _layer(request, name, axis, value, threads):
    layer = layer_of(axis, value)
    g = layer.geometry
    x, w, y = operands(g)
    kernel = kernels.of(x)

    def ours():
        return kernel.conv2d(x, w, g), kernel.conv2d_transpose(y, w, g), kernel.conv2d_weight(x, y, g)

    builds = {peer: (_torch_layer, layer, last, threads) for peer, last in LAYOUTS.items()} if request.peer else {}
    with started(builds) as peers:
        own, best, other = measure.paired(ours, peers, samples=request.samples, sample=SAMPLE)
    more = {"axis": axis, "value": value, "images": g.N}
    return measure.record(request, name, own, best, other, threads=threads, products=3 * products(layer), **more)


def layer_of(axis: str, value: int, usual: dict[str, int] = USUAL) -> Convolution:
    """The default layer with one quantity changed."""
    is_ = usual | {axis: value}
    images = is_["batch"], is_["size"], is_["size"], is_["channels"]
    weight = 4, 4, is_["channels"], 2 * is_["channels"]
    return Convolution(1, "", ConvGeometry.of_conv(images, weight, stride=2, padding=1), False)


def _step(request, name, axis, value, threads):
    case = GANS[STEP]._replace(**({"batch": value} if axis == "batch" else {}))
    gan = case.build()
    real = real_images(case)
    trainer = Trainer(gan, Batches(real, batch_size=case.batch), steps=1)
    builds = {peer: (torch_step, case, last, threads) for peer, last in LAYOUTS.items()} if request.peer else {}
    with started(builds) as peers:
        own, best, other = measure.paired(
            lambda: trainer.train_step(real), peers, samples=request.samples, sample=SAMPLE
        )
    more = {"axis": axis, "value": value, "images": case.batch}
    work = products_of_a_step(gan, case.batch)
    return measure.record(request, name, own, best, other, threads=threads, products=work, **more)


def _torch_layer(layer, channels_last, threads):
    """A function that computes the three directions in turn."""
    import torch

    from benchmarks.conv import DIRECTIONS
    from benchmarks.peers.torch_layers import convolution

    torch.set_num_threads(threads)
    parts = [convolution(layer, direction, channels_last) for direction in DIRECTIONS]
    return lambda: [part() for part in parts]
