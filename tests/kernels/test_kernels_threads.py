"""Threads: the same bits for any number of them, from any caller, after a failure and after a fork."""

import os
import threading
import time

import numpy as np
import pytest
from geometries import geometry

from minigan.kernels import cpu
from minigan.kernels.cpu.runtime import threads
from minigan.kernels.cpu.runtime.threads import PerThread, Tasks


@pytest.fixture(autouse=True)
def restore_threads():
    before = cpu.get_threads()
    yield
    cpu.set_threads(before)


def everything(seed=0):
    """One array of each kernel that shares its work, on inputs large enough to be shared."""
    rng = np.random.default_rng(seed)
    g = geometry(24, (14, 7, 4, 2, 1, 1, 1), (14, 7, 4, 2, 1, 1, 1), 40, 48, 1)
    window = geometry(24, (14, 7, 3, 2, 1, 1, 0), (14, 7, 3, 2, 1, 0, 1), 40, 40, 40)
    x, w, y = (rng.standard_normal(shape, np.float32) for shape in (g.image, g.weight, g.features))
    a, b = rng.standard_normal((300, 700), np.float32), rng.standard_normal((700, 300), np.float32)
    columns, channel = x.reshape(-1, 40), np.ones(40, np.float32)
    normal = cpu.batch_norm(columns, channel, channel, 1e-5, 0.2)
    indices = cpu.max_pool_indices(x, window)
    return [
        cpu.conv2d(x, w, g),
        cpu.conv2d_transpose(y, w, g),
        cpu.conv2d_weight(x, y, g),
        cpu.im2col(x, g),
        cpu.col2im(cpu.im2col(x, g), g),
        cpu.matmul(a, b),
        cpu.matmul(b.T, a.T),
        *normal,
        *cpu.batch_norm_vjp(columns, columns, channel, channel, *normal[1:], 0.2),
        cpu.bias_sum(columns),
        indices,
        cpu.pool_gather(x, indices, window),
        cpu.pool_scatter(cpu.pool_gather(x, indices, window), indices, window),
        cpu.window_sum(x, window),
        cpu.window_spread(cpu.window_sum(x, window), window),
        cpu.leaky_relu(x, 0.2),
        noise(100_000),
    ]


def noise(count):
    out = np.empty(count, np.float32)
    cpu.standard_normal(out, 5, 7)
    return out


def bits(arrays):
    return [array.tobytes() for array in arrays]


@pytest.fixture
def eager(monkeypatch):
    """Share whatever can be shared, on more threads than there are cores."""
    monkeypatch.setattr(threads, "WORTH_SHARING", 0)
    monkeypatch.setattr(threads, "_cores", 16)
    monkeypatch.setattr(threads, "ALONE", 0)


def test_results_are_the_same_to_the_bit_for_any_number_of_threads(eager):
    results = []
    for count in (1, 2, 3, 7):
        cpu.set_threads(count)
        results.append(bits(everything()))
    assert results[0] == results[1] == results[2] == results[3]


def test_several_callers_at_once_do_not_disturb_each_other(eager):
    cpu.set_threads(3)
    expected = [bits(everything(seed)) for seed in range(3)]
    results = [None] * 3

    def call(seed):
        results[seed] = bits(everything(seed))

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == expected


@Tasks
def tally(number, tallies, rounds, mine):
    """Count the task in the column of the thread that does it, after some work."""
    value = 1.0
    for i in range(rounds):
        value = np.sqrt(value + i)
    tallies[number * 8 + mine[0]] += 1 if value else 0


def tallies_of(tasks, rounds=200):
    """How often each task was done (rows), and by which thread (columns)."""
    tallies = np.zeros((tasks, 8), np.int64)
    threads.scratch("tally", 8 * 8 + 1, np.int64)[:64:8] = range(8)  # what each thread finds in its own array
    threads.share(tally, tasks, 1.0, tallies, rounds, PerThread("tally", 8, np.int64))
    return tallies


def test_every_task_is_done_once(eager):
    for count in (3, 1, 2, 5, 2):
        cpu.set_threads(count)
        for tasks in (0, 1, 2, 3, 40) * 50:
            tallies = tallies_of(tasks)
            assert (tallies.sum(axis=1) == 1).all()
            assert not tallies[:, count:].any()


def test_helpers_wake_for_work(eager):
    cpu.set_threads(3)
    for _ in range(200):
        time.sleep(0.01)  # longer than a helper watches
        if (tallies_of(30, 100_000).sum(axis=0)[:3] > 0).all():
            return
    pytest.fail("a helper never took part")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system places threads as it likes")
def test_helpers_are_kept_off_the_callers_core(eager):
    everywhere = os.sched_getaffinity(0)
    cpu.set_threads(2)
    tallies_of(40)
    time.sleep(0.1)
    (helper, *_) = threads._asleep
    tallies_of(40)
    allowed = os.sched_getaffinity(helper)
    assert allowed <= everywhere
    assert len(allowed) == max(len(everywhere) - 1, 1)
    assert os.sched_getaffinity(0) == everywhere


def test_idle_helpers_sleep(eager):
    cpu.set_threads(3)
    tallies_of(40)
    time.sleep(0.1)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1


def test_tasks_of_several_callers_at_once(eager):
    cpu.set_threads(3)
    failures = []

    def call():
        for _ in range(300):
            if (tallies_of(20).sum(axis=1) != 1).any():
                failures.append(threading.current_thread().name)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures


def test_a_helper_is_waited_for_also_when_it_has_lost_its_core(eager):
    cpu.set_threads(2)
    for _ in range(100):
        tallies = tallies_of(2, 300_000)  # far longer than the caller looks on in compiled code
        assert (tallies.sum(axis=1) == 1).all()


def test_little_work_stays_on_the_calling_thread(monkeypatch):
    monkeypatch.setattr(threads, "_cores", 16)
    cpu.set_threads(3)
    tallies = np.zeros((50, 8), np.int64)
    threads.scratch("tally", 8 * 8 + 1, np.int64)[:64:8] = range(8)
    threads.share(tally, 50, 1e-6, tallies, 100_000, PerThread("tally", 8, np.int64))
    assert (tallies[:, 0] == 1).all()


def test_an_error_before_the_work_begins_leaves_threads_fit_for_more(eager):
    cpu.set_threads(2)
    with pytest.raises(MemoryError):
        threads.share(tally, 4, 1.0, np.zeros(32, np.int64), 1, PerThread("tally", 1 << 44, np.int64))
    assert (tallies_of(20).sum(axis=1) == 1).all()


@Tasks
def describe(number, words, empty, singles, flag, half, g, own, out):
    """Everything that a task can be given, as numbers."""
    own[0] = number
    row = out[8 * number : 8 * number + 8]
    row[0], row[1], row[2], row[3] = words.sum(), empty.size, singles[1], flag
    row[4], row[5], row[6], row[7] = half * 2, g.K, own[0], own.size


def test_arguments_of_every_kind_arrive(eager):
    cpu.set_threads(2)
    g = geometry(2, (5, 3, 3, 2, 1, 1, 1), (5, 3, 3, 2, 1, 1, 1), 6, 7, 1)
    out = np.zeros((3, 8))
    words, singles = np.arange(4, dtype=np.int64).reshape(2, 2), np.array([1, 2.5], np.float32)
    own = PerThread("own", 5, np.float64)
    threads.share(describe, 3, 1.0, words, np.empty(0, np.float32), singles, True, np.float32(0.5), g, own, out)
    np.testing.assert_array_equal(out, [[6, 0, 2.5, 1, 1, 7, number, 8] for number in range(3)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own(eager):
    cpu.set_threads(2)
    expected = bits(everything())
    child = os.fork()
    if child == 0:
        os._exit(0 if bits(everything()) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(("setting", "count"), [("3", 3), ("0", 1), ("", None), ("many", None)])
def test_the_environment_sets_the_number_of_threads(monkeypatch, setting, count):
    monkeypatch.setenv("MINIGAN_THREADS", setting)
    assert threads._from_environment() == (count or threads.available_cores())


def test_there_is_always_a_calling_thread():
    with pytest.raises(ValueError, match="at least 1"):
        cpu.set_threads(0)


def test_scratch_is_kept_grows_and_belongs_to_its_thread():
    first = threads.scratch("test", 100, np.float32)
    assert first.ctypes.data % 64 == 0
    assert np.shares_memory(first, threads.scratch("test", 50, np.float64))
    assert threads.scratch("test", 1000, np.float64).size == 1000
    others = []
    thread = threading.Thread(target=lambda: others.append(threads.scratch("test", 10, np.float32)))
    thread.start()
    thread.join()
    assert not np.shares_memory(others[0], threads.scratch("test", 10, np.float32))
