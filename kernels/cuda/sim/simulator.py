"""Runs kernels of .cu files on the CPU; simulator.h describes how."""

from __future__ import annotations

import ctypes
import math
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from minigan import devices
from minigan.kernels.cuda.launch import FOLDER
from minigan.kernels.cuda.sim import recording
from minigan.kernels.cuda.sim.arguments import passed, shape_of, sizes_of
from minigan.kernels.cuda.sim.array import LIBRARY, SimArray
from minigan.kernels.cuda.sim.building import WATCHED, WAYS, Library, SimulatorError, compiled, source_of

MESSAGE = 1024  # characters, as in simulator.h


class RaceWarning(RuntimeWarning):
    """Two threads access one byte of shared memory, one of them writes, and no barrier orders the accesses."""


class Launch(ctypes.Structure):
    """The same struct as in blocks.h."""

    _fields_ = [
        ("shape", ctypes.POINTER(ctypes.c_uint)),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("sizes", ctypes.POINTER(ctypes.c_size_t)),
        ("items", ctypes.POINTER(ctypes.c_size_t)),
        ("grains", ctypes.POINTER(ctypes.c_size_t)),
        ("seed", ctypes.c_uint),
        ("some", ctypes.POINTER(ctypes.c_uint)),
        ("count", ctypes.c_size_t),
        ("shared", ctypes.c_size_t),
        ("all_races", ctypes.c_int),
        ("python", ctypes.POINTER(ctypes.c_void_p)),
        ("message", ctypes.c_char_p),
        ("race", ctypes.c_char_p),
        ("variables", ctypes.POINTER(ctypes.c_size_t)),
        ("variable_count", ctypes.c_size_t),
        ("printed", ctypes.c_void_p),
        ("printed_size", ctypes.c_size_t),
    ]


class Simulator:
    """A launcher whose device is the CPU.

    seed: determines the order in which threads and blocks run; 0 for first to last
    sanitizer: None, "overflow", or, in a process started with the sanitizer's library, "address" or "thread"
    blocks: function of a kernel's name and number of blocks that returns which of them run; all by default
    watched: watch every access of kernels outside this package (watch.h): out of bounds is an error, and a race in
        shared memory is a RaceWarning. Without it these kernels are about ten times as fast.
    all_races: watch every kernel, detect races on arrays too, and make every race an error
    """

    def __init__(
        self,
        seed: int = 0,
        sanitizer: str | None = None,
        blocks: Callable[[str, int], Sequence[int]] | None = None,
        watched: bool = True,
        all_races: bool = False,
    ):
        self.seed, self.sanitizer, self.blocks = seed, sanitizer, blocks
        self.watched, self.all_races = watched, all_races

    def run(self, file, kernel, real, blocks, threads, arguments, shared=0):
        """See launch.Launcher. shared: bytes of the kernel's array `extern __shared__`.

        raises SimulatorError if the kernel does not compile, cannot be launched or does something illegal;
        DtypeError if arguments do not match its parameters; UnknownNameError if the file has no such kernel
        """
        self.launch(self.library(file, real, kernel), kernel, blocks, threads, arguments, shared)

    def library(self, file: str, real: str, kernel: str) -> Library:
        if real not in ("float", "double"):
            raise SimulatorError(f"{kernel}: real is 'float' or 'double', not {real!r}")
        own = source_of(file).parent == FOLDER
        watch = self.sanitizer is None and (self.all_races or (self.watched and not own))
        return compiled(file, real, WATCHED if watch else WAYS[self.sanitizer], kernel)

    def launch(self, library: Library, kernel: str, blocks, threads, arguments, shared: int = 0) -> None:
        shape = shape_of(kernel, blocks, threads, shared)
        parameters = library.parameters(kernel)
        passed(kernel, parameters, arguments)
        some = [] if self.blocks is None else self.blocks(kernel, math.prod(shape[:3]))

        def launch():
            values = passed(kernel, parameters, arguments)
            message, race = ctypes.create_string_buffer(MESSAGE), ctypes.create_string_buffer(MESSAGE)
            shared_variables = library.shared_variables() if library.watched else []
            what = Launch(
                shape=numbers(shape),
                arguments=(ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values)),
                sizes=numbers(sizes_of(arguments), ctypes.c_size_t),
                items=numbers([parameter.size for parameter in parameters], ctypes.c_size_t),
                grains=numbers([1 if one.kind == "V" else one.size for one in parameters], ctypes.c_size_t),
                seed=self.seed,
                some=numbers(some),
                count=len(some),
                shared=shared,
                all_races=self.all_races,
                python=_python() if library.watched else None,
                variables=numbers([n for start, size, _ in shared_variables for n in (start, size)], ctypes.c_size_t),
                variable_count=len(shared_variables),
                message=ctypes.addressof(message),
                race=ctypes.addressof(race),
            )
            with _turn:
                try:
                    errors = library.launcher(kernel)(ctypes.byref(what))
                finally:
                    printed = ctypes.string_at(what.printed, what.printed_size) if what.printed_size else b""
            if printed:
                sys.stdout.write(printed.decode(errors="replace"))
            if race.value:
                warn(library.in_words(race.value.decode(errors="replace"), kernel), library)
            if errors:
                text = library.in_words(message.value.decode(errors="replace"), kernel)
                more = f" (and {errors - 1} more such errors)" if errors > 1 else ""
                raise SimulatorError(text + more)

        recording.written(launch)

    def matmul(self, a, b):
        devices.refuse_in_capture(LIBRARY)
        return np.matmul(a, b)  # stands in for cuBLAS

    def empty(self, shape, dtype):
        array = np.empty(shape, dtype)
        if array.dtype.kind == "f":
            array.fill(np.nan)  # elements that a kernel forgets to write stand out
        return array.view(SimArray)

    def put(self, array):
        devices.refuse_in_capture("copies an array of the CPU to the device")
        return np.array(array, order="C").view(SimArray)

    def get(self, array):
        devices.refuse_in_capture("copies an array to the CPU")
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


_turn = threading.Lock()  # held during a launch: there is one device


def _forget_turn():
    """Free the lock in a forked child: a thread of the parent that held it does not exist there."""
    global _turn
    _turn = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_turn)


def _python():
    """The functions that a watched kernel calls regularly, so that signals and other threads are served."""
    api = ctypes.pythonapi
    calls = (api.PyEval_SaveThread, api.PyEval_RestoreThread, api.PyErr_CheckSignals)
    return (ctypes.c_void_p * 3)(*(ctypes.cast(call, ctypes.c_void_p).value for call in calls))


def numbers(values, kind=ctypes.c_uint):
    """A C array of these values, by default of unsigned ints."""
    return (kind * len(values))(*values)


def warn(race: str, library: Library) -> None:
    """Warn of a race every time it is found, not only the first time."""
    lines = re.findall(rf"{re.escape(library.source.name)}:(\d+)", race)
    warnings.warn_explicit(race, RaceWarning, str(library.source), int(lines[-1]) if lines else 1)
