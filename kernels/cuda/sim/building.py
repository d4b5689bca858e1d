"""Compiles .cu files with g++ and caches the result under a name derived from all inputs."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from minigan.errors import MiniganError, UnknownNameError
from minigan.kernels import cache
from minigan.kernels.cuda.launch import FOLDER
from minigan.kernels.cuda.sim.sources import (
    code_of,
    definitions_of,
    for_compiler,
    has_barriers,
    identifier,
    kernels_of,
    with_headers,
)

HERE = Path(__file__).resolve().parent
OPTIONS = ["-std=c++17", "-fPIC", "-ffp-contract=off", "-w", "-fvisibility=hidden", "-fno-gnu-unique"]
CUDA_HEADERS = ["cuda.h", "cuda_runtime.h", "cuda_runtime_api.h", "device_launch_parameters.h"]
DIAGNOSTIC = re.compile(r"^(?P<file>[^\n:]+):\d+(?::\d+)?: (?:fatal )?error: ", re.MULTILINE)
ENDS = ("__start_cuda_shared", "__stop_cuda_shared")
OF_TEMPLATE = re.compile(r"^(?!guard variable|sim::|std::|.* sim::|.* std::).*>\(.*\)::\w+$")
PLACE = re.compile(r"@\{([0-9a-f]+)\}")
VARIABLE = re.compile(r"\$\{([0-9a-f]+):(\d+)\}")


class SimulatorError(MiniganError):
    """A kernel could not be compiled or launched, or it did something illegal."""


class Way(NamedTuple):
    """How sources are compiled and linked.

    header: included between the simulator and the kernels; watched: whether watch.h watches accesses
    """

    to_compile: tuple[str, ...] = ("-O2",)
    to_link: tuple[str, ...] = ()
    header: str = ""
    watched: bool = False


ADDRESS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
WAYS = {
    None: Way(),
    "address": Way(("-O1", "-g", "-fno-omit-frame-pointer", *ADDRESS, "-fsanitize-sections=cuda_shared*"), ADDRESS),
    "thread": Way(("-O1", "-g", "-fsanitize=thread"), ("-fsanitize=thread",)),
    "overflow": Way(("-O2", "-DOVERFLOWS", "-fsanitize=signed-integer-overflow")),
}
UNDEFINED = "-fsanitize=bounds,object-size,alignment,integer-divide-by-zero,shift-exponent,float-cast-overflow"
FILLED = "-ftrivial-auto-var-init=pattern"  # local variables start with values that no one mistakes for results
WATCHED = Way(("-O1", "-g", "-fsanitize=thread", UNDEFINED, "-DWATCHED"), watched=True)


class Parameter(NamedTuple):
    """A kernel's parameter. For a pointer, kind (f, i, u, b, or V for others) and size are those of the pointee."""

    name: str
    pointer: bool
    kind: str
    size: int
    type: str


class Library:
    """The compiled kernels of a source file."""

    def __init__(self, path: Path, source: Path, text: str, watched: bool):
        self.path, self.source, self.watched = path, source, watched
        self.definitions = definitions_of(text)
        # a watched kernel regularly checks Python's signals, which needs the GIL
        self.functions = (ctypes.PyDLL if watched else ctypes.CDLL)(str(path))

    def launcher(self, kernel: str):
        return getattr(self.functions, f"launch_{identifier(kernel)}")

    @functools.cache  # noqa: B019 -- libraries are kept as long
    def parameters(self, kernel: str) -> tuple[Parameter, ...]:
        function = getattr(self.functions, f"parameters_{identifier(kernel)}")
        function.restype = ctypes.c_char_p
        found, lines = [], function().decode().splitlines()
        name = kernel.partition("<")[0].strip()
        named = [one.parameters for one in self.definitions if one.name == name and len(one.parameters) == len(lines)]
        for name, line in zip(named[-1], lines, strict=True):
            pointer, kind, size, words = line.split(" ", 3)
            type_ = re.search(r"\[with T = ([^;\]]*)", words)
            found.append(Parameter(name, pointer == "*", kind, int(size), type_[1] if type_ else words))
        return tuple(found)

    def in_words(self, message: str, kernel: str) -> str:
        """Replace addresses in a message by the names of places, variables and arguments."""
        message = PLACE.sub(lambda found: self.line_of(int(found[1], 16)), message)
        message = VARIABLE.sub(lambda found: self.variable_at(int(found[1], 16), int(found[2])), message)
        parameters = self.parameters(kernel)
        message = re.sub(r"&\{(\d+)\}", lambda found: parameters[int(found[1])].name, message)
        return message.replace(f"{self.source.parent}{os.sep}", "")

    def line_of(self, place: int) -> str:
        """The file and line of an instruction; for inlined code of the simulator, those where it was inlined."""
        frames = self._asked(["addr2line", "-i", "-e", str(self.path), hex(place - 1)]) or ["??:0"]
        frames = [re.sub(r" \(discriminator \d+\)$", "", frame) for frame in frames]
        return next((frame for frame in frames if not frame.startswith((str(HERE), "??"))), frames[0])

    def variable_at(self, place: int, size: int) -> str:
        """The element of a variable, or of the nearest one in shared memory, for an access of this size."""
        inside = [one[:3] for one in self.variables() if one[0] <= place < one[0] + one[1]]
        distances = [
            (max(start - place, place - start - length, -1), start, name)
            for start, length, name in inside or self.shared_variables()
        ]
        if not distances:
            return "shared memory"
        _, start, name = min(distances)
        return f"{name.rpartition('::')[2]}[{(place - start) // size}]"

    @functools.cache  # noqa: B019
    def variables(self) -> list[tuple[int, int, str, str]]:
        """(offset, bytes, full name, nm's letter) of each variable of the program."""
        found = []
        for line in self._asked(["nm", "-S", "-C", str(self.path)]):
            start, size, *rest = [*line.split(" ", 3), ""]
            if re.match(r"[0-9a-f]{16} [0-9a-f]{16} [bBdD] ", line):
                found.append((int(start, 16), int(size, 16), rest[1], rest[0]))
            elif rest[0] in ENDS:
                found.append((int(start, 16), 0, rest[0], ""))
        return sorted(found)

    @functools.cache  # noqa: B019
    def shared_variables(self) -> list[tuple[int, int, str]]:
        """Those in shared memory. In functions of templates, they are recognised by their alignment (SIM_ALIGNED)."""
        ends = {name: start for start, _, name, _ in self.variables() if name in ENDS}
        first, last = (ends.get(name, 0) for name in ENDS)
        return [
            (start, size, name)
            for start, size, name, letter in self.variables()
            if (size and first <= start < last) or (letter == "b" and start % 1024 == 0 and OF_TEMPLATE.search(name))
        ]

    def _asked(self, command):
        with contextlib.suppress(OSError):
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        return []


def source_of(file: str) -> Path:
    """The path of a file of this package, or of any other file."""
    for path in (FOLDER / file, Path(file)):
        if path.is_file():
            return path.resolve()
    raise SimulatorError(f"there is no file {file}, neither in {Path.cwd()} nor among the kernels of {FOLDER}")


def compiled(file: str, real: str, way: Way, kernel: str) -> Library:
    """The kernels of a file in its present state, for one type `real`; compiled if they are not in the cache.

    raises SimulatorError if it does not compile, UnknownNameError if it has no kernel of this name
    """
    source = source_of(file)
    texts = with_headers(source)
    text = texts[str(source)]
    name, bracket, _ = kernel.partition("<")
    known = kernels_of(text)
    if name.strip() not in known:
        raise UnknownNameError(f"kernel of {source.name}", kernel, known or ["none: a kernel begins with __global__"])
    if known[name.strip()].template != bool(bracket):
        example = f"{name}<...>, with what its parameters are" if not bracket else f"{name}, which is no template"
        raise SimulatorError(f"{kernel} in {source.name}: ask for {example}")
    return _library(str(source), real, way, kernel if bracket else "", tuple(texts.items()))


@functools.lru_cache(maxsize=512)
def _library(path: str, real: str, way: Way, instance: str, texts: tuple[tuple[str, str], ...]) -> Library:
    source, text = Path(path), texts[0][1]
    barriers = way.watched or any(has_barriers(text) for _, text in texts)
    options = [*OPTIONS, *way.to_compile, f"-DREAL={real}", f"-DBARRIERS={int(barriers)}"]
    options += [FILLED] if way.watched and knows(compiler(), FILLED) else []
    header = f'#include "{way.header}"\n' if way.header else ""
    program = f'#include "sim/simulator.h"\n{header}{for_compiler(text, path, instance)}'
    parts = [part.read_text() for part in [*sorted(HERE.glob("*.h")), *([Path(way.header)] if header else [])]]
    made_of = repr((options, way.to_link, program, compiler(), version(compiler()), texts, parts))
    folder = cache_folder()
    target = folder / f"{source.stem}-{real}-{hashlib.sha256(made_of.encode(errors='replace')).hexdigest()[:32]}.so"
    if not whole(target):
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            make(Path(beside), target, program, source, options, way.to_link, {way.header, *dict(texts)})
    return Library(target, source, text, way.watched)


def make(beside: Path, target: Path, program: str, source: Path, options, to_link, known: set[str]) -> None:
    """Compile a program to a file. The file appears complete or not at all."""
    (beside / "program.cpp").write_text(program, errors="surrogateescape")
    for name in CUDA_HEADERS:  # the simulator already provides their contents
        (beside / name).touch()
    folders = [f"-I{source.parent}", f"-I{FOLDER}", f"-I{beside}"]
    commands = (
        [*options, *folders, "-MMD", "-c", "-o", str(beside / "made.o"), str(beside / "program.cpp")],
        ["-shared", *to_link, "-o", str(beside / "made.so"), str(beside / "made.o")],
    )
    for command in commands:
        done = subprocess.run(
            [compiler(), *command], capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"}
        )
        if done.returncode:
            raise SimulatorError(f"{source.name} does not compile:\n{first_error(done.stderr, source)}")
    refuse_unseen(beside, source, known)
    content = (beside / "made.so").read_bytes()
    with open(beside / target.name, "wb") as file:
        file.write(content + hashlib.sha256(content).digest())  # the loader ignores data after a library's end
        file.flush()
        os.fchmod(file.fileno(), 0o600)  # whatever the umask: files that others can write are not trusted
        os.fsync(file.fileno())
    (beside / target.name).replace(target)


def whole(path: Path) -> bool:
    """Whether a compiled file exists exactly as this user wrote it. (cache.read expects the hash before the content.
    Here the system's loader reads the file, so the hash comes after it.)"""
    try:
        content = path.read_bytes()
        return cache.only_ours(path.stat()) and hashlib.sha256(content[:-32]).digest() == content[-32:]
    except OSError:
        return False


def refuse_unseen(beside: Path, source: Path, known: set[str]) -> None:
    """Raise SimulatorError if g++ has read a file whose changes would go unnoticed."""
    found = (beside / "made.d").read_text().partition(": ")[2].replace("\\\n", " ")
    for name in re.findall(r"(?:\\.|\S)+", found):
        path = os.path.realpath(re.sub(r"\\([ #\\])", r"\1", name).replace("$$", "$"))
        if path not in known and not path.startswith((str(HERE), os.path.realpath(beside))):
            raise SimulatorError(
                f"{source.name} includes {path} in a way that hides it: its changes would not be seen. Write it as "
                f'#include "{Path(path).name}", beside the source or with its path'
            )


def first_error(output: str, source: Path) -> str:
    """g++'s first error in the source, or else in a header, with its line, and the number of errors."""
    found = list(DIAGNOSTIC.finditer(output))
    if not found:
        return output[-4000:]
    first = next((one for one in found if os.path.realpath(one["file"]) == str(source)), found[0])
    later = re.compile(r"^\S[^\n]*: (?:note|error|fatal error|warning): |^\S+: In |^compilation ", re.MULTILINE)
    end = later.search(output, first.end())
    text = output[first.start() : end.start() if end else len(output)].rstrip()
    more = f"\n(and {len(found) - 1} more)" if len(found) > 1 else ""
    hint = "\n(launch kernels from Python: what the host does, such as kernel<<<...>>>(...), is no part of a kernel)"
    return text + more + (hint if "<<<" in code_of(source.read_text(errors="replace")) else "")


@functools.cache
def compiler() -> str:
    """The path of g++, or of the compiler that CXX names."""
    wanted = os.environ.get("CXX", "g++")
    found = shutil.which(wanted)
    if found is None:
        raise SimulatorError(f"the device sim compiles its kernels with {wanted}, which is not installed (or set CXX)")
    return found


@functools.cache
def version(path: str) -> str:
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout


@functools.cache
def knows(path: str, option: str) -> bool:
    """Whether the compiler supports an option: older versions lack some."""
    command = [path, option, "-E", "-x", "c++", os.devnull]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def cache_folder() -> Path:
    """The folder of compiled kernels: beside those for the CPU, or else one for this process only."""
    folder = cache.safe_folder("sim")
    with contextlib.suppress(OSError):
        if folder is not None:
            tempfile.TemporaryFile(dir=folder).close()
            return folder
    return _own_folder()


@functools.cache
def _own_folder():
    return Path(tempfile.mkdtemp(prefix="minigan-sim-"))
