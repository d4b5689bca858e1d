"""Runs a kernel in a separate process, in several orders of threads, and reports its faults."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigan.errors import MiniganError
from minigan.kernels.cuda.sim.arguments import passed, shape_of
from minigan.kernels.cuda.sim.array import SimArray
from minigan.kernels.cuda.sim.building import SimulatorError, source_of
from minigan.kernels.cuda.sim.simulator import Simulator

ALIGNED = 256  # bytes, as on a GPU
SEEDS = (0, 1, 2, 3)  # each gives an order of threads and blocks to try
HINT = "(blocks run one after the other here: one that waits for a later one waits for ever)"
KINDS = {  # patterns in the simulator's messages; the first match decides
    "race": r"\brace on ",
    "uninitialised": r"no thread of its block has written|which has returned",
    "barrier": r"waits at a|is not in its own mask",
    "bounds": r"out of bounds|null pointer|in no array|where there is no memory",
    "alignment": r"not a multiple of",
    "constant": r"which is __constant__",
    "assertion": r"assertion `|__trap",
}


class Verdict(NamedTuple):
    """The result of checking a kernel. It is true, like `ok`, if nothing is wrong.

    kind: "race", "bounds", "barrier", "uninitialised", "alignment", "constant" (a write to constant memory),
        "assertion", "fault" (division by zero, stack overflow, or the end of the process), "timeout", "compile"; "" if
        nothing is wrong
    text: the fault, with source lines; lines: their numbers
    """

    ok: bool
    kernel: str
    kind: str = ""
    text: str = ""
    lines: tuple[int, ...] = ()
    printed: str = ""

    def __bool__(self):
        return self.ok

    def __str__(self):
        if self.ok:
            return (
                f"{self.kernel}: no race, no access out of bounds, no barrier missed, no shared memory read before it "
                f"is written, in {len(SEEDS)} orders of threads"
            )
        return f"{self.kind}: {self.text}"


def check(file, kernel: str, blocks, threads, *arguments, real: str = "float", shared: int = 0, seconds: float = 60):
    """Check a kernel for races, accesses outside its arrays and missing barriers. Returns a Verdict, to be printed.

    file: a .cu file; kernel: its name; blocks, threads: sizes of the grid and of a block, up to three numbers each
    arguments: as the kernel declares them; NumPy arrays work too. They are copied, so the kernel does not change them
    real: "float" or "double", for sources that compute in `real`
    shared: bytes of the kernel's array `extern __shared__`
    seconds: the time limit, after which the verdict is "timeout"
    raises DtypeError if arguments do not match the kernel, UnknownNameError if the file has no such kernel

    The kernel runs in a separate process, compiled with g++'s instrumentation for ThreadSanitizer and
    UndefinedBehaviorSanitizer. Races are detected in shared memory and in arrays, also between blocks.
    """
    source = source_of(os.fspath(file))
    given = [np.asarray(a).view(SimArray) if is_array(a) else a for a in arguments]
    try:
        library = Simulator().library(str(source), real, kernel)
    except SimulatorError as error:
        return Verdict(False, kernel, "compile", str(error), lines_of(str(error), source))
    values = passed(kernel, library.parameters(kernel), given)
    shape_of(kernel, blocks, threads, shared)
    with tempfile.TemporaryDirectory(prefix="minigan-check-") as folder:
        what = {"file": str(source), "kernel": kernel, "real": real, "shared": shared}
        what["places"], what["sizes"] = places_of(given)
        what |= {"blocks": np.ravel(blocks).tolist(), "threads": np.ravel(threads).tolist()}
        kept = Path(folder) / "arguments.npz"
        by_value = [np.asarray(a) if is_array(a) else value for a, value in zip(given, values, strict=True)]
        np.savez(kept, what=json.dumps(what), **{f"argument_{i}": a for i, a in enumerate(by_value)})
        return run(kept, source, kernel, seconds)


def is_array(argument) -> bool:
    return isinstance(argument, SimArray) or (isinstance(argument, np.ndarray) and argument.ndim > 0)


def places_of(arguments) -> tuple[list[tuple[int, int] | None], list[int]]:
    """For each array its (piece of memory, offset in bytes); and the sizes of the pieces in bytes.

    Arrays that overlap share a piece, and all keep their alignment.
    """
    places, sizes, end = [None] * len(arguments), [], -1
    arrays = [(a.ctypes.data, i) for i, a in enumerate(arguments) if is_array(a)]
    for address, i in sorted(arrays):
        if address >= end:
            begin = address - address % ALIGNED
            sizes.append(0)
        places[i] = len(sizes) - 1, address - begin
        end = max(end, address + arguments[i].nbytes)
        sizes[-1] = end - begin
    return places, sizes


def laid_out(arguments, places, sizes) -> list:
    """The arguments, with arrays copied to these places."""
    pieces = [np.empty(size + ALIGNED, np.uint8) for size in sizes]
    copies = []
    for argument, place in zip(arguments, places, strict=True):
        if place is None:
            copies.append(argument)
            continue
        piece, offset = pieces[place[0]], place[1]
        offset += -piece.ctypes.data % ALIGNED
        copies.append(np.ndarray(argument.shape, argument.dtype, piece, offset).view(SimArray))
        copies[-1][...] = argument
    return copies


def run(kept: Path, source: Path, kernel: str, seconds: float) -> Verdict:
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main({str(kept)!r})"
    command = [sys.executable, "-c", program]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds, errors="replace")
    except subprocess.TimeoutExpired:
        return Verdict(False, kernel, "timeout", f"{kernel} has not ended after {seconds} seconds {HINT}")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return Verdict(False, kernel, "fault", f"{kernel} ended its process by {name}")
    if done.returncode:
        raise SimulatorError(f"{kernel} could not be checked:\n{done.stderr[-4000:]}")
    found = json.loads(done.stdout)
    if not found["error"]:
        return Verdict(True, kernel, printed=found["printed"])
    text = with_source(found["error"], source)
    kind = next((kind for kind, words in KINDS.items() if re.search(words, text)), "fault")
    return Verdict(False, kernel, kind, text, lines_of(text, source), found["printed"])


def lines_of(text: str, source: Path) -> tuple[int, ...]:
    """The numbers of the source lines that a text mentions."""
    found = [int(number) for number in re.findall(rf"{re.escape(source.name)}:(\d+)", text)]
    return tuple(dict.fromkeys(found))


def with_source(text: str, source: Path) -> str:
    """The text, followed by the source lines that it mentions."""
    lines = source.read_text(errors="replace").splitlines()
    shown = [f"  {source.name}:{n}: {lines[n - 1].strip()}" for n in lines_of(text, source) if 0 < n <= len(lines)]
    return "\n".join([text, *shown])


def main(path: str) -> None:
    """Run the launch stored in a file. Print the faults, and the kernel's output in the last order of threads."""
    with np.load(path) as kept:
        what = json.loads(str(kept["what"]))
        given = [kept[f"argument_{i}"] for i in range(len(what["places"]))]
    error = ""
    for seed in SEEDS:
        arguments = laid_out(given, what["places"], what["sizes"])
        simulator = Simulator(seed, all_races=True)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                simulator.run(
                    *(what[name] for name in ("file", "kernel", "real", "blocks", "threads")), arguments, what["shared"]
                )
            except MiniganError as found:
                error = str(found)
                break
    print(json.dumps({"error": error, "printed": printed.getvalue()}))
