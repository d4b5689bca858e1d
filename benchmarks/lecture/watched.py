"""The device sim, with a header between the simulator and the kernels that watches what these do."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minigan.kernels.cuda.launch import FOLDER, launcher_of, register
from minigan.kernels.cuda.sim import SimArray, Simulator, simulator

HERE = Path(__file__).parent
OPTIONS = ["-std=c++17", "-fPIC", "-ffp-contract=off", "-Wno-unknown-pragmas", "-O1"]


class Watched(Simulator):
    """A simulator that runs kernels compiled with the header that a subclass names.

    header: of this folder; to_compile: what the compiler is told, but not the linker
    """

    header: str
    to_compile: tuple[str, ...] = ()

    def run(self, file, kernel, real, blocks, threads, arguments):
        self.watch(compiled(file, real, self.header, self.to_compile), file, kernel, blocks, threads, arguments)

    def watch(self, library, file, kernel, blocks, threads, arguments):
        """Launch a kernel, and keep what is found."""
        raise NotImplementedError

    def launch(self, library, kernel, blocks, threads, arguments):
        shape = (*blocks, *(1,) * (3 - len(blocks)), *threads, *(1,) * (3 - len(threads)))
        some = [] if self.blocks is None else self.blocks(kernel, int(np.prod(blocks)))
        values = [np.array(a.ctypes.data, np.uintp) if isinstance(a, SimArray) else np.array(a) for a in arguments]
        addresses = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        message, count = ctypes.create_string_buffer(simulator.MESSAGE), ctypes.c_size_t(len(some))
        function = getattr(library, f"launch_{kernel}")
        if function(simulator.numbers(shape), addresses, self.seed, simulator.numbers(some), count, message):
            raise simulator.SimulatorError(message.value.decode())


@contextlib.contextmanager
def launching(launcher) -> Iterator:
    """Let this launcher run what is asked for with arrays of the device sim, until the end of the block."""
    before = launcher_of(np.empty(0).view(SimArray))
    register(SimArray, launcher)
    try:
        yield launcher
    finally:
        register(SimArray, before)


@functools.cache
def compiled(file: str, real: str, header: str, to_compile: tuple[str, ...]) -> ctypes.CDLL:
    """The kernels of a file for one type of numbers, kept where the simulator keeps its own."""
    texts = simulator.with_headers(FOLDER / file)
    exports = "\n".join(f"EXPORT({kernel})" for kernel in simulator.kernels_of(texts[0]))
    program = f'#include "sim/simulator.h"\n#include "{header}"\n#include "{file}"\n{exports}\n'
    options = [*OPTIONS, f"-DREAL={real}", f"-I{FOLDER}", f"-I{HERE}"]
    texts += [(HERE / header).read_text(), (simulator.HERE / "simulator.h").read_text()]
    state = hashlib.sha256(repr((program, options, to_compile, texts, simulator.compiler())).encode()).hexdigest()
    folder = simulator.cache_folder()
    target = folder / f"{Path(file).stem}-{Path(header).stem}-{state[:16]}.so"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            source, made = Path(beside) / "program.cpp", Path(beside) / "made.so"
            source.write_text(program)
            _call([simulator.compiler(), *options, *to_compile, "-c", "-o", f"{beside}/made.o", str(source)])
            _call([simulator.compiler(), "-shared", "-o", str(made), f"{beside}/made.o"])
            made.replace(target)
    return ctypes.CDLL(str(target))


def _call(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise simulator.SimulatorError(f"{' '.join(command)} failed:\n{done.stderr}")
