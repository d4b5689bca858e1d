"""Mutation tests of the CUDA kernels' 64-bit integers: make each an int in turn, and expect a test to fail.

    python -m tools.narrowed                            all of them
    python -m tools.narrowed --file norm.cu --list      list those in a file

A narrowing changes a parameter, member, variable, result or cast of type `wide` (or unsigned long long, which becomes
unsigned): each name in a declaration separately, and all of them together; the type of a `min` changes with its cast.
The tests are those with more than 2^31 elements (test_cuda_large*.py) of the families that include the file. A
narrowing that survives needs a proof in surviving_narrowings.toml that no shape makes it overflow.

Not narrowed are kernel parameters, which a launcher passes as 64 bits, and types of pointers, which point to memory.
"""

from __future__ import annotations

import bisect
import itertools
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tools.guards import Mutant, boundary, closing, functions_of, without_comments
from tools.mutants import KERNELS, TESTS, Runner, Verdict, asked_for, families_of, options_of, proofs, report

PROOFS = Path(__file__).with_name("surviving_narrowings.toml")
LARGE, COLUMNS, PRODUCTS = (TESTS / f"test_cuda_large{of}.py" for of in ("", "_columns", "_products"))
OF_FAMILY = {  # source -> (file of its tests with more than 2^31 elements, their names)
    "window": (LARGE, "im2col or col2im"),
    "pool": (LARGE, "pool or window_sum or window_spread"),
    "activation": (LARGE, "activations"),
    "random": (LARGE, "random_numbers"),
    "optim": (LARGE, "updates"),
    "loss": (LARGE, "cross_entropy or more_threads"),
    "reduce": (COLUMNS, "sums"),
    "segment": (LARGE, "segment"),
    "norm": (COLUMNS, "batch_norm or moments"),
    "matmul": (PRODUCTS, "product or matmul"),
    "conv": (PRODUCTS, "conv"),
}

WIDE = re.compile(r"\bwide\b|\bunsigned long long\b")
NARROW = {"wide": "int", "unsigned long long": "unsigned"}
ALIAS = re.compile(r"\btypedef\b[^;]*;")
OF_KERNEL = re.compile(r"\bKERNEL\s+void\b[^{]*")
ARRAY = re.compile(r"\s*(?:\(&(\w+)\)|(\w+))\s*\[")
EXTREME = re.compile(r"\b(min|max)$")
STRUCT = re.compile(r"\bstruct(?:\s+alignas\([^;{]*?\))?\s+(\w+)[^;{]*\{")
BEFORE_DECLARATION = re.compile(r"(?:[;{}]|\bfor\s*\()\s*(?:const\s+|static\s+)*$")


class Narrowing(Mutant):
    """A source with one integer narrowed to 32 bits; `guard` is the declaration, `mutation` the new type."""


def all_narrowings() -> list[Narrowing]:
    files = sorted([*KERNELS.glob("*.cu"), *KERNELS.glob("*.h")])
    return [one for file in files if families_of(file.name) for one in narrowings_of(file.name, file.read_text())]


def narrowings_of(file: str, source: str) -> list[Narrowing]:
    """The narrowings of a source, in the order of the source."""
    code = without_comments(source)
    places, line_starts = places_of(source, code), [0, *(match.end() for match in re.finditer("\n", source))]
    found, counts = [], Counter()
    for start, end, text, replacement, narrow in sorted(changes_of(code)):
        name, first, last = max((place for place in places if place[1] <= start < place[2]), key=lambda p: p[1])
        words = " ".join(text.split())
        counts[name, words] += 1
        if counts[name, words] > 1:
            words += f" #{counts[name, words]}"
        lines = bisect.bisect(line_starts, first), bisect.bisect(line_starts, last)
        found.append(Narrowing(file, name, words, narrow, start, end, replacement, lines))
    return found


def places_of(source: str, code: str) -> list[tuple[str, int, int]]:
    """(name, start, end) of functions, macros and structs; the last one that begins contains a nested place."""
    structs = [(match[1], match.start(), closing(code, match.end())) for match in STRUCT.finditer(code)]
    return [*structs, *functions_of(source, code)]


def integers_of(code: str) -> list[re.Match]:
    """The 64-bit types in the code that are narrowed."""
    spans = [match.span() for pattern in (ALIAS, OF_KERNEL) for match in pattern.finditer(code)]
    spans += [(match.start(), match.end()) for match in re.finditer(r"\bwide\s*\*", code)]
    return [m for m in WIDE.finditer(code) if not any(start <= m.start() < end for start, end in spans)]


def changes_of(code: str):
    """Yield (start, end, text that identifies it, replacement, narrow type) of each narrowing."""
    arrays = {}
    for found in integers_of(code):
        start, end = found.span()
        narrow = NARROW[found[0]]
        if array := ARRAY.match(code, end):
            arrays.setdefault(array[1] or array[2], []).append(found)
        elif code[start - 1] == "(" and code[end] == ")":
            yield cast(code, start, end, narrow)
        elif before := BEFORE_DECLARATION.search(code, 0, start):
            yield from declaration(code, start, end, narrow, alone="for" in before[0])
        else:
            stop = boundary(code, end, ",=;{")
            stop = code.index("(", end) if "(" in code[end:stop] else stop  # a function's result
            yield start, end, code[start:stop], narrow, narrow
    for name, founds in arrays.items():  # an array and references to it have the same type
        parts = [code[one.end() : other.start()] for one, other in itertools.pairwise(founds)]
        narrow = NARROW[founds[0][0]]
        yield founds[0].start(), founds[-1].end(), f"wide {name}[]", narrow.join(["", *parts, ""]), narrow


def cast(code: str, start: int, end: int, narrow: str):
    stop = end + 1
    while code[stop] in "([" or re.match(r"[\w.:]", code[stop]):
        stop = closing(code, stop + 1) + 1 if code[stop] in "([" else stop + 1
    bracket = opening(code, start - 1)
    call = EXTREME.search(code, 0, bracket)
    if not call:
        return start, end, code[start - 1 : stop], narrow, narrow
    new = f"{call[1]}<{narrow}>{code[bracket:start]}{narrow}"
    return call.start(), end, code[call.start() : closing(code, bracket + 1) + 1], new, narrow


def opening(code: str, end: int) -> int:
    """The position of the bracket open before `end`, or 0."""
    level = 0
    for i in range(end - 1, -1, -1):
        level += (code[i] in ")]}") - (code[i] in "([{")
        if level < 0:
            return i
    return 0


def declaration(code: str, start: int, end: int, narrow: str, alone: bool):
    """Narrow each name separately, and all together; only all together if it must stay one statement (alone)."""
    wide, commas, stop = code[start:end], [], boundary(code, end, ",;")
    while code[stop] == ",":
        commas.append(stop)
        stop = boundary(code, stop + 1, ",;")
    yield start, end, code[start:stop], narrow, narrow
    if not commas or alone:
        return
    begins, ends = [end, *(comma + 1 for comma in commas)], [*commas, stop]
    parts = [code[one:other] for one, other in zip(begins, ends, strict=True)]
    for i, part in enumerate(parts):
        types = [narrow if i == k else wide for k in range(len(parts))]
        new = ";".join(f"{type_} {other.strip()}" for type_, other in zip(types, parts, strict=True))
        yield start, stop, f"{wide} {part.strip()}", new, narrow


class Narrowed(Runner):
    """Runs the tests with more than 2^31 elements. A narrowing that does not compile counts as detected."""

    shortest = 30

    def stages(self, family: str):
        file, which = OF_FAMILY[family]
        yield "large", [str(file), "-k", f"({which}) and not that_counts_in_32_bits"]

    def read_by(self, families):
        return [*sorted({OF_FAMILY[family][0] for family in families}), TESTS / "large.py"]

    def asked(self, mutant) -> Verdict:
        try:
            return super().asked(mutant)
        except RuntimeError as error:
            if "does not compile" not in str(error):
                raise
            return Verdict("the compiler", 0.0)


def proven() -> dict[tuple, str]:
    """Proofs, by key, that no size that launchers accept makes the integer overflow."""
    return proofs(PROOFS, ("file", "function", "integer", "type"))


def main(arguments: list[str] | None = None) -> int:
    parser = options_of("Narrow each 64-bit integer of the CUDA kernels, and expect a test to fail.")
    options, everything = parser.parse_args(arguments), all_narrowings()
    narrowings = asked_for(everything, options)
    if options.list:
        return 0
    with tempfile.TemporaryDirectory(prefix="minigan-narrowed-") as folder:
        runner = Narrowed(Path(folder), options.jobs, options.record)
        _, problems = report(runner, narrowings, proven(), everything)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
