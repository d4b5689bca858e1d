"""mutants.py finds every guard of a source and what removes it; a fixed sample of the kernels' mutants dies."""

import re

import pytest

from tools import mutants
from tools.guards import mutants_of, operands, without_comments
from tools.mutants import KERNELS, Copy, Runner, all_mutants, proofs, reason, sampled, table

SOURCE = """
#include <a < b>
#define ALL(number, total) \\
    for (int number = 0; \\
         number < (total); number++)
constexpr bool LARGE = sizeof(real) > 4;
static_assert(LARGE == 1 || 1 < 2, "a < b");  // if (a < b)

template <class T, int N>
struct alignas(16) Part {
    bool any;

    __device__ explicit Part(bool along) : inner(along && N != 1) {
        any = N >= 8 || threadIdx.x < N;
    }
    __device__ bool idle() const { return row >= end; }
};

KERNEL void __launch_bounds__(256) one(const real *x, Part<real, 2> part) {
    if (part.idle()) return;
    if (x[0] < 0 || (x[1] > 0 && !(x[2] == 0))) {
        continue;
    }
    if (x[3] > 0 || (x[4] > 0 && x[5] > 0)) rest = 0;
    bool inside = within(x, part), both = x[0] > 1 && inside;
    for (wide row = part.row; row < part.end; row += part.step)
        for (int i = first; i <= last; i++) __syncthreads();
    while (rest) rest /= 2;
    y[0] = inside ? x[0] : a < b ? 1 : 0;
    y[1] = place < 0 ? real(0) : x[place];
    each([&](int i) { if (x[i] != x[0]) sum += x[i] << 2; });
    __syncthreads();
}
"""
FOUND = """
ALL | number < (total) | one more turn | number <= (total)
Part::Part | along | always true | true
Part::Part | N != 1 | always true | true
Part::Part | N >= 8 | always true | true
Part::Part | threadIdx.x < N | always true | true
Part::idle | row >= end | always true | true
Part::idle | row >= end | always false | false
one | part.idle() | always false | false
one | x[0] < 0 | always false | false
one | x[1] > 0 | always false | false
one | !(x[2] == 0) | always false | false
one | x[3] > 0 | always false | false
one | x[4] > 0 | always true | true
one | x[5] > 0 | always true | true
one | within(x, part) | always true | true
one | within(x, part) | always false | false
one | x[0] > 1 | always true | true
one | inside | always true | true
one | row < part.end | one more turn | row <= part.end
one | i <= last | one more turn | i <= 1 + ( last)
one | __syncthreads() | removed |
one | rest | always true | true
one | inside #2 | always true | true
one | a < b | always true | true
one | place < 0 | always false | false
one | x[i] != x[0] | always true | true
one | __syncthreads() #2 | removed |
"""
QUICK = ["window.cu", "pool.cu"]


def test_every_guard_of_a_source_is_found():
    found = [" | ".join((m.function, m.guard, m.mutation, m.replacement)).rstrip() for m in mutants_of("a.cu", SOURCE)]
    assert found == FOUND.strip().splitlines()


def test_a_mutant_differs_in_its_guard_alone():
    for mutant in mutants_of("a.cu", SOURCE):
        text = " ".join(without_comments(SOURCE)[mutant.start : mutant.end].split())
        assert text == mutant.guard.partition(" #")[0]
        assert mutant.applied_to(SOURCE) == SOURCE[: mutant.start] + mutant.replacement + SOURCE[mutant.end :]
        first, last = mutant.lines
        assert mutant.function.rpartition("::")[2] in SOURCE.splitlines()[first - 1] + SOURCE.splitlines()[last - 1]


def blank(match):
    return " " * len(match[0])


def test_no_comparison_or_barrier_of_the_kernels_is_left_out():
    everything = all_mutants()
    for file in sorted({mutant.file for mutant in everything}):
        source = (KERNELS / file).read_text()
        spans = [(m.start, m.end) for m in everything if m.file == file]
        code = re.sub(r"[^;{}]*\b(static_assert|constexpr)\b[^;]*;", blank, without_comments(source))
        for guard in re.finditer(r"__sync\w+\(|(?<=\s)[<>=!]=(?=\s)|\s[<>]\s|&&|\|\|", code):
            inside = any(start <= guard.start() < end for start, end in spans)
            between = guard[0] in ("&&", "||") and any(end <= guard.start() <= end + 8 for _, end in spans)
            assert inside or between, f"{file}: {source[guard.start() - 40 : guard.end() + 40]!r}"


def test_operands_are_those_outside_other_brackets():
    code = "f(a && b) && (c || (d && e)) || !g"
    found = [(code[start:end], connective) for start, end, connective in operands(code, 0, len(code))]
    assert found == [("f(a && b)", "||"), ("c", "||"), ("d", "&&"), ("e", "&&"), ("!g", "||")]


def test_a_sample_depends_on_the_keys_alone():
    everything = all_mutants()
    keys = {mutant.key for mutant in everything}
    assert len(keys) == len(everything)
    chosen = sampled(everything, 10)
    assert len(chosen) == 10
    assert {m.key for m in sampled(everything[::-1], 10)} == {m.key for m in chosen}


@pytest.mark.parametrize(
    ("code", "output", "expected"),
    [
        (0, "3 passed", ""),
        (1, "FAILED tests/cuda/test_cuda_pool.py::test_sums[float-1] - AssertionError", "test_sums"),
        (
            1,
            "==1==ERROR: AddressSanitizer: heap-use on\nFAILED a/test_cuda_x.py::test_a - b",
            "test_a: Add",
        ),
        (-11, 'Fatal Python error\n  File "/a/test_cuda_pool.py", line 5 in test_sums', "SIGSEGV in test_sums"),
    ],
)
def test_what_tests_say(code, output, expected):
    assert reason(code, output)[: len(expected) or None] == expected


@pytest.mark.parametrize(
    ("code", "output"),
    [
        (1, "pool.cu does not compile\nFAILED tests/cuda/test_cuda_pool.py::test_sums - SimulatorError"),
        (2, "ERROR tests/cuda/test_cuda_pool.py - ImportError"),
        (4, "file not found"),
        (5, "no tests ran"),
    ],
)
def test_tests_that_could_not_run_notice_nothing(code, output):
    with pytest.raises(RuntimeError, match="could not run"):
        reason(code, output)


def test_every_proof_is_of_a_mutant_and_says_why():
    keys = {mutant.key for mutant in all_mutants()}
    for key, proof in proofs().items():
        assert key in keys
        assert len(proof.split()) > 5, key


@pytest.mark.slow
def test_a_fixed_sample_of_mutants_dies(tmp_path):
    known = proofs()
    some = sampled([m for m in all_mutants() if m.file in QUICK and m.key not in known], 6)
    verdicts = dict(Runner(tmp_path, sanitizers=False).verdicts(some))
    assert len(verdicts) == 6
    assert [str(mutant) for mutant, verdict in verdicts.items() if not verdict.dead] == []


@pytest.mark.slow
def test_a_mutant_that_nothing_notices_is_told(tmp_path):
    """So a sample that dies has died of its mutations. A guard is written as it was: nothing can notice that."""
    (mutant,) = [m for m in all_mutants() if m.file == "window.cu" and m.guard == "h >= 0"]
    ((_, verdict),) = Runner(tmp_path, sanitizers=False).verdicts([mutant._replace(replacement="0 <= h")])
    assert not verdict.dead


def test_what_writes_to_too_much_memory_is_ended(tmp_path, monkeypatch):
    test = tmp_path / "test_cuda_large.py"
    test.write_text("import time\n\n\ndef test_it():\n    numbers = bytearray(b'1') * (1 << 28)\n    time.sleep(60)\n")
    monkeypatch.setattr(mutants, "MEMORY", 1 << 28)
    assert Copy(tmp_path / "copy").tested([str(test)], 50).killer == "writes to too much memory"


def test_a_table_has_a_row_for_each():
    one, two, *_ = all_mutants()
    text = table([(one, "test_it"), (two, "*cannot be*")], 5)
    assert "2 of the 5 mutants, 1 of them proven to survive" in text
    assert text.count("\n|") == 4 + 2 * (one.file != two.file)
    assert "test_it |" in text
    assert "*cannot be* |" in text
