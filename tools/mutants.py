"""Mutation tests of the CUDA kernels: remove each guard in turn, and expect a test to fail.

    python -m tools.mutants --table docs/mutants.md     all mutants, and the table of tests that detected them
    python -m tools.mutants --sample 12                 a fixed sample
    python -m tools.mutants --changed origin/main       mutants of functions that have changed since a commit
    python -m tools.mutants --file pool.cu --list       list what the parser finds in a file

A guard is a barrier, or a condition: a comparison or another operand of && and || in an `if`, `?:`, loop or bool. Its
mutant is the source without the barrier; with one more iteration of the loop; or with the condition always true, or
always false, whichever lets through what it holds back. The mutant is compiled in an otherwise identical copy of the
package, and tests run there in a process: first those of its family, and, if they pass, those under the sanitizers. A
mutant that survives needs a proof in surviving_mutants.toml that no test could detect it.
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
SHORTEST, SLOWDOWN = 60, 6  # time limit of a mutant's tests: seconds, or a multiple of the unmutated kernels' time
HANGS = 1200  # seconds: the unmutated kernels' tests never take as long
MEMORY, LOOK = 4 << 30, 0.2  # memory limit of tests in bytes, and seconds between checks of it


def all_mutants() -> list[Mutant]:
    files = sorted([*KERNELS.glob("*.cu"), *KERNELS.glob("*.h")])
    return [mutant for file in files if families_of(file.name) for mutant in mutants_of(file.name, file.read_text())]


# ------------------------------------------------------------------------------------------ mutants and their tests

INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)


def includes(file: str) -> set[str]:
    """A source and all headers that it includes, directly or not."""
    found = {file}
    for name in INCLUDE.findall((KERNELS / file).read_text()):
        found |= includes(name)
    return found


def families_of(file: str) -> list[str]:
    """The names of the sources that include a file, the fastest to test first."""
    slow = ["norm", "loss", "reduce", "matmul", "conv"]
    found = [path.stem for path in KERNELS.glob("*.cu") if file in includes(path.name)]
    return sorted(found, key=lambda name: (slow.index(name) if name in slow else -1, name))


def tests_of(family: str) -> Path:
    return TESTS / f"test_cuda_{family}.py"


def sampled(mutants: list[Mutant], count: int) -> list[Mutant]:
    """A fixed sample of mutants, which depends only on their keys."""
    order = sorted(mutants, key=lambda mutant: hashlib.sha256(str(mutant).encode()).digest())
    return [mutant for mutant in mutants if mutant in order[:count]]


def changed_since(mutants: list[Mutant], commit: str) -> list[Mutant]:
    """The mutants in functions that have changed since a commit."""
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
    killer: str  # the test that detected the mutant, or ""
    seconds: float

    @property
    def dead(self) -> bool:
        return bool(self.killer)


class Copy:
    """A copy of the package whose CUDA sources can be changed; all other files are links.

    PYTHONPATH makes the unchanged tests import this copy.
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
        """Run tests until one fails. Raises RuntimeError if they could not run."""
        settings = {
            "PYTHONPATH": str(self.folder),
            "PYTHONSAFEPATH": "1",  # do not import from the current folder
            "PYTHONDONTWRITEBYTECODE": "1",
            "MINIGAN_CACHE": str(
                self.folder.parent / "cache"
            ),  # shared by all copies: what does not differ is compiled once
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
            start_new_session=True,  # so that its child processes can be killed with it
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
    """Bytes of memory that a process has written to; 0 if unknown."""
    with contextlib.suppress(OSError):
        found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
        return int(found[1]) << 10 if found else 0
    return 0


def reason(code: int, output: str) -> str:
    """Why pytest failed, or "" if it passed."""
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
    """Runs tests on mutants.

    record: a file of verdicts, which are reused while their sources and tests are unchanged
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
        """Yield (mutant, verdict) as they become available."""
        digests = [self.digest(mutant) for mutant in mutants]  # of the files as they are now
        with ThreadPoolExecutor(self.jobs) as pool:
            yield from zip(mutants, pool.map(self.verdict, mutants, digests), strict=True)

    def limit(self, family: str, kind: str, tests: list[str]) -> float:
        """The time limit of tests in seconds. Checks that they pass without a mutation."""
        with self.turn:
            if (family, kind) not in self.limits:
                verdict = self.original.tested(tests, HANGS)
                if verdict.dead:
                    raise RuntimeError(f"tests of {family} ({kind}) fail without a mutation: {verdict.killer}")
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
        """The files besides the sources that verdicts depend on."""
        return [*map(tests_of, families), SANITIZERS, SANITIZERS.with_name("sanitizer_cases.py")]

    def digest(self, mutant: Mutant) -> str:
        """A hash of everything that a verdict depends on: sources without comments, and the tests of their families."""
        state = hashlib.sha256(repr((mutant.key, mutant.replacement)).encode())
        families = families_of(mutant.file)
        for name in sorted({name for family in families for name in includes(f"{family}.cu")}):
            state.update(" ".join(without_comments((KERNELS / name).read_text()).split()).encode())
        for path in self.read_by(families):
            state.update(path.read_bytes())
        return state.hexdigest()


# ------------------------------------------------------------------------------------------ proofs and the table


def proofs(file: Path = PROOFS, fields: tuple = ("file", "function", "guard", "mutation")) -> dict[tuple, str]:
    """Proofs that no test can detect a mutant, by its key, which consists of these fields."""
    entries = tomllib.loads(file.read_text())["survives"]
    found = {tuple(entry[field] for field in fields): " ".join(entry["proof"].split()) for entry in entries}
    assert len(found) == len(entries), f"{file.name} proves one mutant twice"
    return found


def table(rows: list[tuple[Mutant, str]], total: int) -> str:
    """Markdown with the test that detected each mutant, or the proof that none can; total: how many exist."""
    lines = [
        "# Guards of the CUDA kernels, and the tests that detect their removal",
        "",
        "Written by `python -m tools.mutants --table docs/mutants.md`: each guard was removed from its source and",
        "the tests were run. A condition was made `always true` or `always false`, whichever lets through what the",
        "guard holds back. In italics: proofs that no test can detect a mutation, from tools/surviving_mutants.toml.",
        "",
        f"{len(rows)} of the {total} mutants, {sum(words[:1] == '*' != words[1] for _, words in rows)} of them proven "
        "to survive.",
    ]
    for file in dict.fromkeys(mutant.file for mutant, _ in rows):
        lines += ["", f"## {file}", "", "| function | guard | mutation | detected by |", "|---|---|---|---|"]
        for mutant, words in rows:
            if mutant.file == file:
                cells = mutant.function, f"`{mutant.guard}`", mutant.mutation, words
                lines.append("| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def options_of(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--file", action="append", metavar="X.cu", help="only mutants of this file; may be repeated")
    parser.add_argument("--sample", type=int, metavar="N", help="a fixed sample of N mutants")
    parser.add_argument("--changed", metavar="COMMIT", help="only mutants of functions changed since a commit")
    parser.add_argument("--list", action="store_true", help="list the mutants without running them")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="save verdicts, and reuse those whose files are unchanged"
    )
    parser.add_argument("--jobs", type=int, default=1, help="mutants tested in parallel")
    return parser


def asked_for(mutants: list[Mutant], options: argparse.Namespace) -> list[Mutant]:
    """The mutants selected by the options; prints them for --list."""
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
    """Print all verdicts and problems; return a row (mutant, words) for each mutant, and the problems."""
    rows, problems = [], []
    for key in proven.keys() - {mutant.key for mutant in everything}:
        problems.append(f"proven to survive, but there is no such mutant: {' | '.join(key)}")
    for mutant, verdict in runner.verdicts(mutants):
        proof = proven.get(mutant.key)
        words = verdict.killer or ("proven" if proof else "SURVIVED")
        print(f"{mutant}: {words} ({verdict.seconds:.0f} s)", flush=True)
        if verdict.dead and proof:
            problems.append(f"proven to survive, but {verdict.killer} detects it: {mutant}")
        elif not verdict.dead and not proof:
            problems.append(f"not detected: {mutant}")
        rows.append((mutant, verdict.killer or (f"*{proof}*" if proof else "**nothing**")))
    proofs_used = sum(mutant.key in proven for mutant in mutants)
    print(*problems, f"{len(mutants)} mutants, {proofs_used} proven, {len(problems)} problems", sep="\n")
    return rows, problems


def main(arguments: list[str] | None = None) -> int:
    parser = options_of("Remove each guard of the CUDA kernels, and expect a test to fail.")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write which test detected each, as Markdown")
    parser.add_argument("--plain", action="store_true", help="skip the sanitizers, which are slow, but detect more")
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
