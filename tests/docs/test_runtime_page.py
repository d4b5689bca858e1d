"""docs/runtime.md has a row for each part that benchmarks/runtime.py takes out, and what is taken out is there."""

import re
import subprocess
import sys

from benchmarks import runtime
from minigan.kernels.cpu.runtime import cached, compile


def test_each_part_has_its_rows():
    table = runtime.PAGE.read_text().split(runtime.BEGIN)[1].split(runtime.END)[0]
    rows = [tuple(row.split(" | ")[:2]) for row in re.findall(r"^\| (.*) \|$", table, re.MULTILINE)[2:]]
    steps = [(part, f"a step of {name}") for part in runtime.IN_A_STEP for name in runtime.STEPS]
    starts = [
        (part, f"{what} of dcgan-28, {start.cache} cache")
        for part, start in runtime.AT_THE_START.items()
        for what in ("first step", "memory")
    ]
    assert rows == [*steps, *starts]


def test_a_row_shows_medians_and_the_median_of_the_pairs():
    row = runtime.Row("threads", "a step", "ms", [1.0, 2.0, 4.0], [2.0, 2.0, 12.0])
    assert str(row) == "| threads | a step | 2 ms | 2 ms | 2.00 | 1.00 to 3.00 |"


CHANGED = """
import numpy as np
from benchmarks import runtime
from minigan.kernels import cpu
from minigan.kernels.cpu.runtime import crew, threads
names = set(vars(threads)), set(vars(crew))
for change in runtime.IN_A_STEP.values():
    change()
assert (set(vars(threads)), set(vars(crew))) == names  # each replaces something that was there
threads.set_threads(2)
a = np.arange(40_000.0).reshape(200, 200)
print((cpu.matmul(a, a) == a @ a).all())
"""


def test_steps_are_right_without_any_part():
    root = runtime.PAGE.parents[1]
    done = subprocess.run([sys.executable, "-c", CHANGED], cwd=root, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_what_is_taken_out_of_a_start_is_there():
    for start in runtime.AT_THE_START.values():
        if start.change:
            assert eval(start.change.split(" = ")[0], {"compile": compile, "cached": cached})
