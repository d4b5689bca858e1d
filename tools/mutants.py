"""Is each guard of the CUDA kernels needed? Each is removed in turn, and a test has to go red.

    python -m tools.mutants --table docs/mutants.md     all of them, and the table of what noticed
    python -m tools.mutants --sample 12                 a fixed sample
    python -m tools.mutants --changed origin/main       those of functions that differ from a commit's
    python -m tools.mutants --file pool.cu --list       what the parser finds in a file

A guard is a barrier, or a condition: a comparison or another operand of && and || that `if`, `?:`, a loop or a bool
asks. Its mutant is the source without the barrier; with one more turn of the loop; or with the condition always true,
or always false, whichever lets through what it holds back. It is compiled in a copy of the package in which all else is
the same, and its tests run in a process there: first those of its family, and, if they notice nothing, those under the
sanitizers. A mutant that survives needs a proof in surviving_mutants.toml that no test could notice it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tools.guards import Mutant, mutants_of, without_comments

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "kernels" / "cuda"
TESTS = ROOT / "tests" / "cuda"
PROOFS = Path(__file__).with_name("surviving_mutants.toml")
SANITIZERS = TESTS / "test_cuda_sanitizers.py"
SHORTEST, SLOWDOWN = 60, 6  # a mutant's tests may take so many seconds, or times as long as the kernels' own
HANGS = 1200  # seconds: the kernels' own tests never take as long
MEMORY, LOOK = 4 << 30, 0.2  # bytes that tests may have, and seconds from one look at that to the next


def all_mutants() -> list[Mutant]:
    files = sorted([*KERNELS.glob("*.cu"), *KERNELS.glob("*.h")])
    return [mutant for file in files if families_of(file.name) for mutant in mutants_of(file.name, file.read_text())]


# ------------------------------------------------------------------------------------------ which, and by what tests

INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def includes(file: str) -> set[str]:
    """A source and all headers that it includes."""
    found = {file}
    for name in INCLUDE.findall((KERNELS / file).read_text()):
        found |= includes(name)
    return found


def families_of(file: str) -> list[str]:
    """The names of the sources that a file is part of, the quickest to test first."""
    slow = ["norm", "loss", "reduce", "matmul", "conv"]
    found = [path.stem for path in KERNELS.glob("*.cu") if file in includes(path.name)]
    return sorted(found, key=lambda name: (slow.index(name) if name in slow else -1, name))


def tests_of(family: str) -> Path:
    return TESTS / f"test_cuda_{family}.py"


def sampled(mutants: list[Mutant], count: int) -> list[Mutant]:
    """So many of them, which depends on their keys alone."""
    order = sorted(mutants, key=lambda mutant: hashlib.sha256(str(mutant).encode()).digest())
    return [mutant for mutant in mutants if mutant in order[:count]]


def changed_since(mutants: list[Mutant], commit: str) -> list[Mutant]:
    """Those in functions of which lines differ from a commit's."""
    command = ["git", "diff", "--unified=0", "--no-color", commit, "--", "kernels/cuda"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    file, changed = "", []
    for line in text.splitlines():
        if line.startswith("+++ "):
            file = line.rpartition("/")[2]
        elif hunk := re.match(r"@@ \S+ \+(\d+)(?:,(\d+))? @@", line):
            first = int(hunk[1])
            changed.append((file, first, first + int(hunk[2] or 1)))

    def differs(mutant):
        first, last = mutant.lines
        return any(file == mutant.file and first <= end and begin <= last for file, begin, end in changed)

    return [mutant for mutant in mutants if differs(mutant)]


# ------------------------------------------------------------------------------------------ running them


class Verdict(NamedTuple):
    killer: str  # what noticed the mutant; "" where nothing did
    seconds: float

    @property
    def dead(self) -> bool:
        return bool(self.killer)


class Copy:
    """A copy of the package, in which sources are changed: links, but for the folder of the kernels.

    Tests run in it as they are. That it is the package they import is its place in PYTHONPATH.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.kernels = folder / "minigan" / "kernels" / "cuda"
        (folder / "minigan" / "kernels").mkdir(parents=True)
        for path in (*(ROOT / "minigan").iterdir(), *(ROOT / "kernels").iterdir()):
            if path.name not in ("__pycache__", "kernels", "cuda"):
                within = "kernels" if path.parent.name == "kernels" else ""
                (folder / "minigan" / within / path.name).symlink_to(path)
        shutil.copytree(KERNELS, self.kernels, ignore=shutil.ignore_patterns("__pycache__"))

    def tested(self, tests: list[str], timeout: float) -> Verdict:
        """Run tests until one is red. Raises where they are red for a reason of their own."""
        settings = {
            "PYTHONPATH": str(self.folder),
            "PYTHONSAFEPATH": "1",  # the folder that this runs in is not looked in first
            "PYTHONDONTWRITEBYTECODE": "1",
            "MINIGAN_CACHE": str(self.folder.parent / "cache"),  # of all copies: what does not differ is compiled once
            "HYPOTHESIS_PROFILE": "first",
            "MINIGAN_TEST_DEVICE": "sim",
        }
        options = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-o", "pythonpath="]
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that what it has started ends with it
        )
        while True:
            try:
                output, _ = process.communicate(timeout=LOOK)
                return Verdict(reason(process.returncode, output), time.monotonic() - began)
            except subprocess.TimeoutExpired:
                seconds, endless = time.monotonic() - began, ""
                if seconds > timeout:
                    endless = f"no end within {timeout:.0f} s"
                elif memory_of(process.pid) > MEMORY:
                    endless = "writes to too much memory"
                if endless:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                    return Verdict(endless, seconds)


def memory_of(process: int) -> int:
    """Bytes of memory that a process has written to; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
        return int(found[1]) << 10 if found else 0
    return 0


def reason(code: int, output: str) -> str:
    """Why pytest ended red; "" where it was green."""
    if code == 0:
        return ""
    if code < 0 or "Fatal Python error" in output:
        name = signal.Signals(-code).name if code < 0 else "a fatal error"
        return f"{name} in {running(output)}"
    red = re.search(r"^(?:FAILED|ERROR) \S*?(test_cuda_\w+)\.py::([^\s\[]+)", output, re.MULTILINE)
    if code != 1 or not red or "does not compile" in output:
        raise RuntimeError(f"the tests could not run (pytest's code {code}):\n{output[-6000:]}")
    sanitizer = re.search(r"(AddressSanitizer: [\w-]+|ThreadSanitizer: [\w ]+|runtime error: [\w ]*\w)", output)
    return f"{red[2]}: {sanitizer[1].strip()}" if sanitizer else red[2]


def running(output: str) -> str:
    found = re.findall(r'File "[^"]*test_cuda_\w+\.py", line \d+ in (test_\w+)', output)
    return found[-1] if found else "a test"


class Runner:
    """Asks tests for their verdicts of mutants.

    record: a file of verdicts; none is asked for again while its sources and tests are as they were
    """

    shortest = SHORTEST

    def __init__(self, folder: Path, jobs: int = 1, record: Path | None = None, sanitizers: bool = True):
        self.copies, self.record, self.jobs, self.sanitizers = queue.Queue(), record, jobs, sanitizers
        for number in range(jobs):
            self.copies.put(Copy(folder / str(number)))
        self.original, self.turn = Copy(folder / "original"), threading.Lock()
        self.known, self.limits = {}, {}
        if record and record.exists():
            for line in record.read_text().splitlines():
                entry = json.loads(line)
                self.known[entry["digest"]] = Verdict(entry["killer"], entry["seconds"])

    def verdicts(self, mutants: list[Mutant]):
        """(mutant, verdict) of each, as they come."""
        digests = [self.digest(mutant) for mutant in mutants]  # of files as they are now, not when it is their turn
        with ThreadPoolExecutor(self.jobs) as pool:
            yield from zip(mutants, pool.map(self.verdict, mutants, digests), strict=True)

    def limit(self, family: str, kind: str, tests: list[str]) -> float:
        """How long tests may take, in seconds. They are green where nothing is mutated."""
        with self.turn:
            if (family, kind) not in self.limits:
                verdict = self.original.tested(tests, HANGS)
                if verdict.dead:
                    raise RuntimeError(f"tests of {family} ({kind}) are red without a mutation: {verdict.killer}")
                self.limits[family, kind] = max(self.shortest, SLOWDOWN * verdict.seconds)
            return self.limits[family, kind]

    def stages(self, family: str):
        yield "plain", [str(tests_of(family))]
        if self.sanitizers:
            yield "sanitizers", [str(SANITIZERS), "-k", family]

    def verdict(self, mutant: Mutant, digest: str) -> Verdict:
        if digest not in self.known:
            self.known[digest] = self.asked(mutant)
            if self.record and (self.known[digest].dead or self.sanitizers):
                with self.record.open("a") as file:
                    entry = {"mutant": str(mutant), "digest": digest, **self.known[digest]._asdict()}
                    file.write(json.dumps(entry) + "\n")
        return self.known[digest]

    def asked(self, mutant: Mutant) -> Verdict:
        copy, seconds = self.copies.get(), 0.0
        file = copy.kernels / mutant.file
        source = file.read_text()
        file.write_text(mutant.applied_to(source))
        try:
            stages = [(family, *stage) for family in families_of(mutant.file) for stage in self.stages(family)]
            for family, kind, tests in sorted(stages, key=lambda stage: stage[1] == "sanitizers"):
                verdict = copy.tested(tests, self.limit(family, kind, tests))
                seconds += verdict.seconds
                if verdict.dead:
                    return Verdict(verdict.killer, seconds)
            return Verdict("", seconds)
        finally:
            file.write_text(source)
            self.copies.put(copy)

    def read_by(self, families: list[str]) -> list[Path]:
        """The files, beside the sources, that verdicts depend on."""
        return [*map(tests_of, families), SANITIZERS, SANITIZERS.with_name("sanitizer_cases.py")]

    def digest(self, mutant: Mutant) -> str:
        """Of what a verdict depends on: the sources but for their comments, and the tests of their families."""
        state = hashlib.sha256(repr((mutant.key, mutant.replacement)).encode())
        families = families_of(mutant.file)
        for name in sorted({name for family in families for name in includes(f"{family}.cu")}):
            state.update(" ".join(without_comments((KERNELS / name).read_text()).split()).encode())
        for path in self.read_by(families):
            state.update(path.read_bytes())
        return state.hexdigest()


# ------------------------------------------------------------------------------------------ proofs and the table


def proofs(file: Path = PROOFS, fields: tuple = ("file", "function", "guard", "mutation")) -> dict[tuple, str]:
    """Why no test can notice a mutant, by its key, which these fields make."""
    entries = tomllib.loads(file.read_text())["survives"]
    found = {tuple(entry[field] for field in fields): " ".join(entry["proof"].split()) for entry in entries}
    assert len(found) == len(entries), f"{file.name} proves one mutant twice"
    return found


def table(rows: list[tuple[Mutant, str]], total: int) -> str:
    """Markdown: what noticed each of these mutants, of so many, or the proof that nothing can."""
    lines = [
        "# Guards of the CUDA kernels, and what notices that one is missing",
        "",
        "Made by `python -m tools.mutants --table docs/mutants.md`, which says how: each guard was taken out of",
        "its source and the tests were run. Of `always true` and `always false` the one is tried that lets through",
        "what the guard holds back. Where nothing notices there is, in italics, a proof that nothing can, from",
        "tools/surviving_mutants.toml.",
        "",
        f"{len(rows)} of the {total} mutants, {sum(words[:1] == '*' != words[1] for _, words in rows)} of them proven.",
    ]
    for file in dict.fromkeys(mutant.file for mutant, _ in rows):
        lines += ["", f"## {file}", "", "| function | guard | mutation | noticed by |", "|---|---|---|---|"]
        for mutant, words in rows:
            if mutant.file == file:
                cells = mutant.function, f"`{mutant.guard}`", mutant.mutation, words
                lines.append("| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def options_of(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--file", action="append", metavar="X.cu", help="mutants of this file alone, or of several")
    parser.add_argument("--sample", type=int, metavar="N", help="so many of them, always the same")
    parser.add_argument("--changed", metavar="COMMIT", help="those of functions that differ from a commit's")
    parser.add_argument("--list", action="store_true", help="what there is to run")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep verdicts; ask again where files changed")
    parser.add_argument("--jobs", type=int, default=1, help="how many are tested at a time")
    return parser


def asked_for(mutants: list[Mutant], options: argparse.Namespace) -> list[Mutant]:
    """Those that the options name; they are printed where nothing more is wanted."""
    if options.file:
        mutants = [mutant for mutant in mutants if mutant.file in options.file]
    if options.changed:
        mutants = changed_since(mutants, options.changed)
    if options.sample is not None:
        mutants = sampled(mutants, options.sample)
    if options.list:
        print(*mutants, f"{len(mutants)} mutants", sep="\n")
    return mutants


def report(runner: Runner, mutants: list[Mutant], proven: dict, everything: list[Mutant]) -> tuple[list, list[str]]:
    """Print each verdict, and what is wrong; (mutant, what to write in a table) of each, and what is wrong."""
    rows, problems = [], []
    for key in proven.keys() - {mutant.key for mutant in everything}:
        problems.append(f"proven, but there is no such mutant: {' | '.join(key)}")
    for mutant, verdict in runner.verdicts(mutants):
        proof = proven.get(mutant.key)
        words = verdict.killer or ("proven" if proof else "SURVIVED")
        print(f"{mutant}: {words} ({verdict.seconds:.0f} s)", flush=True)
        if verdict.dead and proof:
            problems.append(f"proven to survive, but {verdict.killer} notices it: {mutant}")
        elif not verdict.dead and not proof:
            problems.append(f"nothing notices it: {mutant}")
        rows.append((mutant, verdict.killer or (f"*{proof}*" if proof else "**nothing**")))
    proofs_used = sum(mutant.key in proven for mutant in mutants)
    print(*problems, f"{len(mutants)} mutants, {proofs_used} proven, {len(problems)} problems", sep="\n")
    return rows, problems


def main(arguments: list[str] | None = None) -> int:
    parser = options_of("Remove each guard of the CUDA kernels; a test has to go red.")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write what noticed each, as Markdown")
    parser.add_argument("--plain", action="store_true", help="without the sanitizers, which are slow, but see more")
    options, everything = parser.parse_args(arguments), all_mutants()
    mutants = asked_for(everything, options)
    if options.list:
        return 0
    with tempfile.TemporaryDirectory(prefix="minigan-mutants-") as folder:
        runner = Runner(Path(folder), options.jobs, options.record, sanitizers=not options.plain)
        rows, problems = report(runner, mutants, proofs(), everything)
    if options.table:
        options.table.write_text(table(rows, len(everything)))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
