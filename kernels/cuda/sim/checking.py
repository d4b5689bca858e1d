"""Runs a kernel in a process of its own, in several orders of threads, and says what is wrong with it."""

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

ALIGNED = 256  # bytes, as a GPU's arrays are
SEEDS = (0, 1, 2, 3)  # of the orders of threads and blocks that are tried
HINT = "(blocks run one after the other here: one that waits for a later one waits for ever)"
KINDS = {  # how the simulator's words tell what is wrong; the first that fits
    "race": r"\brace on ",
    "uninitialised": r"no thread of its block has written|which has returned",
    "barrier": r"waits at a|is not in its own mask",
    "bounds": r"out of bounds|null pointer|in no array|where there is no memory",
    "alignment": r"not a multiple of",
    "constant": r"which is __constant__",
    "assertion": r"assertion `|__trap",
}


class Verdict(NamedTuple):
    """What is found of a kernel. It is true, as `ok` is, where nothing is.

    kind: "race", "bounds", "barrier", "uninitialised", "alignment", "constant" (memory that kernels only read is
        written), "assertion", "fault" (a division by zero, a stack that is full, a process that ended), "timeout",
        "compile"; or ""
    text: what is wrong, with the source lines; lines: their numbers
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
    """Whether a kernel races, leaves its arrays, or misses a barrier: a Verdict, to be printed.

    file: a .cu file; kernel: one in it; blocks, threads: of the grid and of a block, up to three numbers each
    arguments: as the kernel declares them; arrays may be NumPy's too. They are copied: the kernel changes none of them
    real: "float" or "double", for sources that compute in `real`
    shared: bytes of the kernel's array `extern __shared__`
    seconds: after which it is taken to have no end
    raises DtypeError for arguments that the kernel does not take, UnknownNameError where the file has no such kernel

    The kernel runs in a process of its own, compiled with g++'s instrumentation of ThreadSanitizer and
    UndefinedBehaviorSanitizer. Races are looked for in shared memory and in arrays, also between blocks.
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
    """In which piece of memory each array lies, and at which byte; and the bytes of these pieces.

    Arrays that overlap lie in one, and all are as much aligned as they were.
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
    """The arguments, arrays copied to such places."""
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
    """The lines of the source that a text names."""
    found = [int(number) for number in re.findall(rf"{re.escape(source.name)}:(\d+)", text)]
    return tuple(dict.fromkeys(found))


def with_source(text: str, source: Path) -> str:
    """The text with the lines that it names below it."""
    lines = source.read_text(errors="replace").splitlines()
    shown = [f"  {source.name}:{n}: {lines[n - 1].strip()}" for n in lines_of(text, source) if 0 < n <= len(lines)]
    return "\n".join([text, *shown])


def main(path: str) -> None:
    """Run what is in the file, and print what was wrong, and what the kernel printed in the last order of threads."""
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
