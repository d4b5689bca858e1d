"""The suites with `--device cuda`, with several rivals, and with `--device sim`, a rehearsal with tiny cases.

Kernels and convolutions are timed by the device, so that the cost of launching from Python does not hide theirs; steps
and scaling by the host, as users see them. Rivals are PyTorch in several variants, CuPy's own operations, or with
`--peer cpu` minigan on the CPU. The ratio is to the fastest rival with the same precision, and every rival's time is in
the record. Cases that PyTorch compiles come last, since compiling takes long and the time may run out.
A rehearsal has no rivals, and its times say nothing about a GPU.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from benchmarks import conv, kernels, layers, measure, scaling
from benchmarks.cases import BESIDE_A_COMPILER, ON_A_GPU, REHEARSED, GanCase
from benchmarks.clocks import AtMost, ByTheDevice, ByTheHost
from benchmarks.layers import Convolution
from benchmarks.peers import torch_gpu
from benchmarks.request import Request
from benchmarks.rivals import Rival, Rivals, quickest
from benchmarks.step import real_images
from minigan import devices
from minigan.gan import Trainer
from minigan.kernels.cpu.runtime.threads import set_threads
from minigan.kernels.cuda.conv import ALGORITHMS
from minigan.kernels.geometry import ConvGeometry

CPU = "minigan, cpu"
FLOAT32 = [way for way in torch_gpu.EAGER if not way.tf32]
SAMPLES = {"kernels": 0.03, "conv": 0.03, "step": 0.1, "scaling": 0.05}  # approximate seconds of a sample
TINY = {"batch": 2, "channels": 4, "size": 8}  # scaling's default layer in a rehearsal
PRECISIONS = "float32", "tf32"
AS_IT_COMES: dict = {}  # default settings of a trainer
CLOCKS = {"kernels": ByTheDevice, "conv": ByTheDevice, "step": ByTheHost, "scaling": ByTheHost}


class Work(NamedTuple):
    """One case: build() returns minigan's function; its rivals; its work.

    others: minigan's other algorithms, which are also measured and recorded as `name -> ms`
    """

    build: Callable
    rivals: dict[str, Rival]
    products: float = 0
    precision: str = "float32"
    traffic: float = 0
    more: dict = {}  # noqa: RUF012 never modified
    others: dict = {}  # noqa: RUF012


def run(request: Request) -> Iterator[measure.Record]:
    """Yield the records of a suite's cases."""
    works = WORKS[request.suite](request)
    if request.peer == "cpu":
        works = {name: work for name, work in works.items() if CPU in work.rivals}
    with Rivals() as rivals:
        for name in request.wanted(works):
            yield measured(request, name, works[name], rivals)


def measured(request: Request, name: str, work: Work, rivals: Rivals) -> measure.Record:
    competing = competitors(request, work)
    ours = clocked(request, work.build())
    found = rivals.beside(ours, competing, samples=request.samples, sample=request.sample(SAMPLES[request.suite]))
    best = quickest(found, competing)
    more = dict(work.more)
    if work.others and request.peer != "cpu":
        more["ours_by_algorithm_ms"] = {
            other: 1e3 * statistics.median(alone(request, clocked(request, build()), rivals))
            for other, build in work.others.items()
        }
    if competing:
        more["peers_ms"] = {peer: 1e3 * statistics.median(seconds) for peer, seconds in found.others.items()}
        more["failed"] = found.failed
    return measure.record(
        request,
        name,
        found.own,
        best,
        found.others.get(best, []),
        products=work.products,
        precision=work.precision,
        traffic=work.traffic,
        **more,
    )


def competitors(request: Request, work: Work) -> dict[str, Rival]:
    if request.peer == "cpu":
        return {CPU: work.rivals[CPU]}
    return {name: rival for name, rival in work.rivals.items() if name != CPU} if request.peer else {}


def alone(request, ours, rivals) -> list[float]:
    return rivals.beside(ours, {}, samples=request.samples, sample=request.sample(SAMPLES[request.suite])).own


def clocked(request: Request, ours):
    """Wrap it in its suite's clock; on the device sim, work is complete when a call returns."""
    if request.device == "sim":
        return ours
    from benchmarks import gpu

    return CLOCKS[request.suite](ours, gpu)


def kernels_works(request: Request) -> dict[str, Work]:
    return {
        name: Work(case.build, kernel_rivals(request, name, case), traffic=case.traffic)
        for name, case in kernels.all_cases(request.device).items()
    }


def kernel_rivals(request, name, case) -> dict[str, Rival]:
    if request.device == "sim":
        return {}
    from benchmarks.peers import cupy_kernels

    rivals = {f"torch {form}": Rival(torch_gpu.kernel, (name, form)) for form in case.forms}
    if name in cupy_kernels.KERNELS:
        rivals["cupy"] = Rival(cupy_kernels.kernel, (name,))
    return rivals | {CPU: Rival(cpu_kernel, (name, request.threads))}


def conv_works(request: Request) -> dict[str, Work]:
    """The layers of the DCGAN at 64 pixels, each product once, with each of minigan's algorithms."""
    cases = conv_cases(request.device)
    works = {name: conv_work(request, *case) for name, case in cases.items()}
    if request.device == "cuda":
        works |= {f"{name}, compiled": compiled_conv_work(request, *case) for name, case in cases.items()}
    return works


def conv_work(request, layer, direction) -> Work:
    ways = {way.name: Rival(torch_gpu.convolution, (layer, direction, way), not way.tf32) for way in torch_gpu.EAGER}
    return Work(
        partial(conv.ours, layer, direction, request.device),
        ways | {CPU: Rival(cpu_convolution, (layer, direction, request.threads))},
        products=layers.products(layer),
        more={"plain_product": layer.plain_product},
        others={name: partial(conv.ours, layer, direction, request.device, name) for name in ALGORITHMS},
    )


def compiled_conv_work(request, layer, direction) -> Work:
    ways = {way.name: Rival(torch_gpu.convolution, (layer, direction, way), not way.tf32) for way in torch_gpu.COMPILED}
    build = partial(conv.ours, layer, direction, request.device)
    return Work(build, ways, layers.products(layer), more={"plain_product": layer.plain_product})


def conv_cases(device: str) -> dict[str, tuple[Convolution, str]]:
    """Name -> (layer, direction)."""
    if device == "cuda":
        cases, _ = conv.all_cases()
        return {name: case for name, case in cases.items() if name.startswith("dcgan-64/")}
    geometry = ConvGeometry.of_conv((2, 8, 8, 3), (4, 4, 3, 8), stride=2, padding=1)
    tiny = [Convolution(1 + transposed, "", geometry, transposed) for transposed in (False, True)]
    return {f"tiny {layer.label} {direction}": (layer, direction) for layer in tiny for direction in conv.DIRECTIONS}


def step_works(request: Request) -> dict[str, Work]:
    """Uncaptured steps beside eager PyTorch, and captured ones beside compiled PyTorch, in float32 and on tensor cores.

    The most important come first, and only these are compared with compiled PyTorch; the others, captured, are compared
    with eager PyTorch.
    """
    works = {}
    cases, sim = (REHEARSED, True) if request.device == "sim" else (ON_A_GPU, False)
    ways = (False, torch_gpu.EAGER), (True, torch_gpu.COMPILED)
    for (name, case), (captured, rivals), precision in itertools.product(cases.items(), ways, PRECISIONS):
        rivals = rivals if name in BESIDE_A_COMPILER else torch_gpu.EAGER
        rivals = [] if sim else [way for way in rivals if way.tf32 == (precision != "float32")]
        extras = [precision] * (precision != "float32") + ["captured"] * captured
        how = {"precision": precision, "captured": captured}
        works[", ".join([name, *extras])] = step_work(request, case, rivals, cpu=not extras and not sim, how=how)
    return works


def step_work(request, case: GanCase, ways, cpu: bool = True, how: dict = AS_IT_COMES, **more) -> Work:
    rivals = {way.name: Rival(torch_gpu.step, (case, way)) for way in ways}
    if cpu:
        rivals[CPU] = Rival(cpu_step, (case, request.threads))
    gan = case.build()
    return Work(
        lambda: step(case, request.device, **how),
        rivals,
        products=layers.products_of_a_step(gan, case.batch),
        precision=how.get("precision", "float32"),
        more=more,
    )


def step(case: GanCase, device: str, **how):
    """A training step on images that are already on the device, as PyTorch's are."""
    gan = case.build().to(device)
    trainer, real = Trainer(gan, None, steps=1, **how), devices.move(real_images(case), device)
    return lambda: trainer.train_step(real)


def scaling_works(request: Request) -> dict[str, Work]:
    """As on the CPU, but without varying threads, and with larger batches."""
    works, tiny = {}, request.device == "sim"
    values = {axis: (value,) for axis, value in TINY.items()} if tiny else scaling.VALUES
    for axis, of_axis in values.items():
        for value in of_axis:
            layer = scaling.layer_of(axis, value, TINY if tiny else scaling.USUAL)
            more = {"axis": axis, "value": value, "images": layer.geometry.N}
            works[f"layer, {axis} {value}"] = layer_work(request, layer, more)
    for batch in (2,) if tiny else (*scaling.BATCHES, 512):
        case = scaling.GANS[scaling.STEP]._replace(batch=batch)
        more = {"axis": "batch", "value": batch, "images": batch}
        works[f"step, batch {batch}"] = step_work(request, case, FLOAT32, **more)
    return works


def layer_work(request, layer, more) -> Work:
    rivals = {way.name: Rival(torch_gpu.all_directions, (layer, way)) for way in FLOAT32}
    return Work(
        lambda: all_directions(layer, request.device),
        rivals | {CPU: Rival(cpu_directions, (layer, request.threads))},
        products=3 * layers.products(layer),
        more=more,
    )


def all_directions(layer: Convolution, device: str):
    parts = [conv.ours(layer, direction, device) for direction in conv.DIRECTIONS]
    return lambda: [part() for part in parts]


# minigan on the CPU, in the calling process; samples end early, since as many calls as on a GPU would take too long


def cpu_kernel(name: str, threads: int):
    set_threads(threads)
    at = kernels.setting_of("cuda")._replace(device="cpu")
    return AtMost(kernels.all_cases("cuda")[name].build.func(at))


def cpu_convolution(layer: Convolution, direction: str, threads: int):
    set_threads(threads)
    return AtMost(conv.ours(layer, direction))


def cpu_step(case: GanCase, threads: int):
    set_threads(threads)
    return AtMost(step(case, "cpu"))


def cpu_directions(layer: Convolution, threads: int):
    set_threads(threads)
    return AtMost(all_directions(layer, "cpu"))


WORKS = {"kernels": kernels_works, "conv": conv_works, "step": step_works, "scaling": scaling_works}
