"""A call of a kernel from Python: its arrays are checked and allocated, and its tasks are shared among our threads.

`share` divides a kernel's tasks among the calling thread and helpers, through the board of `crew.py`. What a task does
follows from the shapes alone, each task owns what it writes, and partial results are combined in a fixed order
afterwards. So results are the same to the bit for any number of threads.
"""

import contextlib
import ctypes
import hashlib
import math
import os
import struct
import threading
import time
from _thread import start_new_thread
from ctypes import addressof, c_char
from itertools import repeat
from queue import SimpleQueue

import numpy as np

from minigan.errors import DtypeError, ShapeError
from minigan.kernels.cpu.runtime import crew
from minigan.kernels.cpu.runtime.compile import Outlined, kernel, machine_code
from minigan.kernels.cpu.runtime.crew import LINE_BYTES, PER_THREAD

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
LARGE = 1 << 14  # bytes; aligning an array takes a microsecond, which pays from this size on
DOUBLE, WORD = struct.Struct("d"), struct.Struct("q")

buffer_of, ndarray = c_char.from_buffer, np.ndarray


# ------------------------------------------------------------------------------------------ arrays


def plain(*arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays in the one layout that kernels are compiled for: C order, aligned and writable; copies if need be.

    raises DtypeError unless all are float32 or all are float64, in native byte order, and none is masked
    """
    dtype, found = arrays[0].dtype, []
    for array in arrays:
        if array.dtype != dtype or dtype not in DTYPES:
            names = ", ".join(str(array.dtype) for array in arrays)
            raise DtypeError(f"kernels take arrays of one dtype, float32 or float64, not {names}; convert with astype")
        found.append(array if array.__class__ is ndarray and array.flags.carray else _copy(array))
    return found


def _copy(array):
    if isinstance(array, np.ma.MaskedArray):
        raise DtypeError("kernels would read what a masked array hides; fill its gaps first: array.filled(0)")
    return np.array(array, order="C")


def misfit(call: str, *arrays: np.ndarray):
    """Raise ShapeError: with these shapes a kernel would read past the end of an array."""
    raise ShapeError(f"{call}: arrays of shapes {', '.join(str(array.shape) for array in arrays)} do not fit together")


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A new array, uninitialised; a large one is `aligned`."""
    if math.prod(shape) * dtype.itemsize < LARGE:
        return np.empty(shape, dtype)
    return aligned(shape, dtype)


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A new array that begins on a cache line, so that no vector of 64 bytes in it crosses one."""
    memory = np.empty(math.prod(shape) * dtype.itemsize + LINE_BYTES, np.uint8)
    return np.ndarray(shape, dtype, memory, -address_of(memory) % LINE_BYTES)


def address_of(array: np.ndarray) -> int:
    """The address of the first element of a contiguous, writable array that is not empty."""
    return addressof(buffer_of(array))


def blocks(total: int, size: int) -> list[tuple[int, int]]:
    """The range from 0 to total as ranges (first, last) of at most `size`."""
    return [(first, min(first + size, total)) for first in range(0, total, size)]


def round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


class _Kept(threading.local):
    """The buffers that each thread keeps for itself."""

    def __init__(self):
        self.buffers = {}
        self.board = crew.new_board()


_kept = _Kept()


def scratch(name: str, size: int, dtype) -> np.ndarray:
    """A flat array of `size` elements that this thread keeps under `name`, aligned to a cache line.

    Fresh memory begins with page faults; a kept buffer does not. It contains whatever its last use left.
    """
    needed = size * np.dtype(dtype).itemsize
    scratch_address(name, needed)
    return _kept.buffers[name][0][:needed].view(dtype)


def scratch_address(name: str, needed: int) -> int:
    """The address of that memory, which has at least `needed` bytes."""
    kept = _kept.buffers.get(name)
    if kept is None or kept[0].nbytes < needed:
        buffer = aligned((needed,), np.dtype(np.uint8))
        kept = _kept.buffers[name] = buffer, address_of(buffer)
    return kept[1]


# ------------------------------------------------------------------------------------------ jobs


class PerThread:
    """An argument for which each thread has an array of its own: scratch memory of at least `size` elements."""

    def __init__(self, name: str, size: int, dtype):
        self.name, self.dtype = name, np.dtype(dtype)
        self.size = round_up(size, LINE_BYTES // self.dtype.itemsize)  # whole cache lines
        self.kind, self.bytes = PER_THREAD + self.dtype.char, self.size * self.dtype.itemsize


class Tasks(Outlined):
    """A kernel that does one of its tasks: function(number, *arguments) or function(number, record).

    The arguments, or the record's fields, are flat arrays, numbers, `PerThread` arrays, and NamedTuples of integers.
    Python runs it through `share`; other kernels can call it.
    """

    def __init__(self, function):
        super().__init__(kernel(function))
        self._entries = {}

    def prepare(self, arguments: tuple, slots: int) -> tuple[int, list[int]]:
        """(the address of the code that does a task with arguments like these, the words on the board for them).

        arguments: contiguous arrays are passed as flat ones, whatever their shape
        slots: the number of threads, for `PerThread` arrays
        """
        record = None
        if len(arguments) == 1 and isinstance(arguments[0], tuple):
            (arguments,) = arguments
            record = type(arguments)
        words, kinds = [], []
        for argument in arguments:
            kind = type(argument)
            if kind is ndarray:
                size = argument.size
                words.append(addressof(buffer_of(argument)) if size else 0)
                words.append(size)
                kind = argument.dtype.char
            elif kind is int or kind is bool:
                words.append(argument)
                kind = int
            elif kind is PerThread:
                words += (scratch_address(argument.name, max(slots * argument.bytes, 1)), argument.size)
                kind = argument.kind
            elif issubclass(kind, tuple):
                words += argument
            else:
                words.append(WORD.unpack(DOUBLE.pack(argument))[0])
            kinds.append(kind)
        key = record, *kinds
        address = self._entries.get(key)
        if address is None:
            most = crew.MOST_ARGUMENTS
            if len(words) > most:
                raise ValueError(f"{self.__name__} has {len(words)} words of arguments; a board holds {most}")
            address = self._entries[key] = self._entry(record, tuple(kinds))
        return address, words

    def _entry(self, record, kinds):
        callee, compiled = self.provide((crew.INDEX_TYPE, *crew.argument_types(record, kinds)))
        symbol = f"tasks_{hashlib.sha256(f'{callee} {record} {kinds}'.encode()).hexdigest()[:16]}"
        return machine_code(symbol, lambda: crew.entry_module(symbol, callee, compiled.fndesc, record, kinds))


# ------------------------------------------------------------------------------------------ threads

WORTH_SHARING = 25e-6  # seconds of work
LOST = 500e-6  # a helper that is this many seconds late has lost its core to another program
ALONE, LONGEST_ALONE = 5e-3, 80e-3  # seconds to leave the core to them, doubled while they still use it
LONG = 2e-3  # seconds of work that is shared anyway: it takes longer than waiting for a core
PATIENCE = 5e-3  # seconds that an idle helper watches for work before it sleeps


def available_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def _from_environment() -> int:
    wanted = os.environ.get("MINIGAN_THREADS", "")
    return max(int(wanted), 1) if wanted.isdecimal() else available_cores()


_count = _from_environment()
_helpers: list[int] = []  # Python's identifiers of these threads
_starting = threading.Lock()
_board = crew.new_board()
_asleep: dict[int, SimpleQueue] = {}  # sleeping helpers: the system's thread id -> the bell that wakes it
_cores = available_cores()
try:
    _sched_getcpu = ctypes.CDLL(None).sched_getcpu
except (AttributeError, OSError, TypeError):  # not on this system
    _sched_getcpu = None
_alone_until, _alone_for = 0.0, 0.0  # the time until which only long work is shared, and the length of that period


def get_threads() -> int:
    """The number of threads that kernels use, including the calling thread."""
    return _count


def set_threads(count: int) -> None:
    """Use this many threads, including the calling one. Results do not depend on the number."""
    global _count
    if count < 1:
        raise ValueError(f"set_threads: {count} threads; the calling thread is one of them, so it is at least 1")
    _count = int(count)


def share(kernel: Tasks, tasks: int, seconds: float, *arguments) -> None:
    """Run tasks 0, 1, ... of a kernel, in any order, on up to get_threads() threads.

    seconds: the time that all tasks should take on one thread; little work stays on the calling thread
    arguments: the kernel's arguments after the task's number, or one record (a NamedTuple) that holds them
    """
    slots = min(_count, _cores, tasks, crew.MOST_THREADS)  # a thread without a core would delay the others
    together = slots > 1 and seconds >= WORTH_SHARING and not _alone(seconds)
    function, words = kernel.prepare(arguments, slots if together else 1)
    own = _kept.board
    own[crew.ARGUMENTS : crew.ARGUMENTS + len(words)] = words
    if together:
        if len(_helpers) < slots - 1:
            _start(slots - 1)
        if _asleep:
            _wake_helpers()
        late = crew.share(_board, own, function, tasks, slots)
        if late != crew.NOT_OURS:
            if late > 2 * seconds / tasks + LOST:
                _leave_alone(late)
            return
    crew.alone(own, function, tasks)


def _wake_helpers():
    """Wake all sleeping helpers. Each leaves the list by itself: if this is interrupted, the next caller wakes it."""
    core = _this_core()
    for helper, bell in list(_asleep.items()):
        _keep_off(helper, core)  # before it wakes
        bell.put(None)


def _keep_off(helper, core):
    """Keep a helper off the caller's core. If other cores are busy, the system might wake it there, where it would
    compete with the thread that it should help."""
    with contextlib.suppress(OSError, AttributeError):  # AttributeError: not on this system
        others = os.sched_getaffinity(0) - {core}
        if others:
            os.sched_setaffinity(helper, others)


def _this_core():
    """The number of the core that runs this thread; -1 if the system does not say."""
    return _sched_getcpu() if _sched_getcpu else -1


def _leave_alone(late):
    """After waiting for a helper that had lost its core to another program, leave the core to it for a while."""
    global _alone_until, _alone_for
    now = time.perf_counter()
    soon = now - late < _alone_until + 2 * _alone_for
    _alone_for = min(2 * _alone_for, LONGEST_ALONE) if soon else ALONE
    _alone_until = now + _alone_for


def _alone(seconds):
    """Whether work of this many seconds stays on this thread, because a helper has just lost its core."""
    return _alone_until and seconds < LONG and time.perf_counter() < _alone_until


def _start(helpers):
    """Start helpers until there are this many. Starting and listing them is one call of C code, which cannot be
    interrupted: none is forgotten, and no two get the same slot."""
    with _starting, contextlib.suppress(RuntimeError):  # the system allows no more threads: make do with these
        slots = range(len(_helpers) + 1, helpers + 1)
        _helpers.extend(map(start_new_thread, repeat(_serve), zip(slots, repeat(_asleep), repeat(_board))))


def _serve(slot, asleep, board):
    """The loop of a helper: it sleeps until it is woken, then watches the board for a while."""
    me, looks = threading.get_native_id(), _looks(PATIENCE)
    while True:
        asleep[me] = bell = SimpleQueue()
        bell.get()
        del asleep[me]
        crew.watch(board, slot, looks)


def _looks(seconds):
    """The number of looks at the board that a helper takes in `seconds`."""
    board, times = crew.new_board(), []
    for _ in range(4):
        start = time.perf_counter()
        crew.watch(board, 1, 1000)
        times.append(time.perf_counter() - start)
    return max(1, int(1000 * seconds / min(times)))


def _forget():
    """Start afresh in a forked child, which has none of its parent's threads."""
    global _asleep, _starting, _board
    _asleep, _starting, _board = {}, threading.Lock(), crew.new_board()
    _helpers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
