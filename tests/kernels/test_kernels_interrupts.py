"""Ctrl-C and forks at any moment leave the crew fit for work."""

import dis
import itertools
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from numba.core import compiler_lock
from numba.core.compiler_lock import global_compiler_lock
from test_kernels_threads import eager, tallies_of  # noqa: F401 - a fixture

from minigan.kernels import cpu
from minigan.kernels.cpu.runtime import threads
from minigan.kernels.cpu.runtime.compile import called_from_python


class Interrupted:
    """Inside, KeyboardInterrupt is raised at the n-th place in a module where Python looks for signals.

    These are the beginning of a function, jumps backwards and returns from calls.
    reached: whether there were that many places
    """

    def __init__(self, module, number):
        self.file, self.left, self.reached = module.__file__, number, False
        self.before = {}  # frame -> name of the instruction that it has just done

    def __enter__(self):
        sys.settrace(self.trace)
        return self

    def __exit__(self, kind, *error):
        sys.settrace(None)
        return kind is KeyboardInterrupt

    def trace(self, frame, event, argument):
        if frame.f_code.co_filename != self.file:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            name = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            before, self.before[frame] = self.before.get(frame, ""), name
            if before.startswith("CALL") or name == "RESUME" or "JUMP_BACKWARD" in name:
                self.left -= 1
                if self.left < 0 and not self.reached:
                    self.reached = True
                    raise KeyboardInterrupt
        return self.trace


def both_take_part():
    """Whether caller and helper do tasks, each task once."""
    for _ in range(50):
        tallies = tallies_of(30, 20_000)
        assert (tallies.sum(axis=1) == 1).all()
        if (tallies.sum(axis=0)[:2] > 0).all():
            return True
        time.sleep(0.002)
    return False


@pytest.fixture
def one_helper(eager):  # noqa: F811
    before = cpu.get_threads()
    cpu.set_threads(2)
    assert both_take_part()
    yield
    cpu.set_threads(before)


def test_ctrl_c_anywhere_in_shared_work_leaves_the_helper_at_work(one_helper):
    """The helper works, or sleeps and has to be woken."""
    for asleep in (False, True):
        for number in itertools.count():
            if asleep:
                time.sleep(3 * threads.PATIENCE)
            with Interrupted(threads, number) as interrupted:
                tallies_of(30, 2000)
            assert both_take_part(), number
            if not interrupted.reached:
                break
        assert number > 10


def test_ctrl_c_while_helpers_are_started_gives_each_a_slot_of_its_own(eager, monkeypatch):  # noqa: F811
    before = cpu.get_threads()
    cpu.set_threads(3)
    tallies_of(40)
    started = []
    monkeypatch.setattr(threads, "_serve", lambda slot, *rest: started.append(slot))
    monkeypatch.setattr(threads, "_helpers", [])
    for number in itertools.count():
        threads._helpers.clear()
        started.clear()
        with Interrupted(threads, number) as interrupted:
            threads._start(3)
        threads._start(3)
        until = time.monotonic() + 10
        while len(started) < 3 and time.monotonic() < until:
            time.sleep(0.001)
        assert sorted(started) == [1, 2, 3], number
        if not interrupted.reached:
            break
    assert number > 3
    cpu.set_threads(before)


def can_be_locked_by_others(lock):
    """Whether another thread gets a lock that nobody should hold."""
    got = []

    def take():
        got.append(lock.acquire(timeout=5))
        if got[0]:
            lock.release()

    other = threading.Thread(target=take)
    other.start()
    other.join()
    return got[0]


def test_ctrl_c_while_a_kernel_is_compiled_leaves_the_compiler_fit_for_more():
    """Others can compile, and so can this thread."""
    for number in range(100):

        @called_from_python
        def add(x, y):
            return x + y

        with Interrupted(compiler_lock, number) as interrupted:
            add(1.0, number)
        assert can_be_locked_by_others(global_compiler_lock._lock), number
        assert add(1, 2) == 3
        if not interrupted.reached:
            break


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def exit_status_of_child(function, seconds=10):
    """The exit status of a forked child that calls a function: negative for a signal, which ends one that hangs."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_compiles_can_compile_in_the_child():
    holds = threading.Event()

    def compile_long():
        with global_compiler_lock:
            holds.set()
            time.sleep(0.3)

    def compile_here():
        with global_compiler_lock:
            pass
        assert (tallies_of(40).sum(axis=1) == 1).all()

    other = threading.Thread(target=compile_long)
    other.start()
    holds.wait()
    assert exit_status_of_child(compile_here) == 0
    other.join()
    compile_here()  # the parent is as free as the child


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_in_the_middle_of_shared_work_leaves_the_child_fit_for_work(one_helper):
    done = threading.Event()

    def work():
        while not done.is_set():
            tallies_of(30, 2000)

    other = threading.Thread(target=work)
    other.start()
    try:
        assert [exit_status_of_child(lambda: tallies_of(40)) for _ in range(10)] == [0] * 10
    finally:
        done.set()
        other.join()
    assert np.array_equal(tallies_of(40).sum(axis=1), np.ones(40))
