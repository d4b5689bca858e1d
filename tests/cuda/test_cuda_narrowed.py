"""narrowed.py finds every 64-bit integer of a source; a fixed sample of the kernels' is narrowed and noticed."""

import re

import pytest

from tools.guards import without_comments
from tools.mutants import KERNELS, sampled
from tools.narrowed import Narrowed, all_narrowings, narrowings_of, proven

SOURCE = """
typedef long long wide;
#define ALL(number, total) \\
    for (wide number = 0; number < (total); number++)

// wide a
struct alignas(16) Part {
    wide row, end;
    int step;

    __device__ explicit Part(wide M, int C) : row(M) {}
};

static __device__ wide two(wide (&places)[4], const wide *table, wide number) {
    const wide *row = table;
    return number;
}

KERNEL void __launch_bounds__(256) one(const wide *table, wide size, wide rows) {
    SHARED wide places[4];
    wide a = size / rows, b = f(rows, 2);
    two(places, (wide)threadIdx.x * 3);
    for (wide i = 0, end = a; i < end; i++) visit((wide)(i + 1) * rows, [&](wide place) { return place; });
    unsigned long long rest = max(a, b);
    int left = min(rows - f(a), (wide)Tile::ROWS);
    y[(wide)g.N * 2] = (wide)rest;
}
"""
FOUND = """
ALL | wide number = 0 | int
Part | wide row, end | int
Part | wide end | wide row;int end
Part | wide row | int row;wide end
Part::Part | wide M | int
two | wide two | int
two | wide places[] | int (&places)[4], const wide *table, <...> SHARED int
two | wide number | int
one | wide a = size / rows, b = f(rows, 2) | int
one | wide a = size / rows | int a = size / rows;wide b = f(rows, 2)
one | wide b = f(rows, 2) | wide a = size / rows;int b = f(rows, 2)
one | (wide)threadIdx.x | int
one | wide i = 0, end = a | int
one | (wide)(i + 1) | int
one | wide place | int
one | unsigned long long rest = max(a, b) | unsigned
one | min(rows - f(a), (wide)Tile::ROWS) | min<int>(rows - f(a), (int
one | (wide)g.N | int
one | (wide)rest | int
"""
QUICK = ["activation.cu", "random.cu"]


def test_every_wide_integer_of_a_source_is_found():
    found = [(m.function, m.guard, m.replacement) for m in narrowings_of("a.cu", SOURCE)]
    lines = [" | ".join(one).replace("\n", " ") for one in found]
    assert [re.sub(r"(table, ).*( SHARED)", r"\1<...>\2", line) for line in lines] == FOUND.strip().splitlines()


def test_a_narrowing_changes_its_type_alone():
    for one in narrowings_of("a.cu", SOURCE):
        text = one.applied_to(SOURCE)
        assert text == SOURCE[: one.start] + one.replacement + SOURCE[one.end :]
        narrow = re.compile(rf"\b{one.mutation}\b(?! long)")
        assert len(narrow.findall(text)) > len(narrow.findall(SOURCE))


def test_no_wide_integer_of_the_kernels_is_left_out():
    everything = all_narrowings()
    assert len({one.key for one in everything}) == len(everything)
    for file in sorted(KERNELS.glob("*.[ch]*")):
        code = re.sub(
            r"KERNEL void[^{]*|\bwide \*|typedef [^;]*;", lambda m: " " * len(m[0]), without_comments(file.read_text())
        )
        spans = [(one.start, one.end) for one in everything if one.file == file.name]
        for found in re.finditer(r"\bwide\b|\blong long\b|\bint64_t\b", code):
            assert any(start <= found.start() < end for start, end in spans), (
                f"{file.name}: {code[found.start() :][:60]}"
            )


def test_every_proof_is_of_a_narrowing_and_says_why():
    keys = {one.key for one in all_narrowings()}
    for key, proof in proven().items():
        assert key in keys
        assert len(proof.split()) > 5, key


@pytest.mark.slow
def test_a_fixed_sample_of_narrowings_is_noticed(tmp_path):
    known = proven()
    some = sampled([one for one in all_narrowings() if one.file in QUICK and one.key not in known], 3)
    verdicts = dict(Narrowed(tmp_path).verdicts(some))
    assert len(verdicts) == 3
    assert [str(one) for one, verdict in verdicts.items() if not verdict.dead] == []


@pytest.mark.slow
def test_an_integer_that_keeps_its_bits_is_not_noticed(tmp_path):
    """So a sample that is noticed is so for what was narrowed."""
    (one,) = [one for one in all_narrowings() if one.file == "activation.cu" and one.guard == "wide size"]
    ((_, verdict),) = Narrowed(tmp_path).verdicts([one._replace(replacement="long long")])
    assert not verdict.dead
