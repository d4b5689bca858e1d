"""The device sim with a header between the simulator and the kernels that watches them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minigan.kernels.cuda.launch import launcher_of, register
from minigan.kernels.cuda.sim import SimArray, Simulator
from minigan.kernels.cuda.sim.building import Way, compiled

HERE = Path(__file__).parent


class Watched(Simulator):
    """A simulator that runs kernels compiled with the header that a subclass names.

    header: in this folder; to_compile: options for the compiler, but not the linker
    """

    header: str
    to_compile: tuple[str, ...] = ()

    def run(self, file, kernel, real, blocks, threads, arguments, shared=0):
        how = Way(("-O1", "-fvisibility=default", *self.to_compile), header=str(HERE / self.header))
        self.watch(compiled(file, real, how, kernel), file, kernel, blocks, threads, arguments)

    def watch(self, library, file, kernel, blocks, threads, arguments):
        """Launch a kernel, and record its activity."""
        raise NotImplementedError


@contextlib.contextmanager
def launching(launcher) -> Iterator:
    """Use this launcher for arrays of the device sim inside the block."""
    before = launcher_of(np.empty(0).view(SimArray))
    register(SimArray, launcher)
    try:
        yield launcher
    finally:
        register(SimArray, before)
