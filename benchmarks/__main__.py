"""Time minigan, alone or beside another engine in the same run: python -m benchmarks SUITE [--peer torch] ..."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from typing import NamedTuple

from benchmarks import measure
from benchmarks.request import ON_DEVICES, Request, positive
from minigan.errors import MiniganError
from minigan.kernels.cpu.runtime.threads import get_threads, set_threads


class Suite(NamedTuple):
    """samples: pairs of measurements for each case by default; about: one line of help."""

    samples: int
    about: str


SUITES = {
    "overhead": Suite(31, "recording and differentiating one small operation"),
    "kernels": Suite(15, "kernels other than convolutions: norms, activations, losses, optimisers, random numbers"),
    "conv": Suite(15, "every convolution of the models: forward, input gradient, weight gradient"),
    "step": Suite(15, "whole training steps of the GANs"),
    "memory": Suite(3, "peak memory of three training steps, in fresh processes"),
    "cold": Suite(3, "the import, and the time from process start to the end of the first step"),
    "scaling": Suite(7, "a layer and a step as batch, channels, image size or threads grow"),
    "profile": Suite(9, "the parts of a training step, minigan only"),
}


def parser() -> argparse.ArgumentParser:
    suites = "\n".join(f"  {name:<9} {suite.about} [{suite.samples}]" for name, suite in SUITES.items())
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Time minigan, alone or beside another engine in the same run.",
        epilog=f"suites [default of --samples]:\n{suites}\n\n"
        f"{', '.join(ON_DEVICES)} also run on other devices. Experiments that train are in benchmarks.experiments,\n"
        "such as python -m benchmarks.experiments.quality --help; python -m benchmarks.runtime measures what\n"
        "each part of the CPU kernels' runtime saves.",
    )
    made.add_argument("suite", choices=SUITES, metavar="SUITE", help="one of the suites below")
    made.add_argument(
        "--device", default="cpu", metavar="NAME", help="where to measure: cpu, cuda, or sim for a rehearsal [cpu]"
    )
    made.add_argument(
        "--peer",
        choices=["torch", "cpu"],
        help="also measure PyTorch, or minigan on the CPU beside another device; print the ratio minigan / peer",
    )
    made.add_argument("--threads", type=positive, metavar="N", help="threads of both sides [all cores]")
    made.add_argument("--samples", type=positive, metavar="N", help="pairs of measurements for each case")
    made.add_argument("--case", metavar="NAME", help="only this case, or all that match a pattern such as 'dcgan-64/*'")
    made.add_argument("--json", metavar="FILE", help="write the records to FILE")
    return made


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    before = get_threads()
    try:
        set_threads(options.threads or before)
        run(options)
    except MiniganError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    finally:
        set_threads(before)
    return 0


def run(options: argparse.Namespace) -> None:
    """Print a suite's records as they arrive, then its summary, and write them to the JSON file."""
    samples = options.samples or SUITES[options.suite].samples
    request = Request(options.suite, options.peer, get_threads(), samples, options.case, options.device)
    if request.peer == "torch" and request.device == "cpu" and importlib.util.find_spec("torch") is None:
        raise MiniganError("--peer torch needs PyTorch: pip install -e '.[parity]'")
    suite = importlib.import_module(f"benchmarks.{options.suite}")
    runner = suite if request.device == "cpu" else importlib.import_module("benchmarks.on_device")
    records = []
    print(f"{options.suite} on {measured_on(request)}")
    for one in runner.run(request):
        records.append(one)
        print(measure.show(one, suite.WIDTH), flush=True)
        if options.json and request.device != "cpu":  # a run on a GPU may be cut off
            measure.save(options.json, request, records)
    for line in suite.summary(records) if hasattr(suite, "summary") else ():
        print(line)
    for found in request.ceilings.values():
        print(f"ceilings, {found}")
    if options.json:
        measure.save(options.json, request, records)


def measured_on(request: Request) -> str:
    """The name of the machine."""
    found = measure.machine_of(request)
    if request.rehearsal:
        return "the device sim: a rehearsal, whose times say nothing about a GPU"
    return found.get("gpu") or f"{found['processor']}, {request.threads} threads"


if __name__ == "__main__":
    sys.exit(main())
