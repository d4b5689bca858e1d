"""Threads of our own, over kernels that hold no lock.

`share` divides the tasks of a kernel among the calling thread and helpers. What a task is follows from shapes alone,
each owns what it writes, and partial results are combined in a fixed order afterwards; so results are the same to the
bit whatever the number of threads.
"""

import contextlib
import ctypes
import os
import threading
import time
from _thread import start_new_thread
from itertools import repeat
from queue import SimpleQueue

import numpy as np

from minigan.kernels.cpu import crew
from minigan.kernels.cpu.arrays import address_of, aligned
from minigan.kernels.cpu.tasks import Tasks

WORTH_SHARING = 25e-6  # seconds of work
LOST = 500e-6  # seconds a helper is late if others use its core
ALONE, LONGEST_ALONE = 5e-3, 80e-3  # seconds they are left it then, twice as many each time that they still use it,
LONG = 2e-3  # but for work that takes longer than waiting for a core does
PATIENCE = 5e-3  # seconds for which a helper without work looks out for more before it sleeps


def available_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def _from_environment() -> int:
    wanted = os.environ.get("MINIGAN_THREADS", "")
    return max(int(wanted), 1) if wanted.isdecimal() else available_cores()


_count = _from_environment()
_helpers: list[int] = []  # Python's numbers of these threads
_starting = threading.Lock()
_board = crew.new_board()
_asleep: dict[int, SimpleQueue] = {}  # helpers that sleep, by the system's numbers -> the bells that wake them
_cores = available_cores()
try:
    _sched_getcpu = ctypes.CDLL(None).sched_getcpu
except (AttributeError, OSError, TypeError):  # not on this system
    _sched_getcpu = None
_alone_until, _alone_for = 0.0, 0.0  # until then only long work is shared, and for how long in all


def get_threads() -> int:
    """Threads that kernels use, the calling one included."""
    return _count


def set_threads(count: int) -> None:
    """Use this many threads, including the calling one. Results do not depend on the number."""
    global _count
    if count < 1:
        raise ValueError(f"set_threads: {count} threads; the calling thread is one of them, so it is at least 1")
    _count = int(count)


def share(kernel: Tasks, tasks: int, seconds: float, *arguments) -> None:
    """Do tasks 0, 1, ... of a kernel, in any order, on up to get_threads() threads.

    seconds: what all of it should take on one thread; little work stays on the calling thread
    arguments: those that follow the task's number; each thread has its own array for an `Own`
    """
    slots = min(_count, _cores, tasks, crew.MOST_THREADS)  # a thread without a core would hold up the others
    together = slots > 1 and seconds >= WORTH_SHARING and not _alone(seconds)
    function, words = kernel.prepare(arguments, slots if together else 1, scratch_address)
    own = _own.board
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
    """Wake all helpers that sleep. One leaves the list itself: if this is interrupted, the next caller wakes it."""
    core = _this_core()
    for helper, bell in list(_asleep.items()):
        _keep_off(helper, core)  # before it wakes
        bell.put(None)


def _keep_off(helper, core):
    """Let a helper have all cores but one, the caller's: where others are busy, the system might wake it just there,
    to take turns with the thread that it should help."""
    with contextlib.suppress(OSError, AttributeError):  # AttributeError: not on this system
        others = os.sched_getaffinity(0) - {core}
        if others:
            os.sched_setaffinity(helper, others)


def _this_core():
    """The number of the core that this thread is on; -1 where the system does not say."""
    return _sched_getcpu() if _sched_getcpu else -1


def _leave_alone(late):
    """A helper that was waited for had lost its core to other programs: let them have it for a while."""
    global _alone_until, _alone_for
    now = time.perf_counter()
    soon = now - late < _alone_until + 2 * _alone_for
    _alone_for = min(2 * _alone_for, LONGEST_ALONE) if soon else ALONE
    _alone_until = now + _alone_for


def _alone(seconds):
    """Whether work that takes `seconds` stays on this thread, because a helper has just lost its core to others."""
    return _alone_until and seconds < LONG and time.perf_counter() < _alone_until


def _start(helpers):
    """Have that many helpers. Starting and listing them is one call of C code, which nothing interrupts: none is
    forgotten, and no two are given the same slot."""
    with _starting, contextlib.suppress(RuntimeError):  # no more threads are allowed: those that there are will do
        slots = range(len(_helpers) + 1, helpers + 1)
        _helpers.extend(map(start_new_thread, repeat(_serve), zip(slots, repeat(_asleep), repeat(_board))))


def _serve(slot, asleep, board):
    """A helper's life: it sleeps until it is woken, and then watches the board for a while."""
    me, looks = threading.get_native_id(), _looks(PATIENCE)
    while True:
        asleep[me] = bell = SimpleQueue()
        bell.get()
        del asleep[me]
        crew.watch(board, slot, looks)


def _looks(seconds):
    """How often a helper looks at the board within `seconds`."""
    board, times = crew.new_board(), []
    for _ in range(4):
        start = time.perf_counter()
        crew.watch(board, 1, 1000)
        times.append(time.perf_counter() - start)
    return max(1, int(1000 * seconds / min(times)))


def _forget():
    """A forked child has none of its parent's threads."""
    global _asleep, _starting, _board
    _asleep, _starting, _board = {}, threading.Lock(), crew.new_board()
    _helpers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class _Own(threading.local):
    """What belongs to one thread."""

    def __init__(self):
        self.buffers = {}
        self.board = crew.new_board()


_own = _Own()


def scratch(name: str, size: int, dtype) -> np.ndarray:
    """A flat array of at least `size` elements that this thread keeps under `name`, aligned to a cache line.

    Fresh memory is page faults; a kept buffer is not. Its contents are whatever its last use left.
    """
    needed = size * np.dtype(dtype).itemsize
    scratch_address(name, needed)
    return _own.buffers[name][0][:needed].view(dtype)


def scratch_address(name: str, needed: int) -> int:
    """Where the same memory begins, of at least that many bytes."""
    kept = _own.buffers.get(name)
    if kept is None or kept[0].nbytes < needed:
        buffer = aligned((needed,), np.dtype(np.uint8))
        kept = _own.buffers[name] = buffer, address_of(buffer)
    return kept[1]
