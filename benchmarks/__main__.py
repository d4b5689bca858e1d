"""python -m benchmarks SUITE [--device cpu] [--peer torch] [--threads N] [--samples N] [--case NAME] [--json FILE]"""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks import machine, measure
from benchmarks.request import Request
from minigan.errors import MiniganError
from minigan.kernels.cpu.threads import get_threads, set_threads

# and how many samples each takes unless told otherwise
SUITES = {"overhead": 31, "kernels": 15, "conv": 15, "step": 15, "memory": 3, "cold": 3, "scaling": 7, "profile": 9}


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="minigan beside other engines, in one run"
    )
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--device", default="cpu", metavar="NAME", help="what to measure on [cpu]")
    parser.add_argument("--peer", choices=["torch"], help="measure this engine too and print the ratio ours / peer")
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
    records = []
    print(f"{given.suite} on {machine.machine()['processor']}, {request.threads} threads")
    for one in suite.run(request):
        records.append(one)
        print(measure.show(one, suite.WIDTH), flush=True)
    for line in suite.summary(records) if hasattr(suite, "summary") else ():
        print(line)
    for found in request.ceilings.values():
        print(
            f"ceilings, {found.threads} threads: {found.products:.0f} GFLOP/s in a matrix product, "
            f"{found.copies:.1f} GB/s in a copy"
        )
    if given.json:
        measure.save(given.json, request, records)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
