"""Threads of our own, over kernels that hold no lock.

`run` shares a list of tasks between the calling thread and helpers. What a task is follows from shapes alone, each
owns what it writes, and partial results are combined in a fixed order afterwards; so results are the same to the bit
whatever the number of threads.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue

import numpy as np

from minigan.kernels.cpu import crew

WORTH_SHARING = 150e-6  # seconds of work; handing some over and waiting for its end costs about half of that
WORTH_SHARING_COMPILED = 25e-6  # the same where the work is compiled
LOST, ALONE = 500e-6, 50e-3  # seconds a helper is late if others use its core, and seconds they are left it then
PATIENCE = 1e-3  # seconds for which a helper without work looks out for more before it sleeps


def available_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def _from_environment() -> int:
    wanted = os.environ.get("MINIGAN_THREADS", "")
    return max(int(wanted), 1) if wanted.isdecimal() else available_cores()


_count = _from_environment()
_jobs: SimpleQueue = SimpleQueue()
_helpers: list[threading.Thread] = []
_starting = threading.Lock()
_board = crew.new_board()
_turn = threading.Lock()  # of the caller whose job is on the board
_asleep: list[int] = []  # one for each helper that has to be woken; which one it is, nobody knows
_cores = available_cores()
_alone_until = 0.0  # until then compiled work is not shared


def get_threads() -> int:
    """Threads that kernels use, the calling one included."""
    return _count


def set_threads(count: int) -> None:
    """Use so many threads, the calling one included. Results do not depend on it."""
    global _count
    if count < 1:
        raise ValueError(f"set_threads: {count} threads; the calling thread is one of them, so it is at least 1")
    _count = int(count)


class _Job:
    """Tasks that several threads take one by one until none is left or one has failed."""

    def __init__(self, work, tasks):
        self.work, self.tasks = work, deque(tasks)
        self.error = None
        self.guard = threading.Lock()
        self.busy = 0
        self.idle = threading.Condition(self.guard)

    def help(self):
        with self.guard:
            if not self.tasks:
                return  # came too late; nobody waits for this thread
            self.busy += 1
        try:
            self.take_all()
        finally:
            with self.guard:
                self.busy -= 1
                self.idle.notify_all()

    def take_all(self):
        while True:
            try:
                task = self.tasks.popleft()
            except IndexError:
                return
            try:
                self.work(task)
            except BaseException as error:
                self.fail(error)

    def fail(self, error):
        self.tasks.clear()
        self.error = self.error or error

    def wait(self):
        with self.guard:
            self.idle.wait_for(lambda: not self.busy)
        if self.error:
            raise self.error


def run(work: Callable, tasks: Iterable, seconds: float = 1.0) -> None:
    """Call work(task) for every task, in any order, on up to get_threads() threads.

    seconds: what all of it should take on one thread; little work stays on the calling thread.
    """
    tasks = list(tasks)
    helpers = min(_count, len(tasks)) - 1
    if helpers < 1 or seconds < WORTH_SHARING:
        for task in tasks:
            work(task)
        return
    _start(helpers)
    job = _Job(work, tasks)
    for _ in range(helpers):
        _jobs.put(job)
    _board[crew.CALLS] += 1  # whoever watches the board goes back to the queue
    job.take_all()
    job.wait()


def run_compiled(job: Callable, tasks: int, seconds: float) -> None:
    """Do so many tasks of a compiled job on up to get_threads() threads.

    job(board, slots): puts its arguments on the board and returns crew.share(board, address, tasks, slots)
    seconds: what all of it should take on one thread
    """
    slots = min(_count, _cores, tasks)  # threads that wait for a core would be waited for
    if slots < 2 or seconds < WORTH_SHARING_COMPILED or _alone() or not _turn.acquire(blocking=False):
        job(_own.board, 1)
        return
    _start(slots - 1)
    try:
        while _asleep:
            _asleep.pop()  # before it wakes: it is woken once
            _jobs.put(None)
        job(_board, slots)
    finally:
        if _board[crew.INSIDE]:
            _wait_for_stragglers(seconds / tasks)
        _turn.release()


def _wait_for_stragglers(seconds):
    """Let the helpers finish their last tasks, of so many seconds each; one that takes far longer lost its core."""
    global _alone_until
    start = time.perf_counter()
    while _board[crew.INSIDE]:
        time.sleep(0)  # perhaps it needs this core
    end = time.perf_counter()
    if end - start > 2 * seconds + LOST:
        _alone_until = end + ALONE


def _alone():
    return _alone_until and time.perf_counter() < _alone_until


def _start(helpers):
    with _starting:
        while len(_helpers) < helpers:
            slot = len(_helpers) + 1
            thread = threading.Thread(target=_serve, args=(slot, _jobs, _asleep, _board), name="minigan", daemon=True)
            _helpers.append(thread)
            thread.start()


def _serve(slot, jobs, asleep, board):
    """A helper's life: it sleeps until it gets Python work, or None, and then it watches the board for a while."""
    looks = _looks(PATIENCE)
    while True:
        asleep.append(slot)
        job = jobs.get()
        if job is None:  # whoever gave it has taken a helper off the list
            crew.watch(board, slot, board[crew.CALLS], looks)
        else:
            if asleep:
                asleep.pop()
            job.help()
        job = None  # and its arrays, which would stay until the next one comes


def _looks(seconds):
    """How often a helper looks at the board in so many seconds."""
    board, times = crew.new_board(), []
    for _ in range(4):
        start = time.perf_counter()
        crew.watch(board, 1, 0, 1000)
        times.append(time.perf_counter() - start)
    return max(1, int(1000 * seconds / min(times)))


def _forget():
    """A forked child has none of its parent's threads."""
    global _jobs, _asleep, _starting, _board, _turn
    _jobs, _asleep, _starting = SimpleQueue(), [], threading.Lock()
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
        raw = np.empty(needed + 64, np.uint8)
        start = -raw.ctypes.data % 64
        buffer = _own.buffers[name] = raw[start : start + needed // 64 * 64 + 64][:needed]
    return buffer[:needed].view(dtype)
