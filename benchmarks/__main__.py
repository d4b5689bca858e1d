"""python -m benchmarks SUITE [--device cpu|cuda|sim] [--peer torch|cpu] [--threads N] [--samples N] [--case NAME]
[--json FILE], or python -m benchmarks quality ..., which trains and has options of its own"""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks import measure
from benchmarks.request import Request, positive
from minigan.errors import MiniganError
from minigan.kernels.cpu.threads import get_threads, set_threads

# and how many samples each takes unless told otherwise
SUITES = {"overhead": 31, "kernels": 15, "conv": 15, "step": 15, "memory": 3, "cold": 3, "scaling": 7, "profile": 9}


def main(arguments=None) -> int:
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["quality"]:
        return importlib.import_module("benchmarks.quality").main(arguments[1:])
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="minigan beside other engines, in one run",
        epilog="How good what the models generate is: python -m benchmarks quality --help",
    )
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument(
        "--device", default="cpu", metavar="NAME", help="what to measure on: cpu, cuda, or sim for a rehearsal [cpu]"
    )
    parser.add_argument(
        "--peer",
        choices=["torch", "cpu"],
        help="measure this engine too, or minigan on the CPU beside a device, and print the ratio ours / peer",
    )
    parser.add_argument("--threads", type=positive, metavar="N", help="for both sides [all cores]")
    parser.add_argument(
        "--samples", type=positive, metavar="N", help=f"pairs of measurements for each case {list(SUITES.items())}"
    )
    parser.add_argument("--case", metavar="NAME", help="this case only, or those that a pattern names: 'dcgan-64/*'")
    parser.add_argument("--json", metavar="FILE", help="write the records to FILE")
    given = parser.parse_args(arguments)
    before = get_threads()
    try:
        set_threads(given.threads or before)
        run(given)
    except MiniganError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    finally:
        set_threads(before)
    return 0


def run(given) -> None:
    """Print a suite's records as they come, then what it says of them all, and keep them."""
    samples = given.samples or SUITES[given.suite]
    request = Request(given.suite, given.peer, get_threads(), samples, given.case, given.device)
    suite = importlib.import_module(f"benchmarks.{given.suite}")
    runner = suite if request.device == "cpu" else importlib.import_module("benchmarks.on_device")
    records = []
    print(f"{given.suite} on {measured_on(request)}")
    for one in runner.run(request):
        records.append(one)
        print(measure.show(one, suite.WIDTH), flush=True)
        if given.json and request.device != "cpu":  # where time is short, what is there stays
            measure.save(given.json, request, records)
    for line in suite.summary(records) if hasattr(suite, "summary") else ():
        print(line)
    for found in request.ceilings.values():
        print(f"ceilings, {found}")
    if given.json:
        measure.save(given.json, request, records)


def measured_on(request: Request) -> str:
    """The machine, in words."""
    found = measure.machine_of(request)
    if request.rehearsal:
        return "the device sim: a rehearsal, in which no time says anything about a GPU"
    return found.get("gpu") or f"{found['processor']}, {request.threads} threads"


if __name__ == "__main__":
    sys.exit(main())
