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
from queue import SimpleQueue

import numpy as np

from minigan.kernels.cpu import crew
from minigan.kernels.cpu.arrays import aligned
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
_wake: SimpleQueue = SimpleQueue()  # a helper sleeps until it gets something from here
_helpers: list[threading.Thread] = []
_starting = threading.Lock()
_board = crew.new_board()
_turn = threading.Lock()  # of the caller whose job is on the board
_asleep: list[int] = []  # the system's numbers of the helpers that have to be woken
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
    """Use so many threads, the calling one included. Results do not depend on it."""
    global _count
    if count < 1:
        raise ValueError(f"set_threads: {count} threads; the calling thread is one of them, so it is at least 1")
    _count = int(count)


def share(kernel: Tasks, tasks: int, seconds: float, *arguments) -> None:
    """Do tasks 0, 1, ... of a kernel, in any order, on up to get_threads() threads.

    seconds: what all of it should take on one thread; little work stays on the calling thread
    arguments: those that follow the task's number; each thread has its own array for an `Own`
    """
    slots = min(_count, _cores, tasks, crew.MOST_THREADS)  # threads that wait for a core would be waited for
    if slots < 2 or seconds < WORTH_SHARING or _alone(seconds) or not _turn.acquire(blocking=False):
        function, words = kernel.prepare(arguments, 1, scratch)
        _own.board[crew.ARGUMENTS : crew.ARGUMENTS + len(words)] = words
        crew.share(_own.board, function, tasks, 1)
        return
    try:
        function, words = kernel.prepare(arguments, slots, scratch)
        _board[crew.ARGUMENTS : crew.ARGUMENTS + len(words)] = words
        if len(_helpers) < slots - 1:
            _start(slots - 1)
        if _asleep:
            _wake_helpers()
        crew.share(_board, function, tasks, slots)
    finally:
        if _board[crew.INSIDE]:
            _wait_for_stragglers(seconds / tasks)
        _turn.release()


def _wake_helpers():
    core = _this_core()
    while _asleep:
        helper = _asleep.pop()  # before it wakes: it is woken once
        _keep_off(helper, core)
        _wake.put(None)


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


def _wait_for_stragglers(seconds):
    """Let the helpers finish their last tasks, of so many seconds each; one that takes far longer lost its core."""
    global _alone_until, _alone_for
    start = time.perf_counter()
    while _board[crew.INSIDE]:
        time.sleep(0)  # perhaps it needs this core
    end = time.perf_counter()
    if end - start > 2 * seconds + LOST:
        soon = start < _alone_until + 2 * _alone_for
        _alone_for = min(2 * _alone_for, LONGEST_ALONE) if soon else ALONE
        _alone_until = end + _alone_for


def _alone(seconds):
    """Whether work of so many seconds stays on its thread, because a helper has just lost its core to others."""
    return _alone_until and seconds < LONG and time.perf_counter() < _alone_until


def _start(helpers):
    with _starting:
        while len(_helpers) < helpers:
            slot = len(_helpers) + 1
            thread = threading.Thread(target=_serve, args=(slot, _wake, _asleep, _board), name="minigan", daemon=True)
            _helpers.append(thread)
            thread.start()


def _serve(slot, wake, asleep, board):
    """A helper's life: it sleeps until it is woken, and then watches the board for a while."""
    looks = _looks(PATIENCE)
    while True:
        asleep.append(threading.get_native_id())
        wake.get()  # whoever woke it has taken it off the list
        crew.watch(board, slot, looks)


def _looks(seconds):
    """How often a helper looks at the board in so many seconds."""
    board, times = crew.new_board(), []
    for _ in range(4):
        start = time.perf_counter()
        crew.watch(board, 1, 1000)
        times.append(time.perf_counter() - start)
    return max(1, int(1000 * seconds / min(times)))


def _forget():
    """A forked child has none of its parent's threads."""
    global _wake, _asleep, _starting, _board, _turn
    _wake, _asleep, _starting = SimpleQueue(), [], threading.Lock()
    _board, _turn = crew.new_board(), threading.Lock()
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
    buffer = _own.buffers.get(name)
    if buffer is None or buffer.nbytes < needed:
        buffer = _own.buffers[name] = aligned((needed,), np.dtype(np.uint8))
    return buffer[:needed].view(dtype)
