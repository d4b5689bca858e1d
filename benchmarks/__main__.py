"""python -m benchmarks SUITE [--peer torch] [--threads N] [--samples N] [--case NAME] [--json FILE]"""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks import measure
from minigan.errors import MiniganError
from minigan.kernels.cpu.threads import get_threads, set_threads

SUITES = {"overhead": 31, "step": 15}  # and how many samples each takes unless told otherwise


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="minigan beside other engines, in one run"
    )
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--peer", choices=["torch"], help="measure this engine too and print the ratio ours / peer")
    parser.add_argument("--threads", type=int, help="threads for both sides; all cores if not given")
    parser.add_argument("--samples", type=int, help="pairs of measurements for each case")
    parser.add_argument("--case", help="this case only")
    parser.add_argument("--json", metavar="FILE", help="write the records to FILE")
    given = parser.parse_args(arguments)
    if given.threads:
        set_threads(given.threads)
    threads = get_threads()
    suite = importlib.import_module(f"benchmarks.{given.suite}")
    records = []
    print(f"{given.suite} on {measure.machine()['processor']}, {threads} threads")
    try:
        for one in suite.run(given.peer, threads, given.samples or SUITES[given.suite], given.case):
            records.append(one)
            print(measure.show(one), flush=True)
    except MiniganError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    if given.json:
        measure.save(given.json, records, given.peer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
