"""Compiles .cu files with g++ and runs their kernels on the CPU; see simulator.h for how."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import math
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from minigan.errors import MiniganError
from minigan.kernels import capture
from minigan.kernels.cuda.launch import FOLDER
from minigan.kernels.cuda.sim import recording
from minigan.kernels.cuda.sim.array import LIBRARY, SimArray

HERE = Path(__file__).parent
OPTIONS = ["-std=c++17", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Wno-unknown-pragmas"]
SANITIZERS = {  # what is looked for, and how it is compiled then
    None: ["-O2"],
    "address": [
        *("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
        "-fsanitize-sections=cuda_shared*",  # what else is in a section of its own goes without
    ],
    "thread": ["-O1", "-g", "-fsanitize=thread"],
    "overflow": ["-O2", "-DOVERFLOWS", "-fsanitize=signed-integer-overflow", "-Wl,--as-needed"],
}
DECLARATION = re.compile(r"^KERNEL\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(", re.MULTILINE)
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
BARRIER = re.compile(r"__sync|__shfl")
MESSAGE = 512  # characters
MOST = (1 << 32) - 1  # of a grid's numbers, whatever a GPU's limits are


class SimulatorError(MiniganError):
    """A kernel could not be compiled or launched, or it did what no kernel may do."""


class Simulator:
    """A launcher whose device is the CPU.

    seed: of the order in which threads and blocks run; 0 for first to last
    sanitizer: None, or "overflow", or "address" or "thread" in a process that was started with the sanitizer's library
    blocks: which blocks of a launch run, a function of the kernel's name and how many there are; all unless given
    """

    def __init__(
        self,
        seed: int = 0,
        sanitizer: str | None = None,
        blocks: Callable[[str, int], Sequence[int]] | None = None,
    ):
        self.seed, self.sanitizer, self.blocks = seed, sanitizer, blocks

    def run(self, file, kernel, real, blocks, threads, arguments):
        function = getattr(compiled(file, real, self.sanitizer), f"launch_{kernel}")
        shape = (*blocks, *(1,) * (3 - len(blocks)), *threads, *(1,) * (3 - len(threads)))
        if max(shape) > MOST:
            raise SimulatorError(f"{kernel}: a grid of {shape[:3]} blocks of {shape[3:]} threads cannot be launched")
        some = [] if self.blocks is None else self.blocks(kernel, math.prod(shape[:3]))

        def launch():
            values = [np.array(a.ctypes.data, np.uintp) if isinstance(a, SimArray) else np.array(a) for a in arguments]
            addresses = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
            message, count = ctypes.create_string_buffer(MESSAGE), ctypes.c_size_t(len(some))
            with _turn:
                errors = function(numbers(shape), addresses, self.seed, numbers(some), count, message)
            if errors:
                raise SimulatorError(f"{message.value.decode()} ({errors} such errors in {file})")

        recording.written(launch)

    def matmul(self, a, b):
        capture.refuse(LIBRARY)
        return np.matmul(a, b)  # in place of cuBLAS

    def empty(self, shape, dtype):
        array = np.empty(shape, dtype)
        if array.dtype.kind == "f":
            array.fill(np.nan)  # what a kernel forgets to write shows
        return array.view(SimArray)

    def put(self, array):
        capture.refuse("copies an array of the CPU to the device")
        return np.array(array, order="C").view(SimArray)

    def get(self, array):
        capture.refuse("copies an array to the CPU")
        return np.array(array.view(np.ndarray))

    def address_of(self, array):
        return array.ctypes.data

    def overwrite(self, array, values):
        array.view(np.ndarray)[...] = values

    def captured(self, function):
        with recording.record() as calls:
            function()

        def replay():
            for call in calls:
                call()

        return replay


_turn = threading.Lock()  # there is one device


def numbers(values):
    """Unsigned ints for a C function."""
    return (ctypes.c_uint * len(values))(*values)


@functools.cache
def compiled(file: str, real: str, sanitizer: str | None) -> ctypes.CDLL:
    """The kernels of a file, of this package's or with its path, for one type of numbers: compiled unless they were."""
    texts = with_headers(FOLDER / file)
    barriers = any(BARRIER.search(text) for text in texts)
    options = [*OPTIONS, *SANITIZERS[sanitizer], f"-DREAL={real}", f"-DBARRIERS={int(barriers)}"]
    exports = "\n".join(f"EXPORT({kernel})" for kernel in kernels_of(texts[0]))
    program = f'#include "sim/simulator.h"\n#include "{Path(file).name}"\n{exports}\n'
    state = hashlib.sha256(repr((options, program, compiler(), texts)).encode())
    for part in sorted(HERE.glob("*.h")):
        state.update(part.read_bytes())
    folder = cache_folder()
    target = folder / f"{Path(file).stem}-{real}-{state.hexdigest()[:16]}.so"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            made = Path(beside) / target.name
            (Path(beside) / "program.cpp").write_text(program)
            folders = [f"-I{(FOLDER / file).parent}", f"-I{FOLDER}"]
            command = [compiler(), *options, *folders, "-o", str(made), str(Path(beside) / "program.cpp")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SimulatorError(f"{file} does not compile:\n{done.stderr}")
            made.replace(target)
    return ctypes.CDLL(str(target))


def with_headers(source: Path) -> list[str]:
    """The texts of a source and of the headers that it includes, which are beside it or in this package."""
    found, texts = [source], []
    for path in found:
        texts.append(path.read_text())
        for name in INCLUDE.findall(texts[-1]):
            header = next((place / name for place in (path.parent, FOLDER) if (place / name).exists()), None)
            if header and header not in found:
                found.append(header)
    return texts


def kernels_of(source: str) -> list[str]:
    """The names of the kernels that a source defines."""
    return DECLARATION.findall(source)


@functools.cache
def compiler() -> str:
    """The path of g++, or of what CXX names."""
    wanted = os.environ.get("CXX", "g++")
    found = shutil.which(wanted)
    if found is None:
        raise SimulatorError(f"the device sim compiles its kernels with {wanted}, which is not installed (or set CXX)")
    return found


def cache_folder() -> Path:
    """Where compiled kernels are kept: `$MINIGAN_CACHE` or ~/.cache/minigan, else a folder for this process."""
    base = os.environ.get("MINIGAN_CACHE") or os.environ.get("XDG_CACHE_HOME", "~/.cache") + "/minigan"
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: there is no home
        folder = Path(base).expanduser() / "sim"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return folder
    return _own_folder()


@functools.cache
def _own_folder():
    return Path(tempfile.mkdtemp(prefix="minigan-sim-"))
