"""The device sim does what CUDA does, and says so where a kernel does what none may."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sanitized import run_under

from minigan.kernels.cuda import RaceWarning, SimArray, Simulator, SimulatorError
from minigan.kernels.cuda.launch import passed
from minigan.kernels.geometry import ConvGeometry

KERNELS = """
#include "common.h"

constexpr int SIZE = 256;
constexpr unsigned ALL = 0xffffffff;

KERNEL void reversed(const real *x, real *y) {
    SHARED real values[SIZE];
    values[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

KERNEL void reversed_without_barrier(const real *x, real *y) {
    SHARED real values[SIZE];
    values[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

// The sum of x up to each thread: many rounds, each of which reads what the one before has written.
KERNEL void running_sums(const real *x, real *y) {
    SHARED real values[2][SIZE];
    int now = 0, t = threadIdx.x;
    values[0][t] = x[t];
    for (int by = 1; by < blockDim.x; by *= 2) {
        __syncthreads();
        values[1 - now][t] = values[now][t] + (t < by ? 0 : values[now][t - by]);
        now = 1 - now;
    }
    y[t] = values[now][t];
}

KERNEL void shuffled(const wide *x, wide *any, wide *crossed, wide *down, wide source, wide by) {
    int t = threadIdx.x;
    any[t] = __shfl_sync(ALL, x[t], source);
    crossed[t] = __shfl_xor_sync(ALL, x[t], by);
    down[t] = __shfl_down_sync(ALL, x[t], by);
}

KERNEL void shuffled_halves(const real *x, int *small, real *y) {
    y[threadIdx.x] = __shfl_xor_sync(ALL, x[threadIdx.x], 1);
    small[threadIdx.x] = __shfl_down_sync(ALL, int(threadIdx.x), 1);
}

// A warp's numbers, reversed through shared memory with a barrier of the warp alone.
KERNEL void reversed_in_warps(const real *x, real *y) {
    SHARED real values[SIZE];
    values[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    y[threadIdx.x] = values[threadIdx.x ^ 31];
}

// The same across warps, which that barrier does not order.
KERNEL void reversed_across_warps(const real *x, real *y) {
    SHARED real values[SIZE];
    values[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    y[threadIdx.x] = values[threadIdx.x ^ 63];
}

KERNEL void reads_shared_memory_first(real *y, int *z) {
    SHARED real values[SIZE];
    SHARED int integers[SIZE];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = values[threadIdx.x];
    z[i] = integers[threadIdx.x];
    values[threadIdx.x] = integers[threadIdx.x] = 7;
    __syncthreads();
}

KERNEL void returns_early(real *x, wide n) {
    if (threadIdx.x >= n) return;
    __syncthreads();
    x[threadIdx.x] = 1;
}

KERNEL void parts_at_a_barrier(real *x) {
    if (threadIdx.x < 3)
        __syncthreads();
    else
        __syncthreads();
    x[threadIdx.x] = 1;
}

KERNEL void half_a_warp_shuffles(real *x) {
    if (threadIdx.x % 32 < 16) x[threadIdx.x] = __shfl_xor_sync(ALL, x[threadIdx.x], 1);
    __syncthreads();
}

// Which thread is the how many-th: a race on a GPU, one after the other here.
KERNEL void who(wide *next, wide *order) {
    wide block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    wide thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    order[next[0]++] = block * (blockDim.x * blockDim.y * blockDim.z) + thread;
}

KERNEL void values(real *x, wide n, real number, ConvGeometry g) {
    x[0] = n / 1000000000;
    x[1] = number;
    x[2] = g.N * 100 + g.G;
}

KERNEL void next_element(const real *x, real *y, wide by) { y[threadIdx.x] = x[threadIdx.x + by]; }
KERNEL void to_next_element(const real *x, real *y, wide by) { y[threadIdx.x + by] = x[threadIdx.x]; }

// As a function of a file by itself: it does not know how large what it writes to is.
__attribute__((noinline)) static __device__ void put(real *at, real value) { *at = value; }

KERNEL void past_shared_memory(real *x, wide by) {
    SHARED real values[SIZE];
    put(values + threadIdx.x + by, 1);
    __syncthreads();
    x[threadIdx.x] = values[threadIdx.x];
}

// Each block adds to all of x.
KERNEL void adds(real *x) { x[threadIdx.x] += 1; }

KERNEL void where_blocks_are(real *x) { x[blockIdx.x] = gridDim.x; }

KERNEL void in_ints(real *x, wide operation, wide a_, wide b_) {
    int a = a_, b = b_;
    x[0] = operation == '+' ? a + b : operation == '-' ? a - b : operation == '*' ? a * b : -a;
}
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("cuda") / "kernels.cu"
    path.write_text(KERNELS)
    return path


@pytest.fixture(scope="module")
def launch(source):
    """A function that runs a kernel of KERNELS."""

    def run(kernel, blocks, threads, /, *arguments, seed=0, real=np.float32, **settings):
        blocks, threads = ((n,) if isinstance(n, int) else n for n in (blocks, threads))
        values = [passed(argument, np.dtype(real), SimArray) for argument in arguments]
        name = {np.float32: "float", np.float64: "double"}[real]
        Simulator(seed, **settings).run(str(source), kernel, name, blocks, threads, values)

    return run


def array(values, dtype=np.float32):
    return np.array(values, dtype).view(SimArray)


def plain(*arrays):
    return [np.asarray(a) for a in arrays]


SEEDS = range(6)


@pytest.mark.parametrize("threads", [1, 32, 77, 256])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_barrier_puts_what_is_before_it_before_what_is_after_it(launch, threads, seed):
    x, y = array(np.arange(threads)), array(np.zeros(threads))
    launch("reversed", 1, threads, x, y, seed=seed)
    np.testing.assert_array_equal(*plain(y, x[::-1]))
    launch("running_sums", 1, threads, x, y, seed=seed)
    np.testing.assert_array_equal(*plain(y, array(np.cumsum(np.arange(threads)))))


def test_without_the_barrier_the_result_is_wrong(launch):
    x, wrong = array(np.arange(256)), 0
    for seed in SEEDS:
        y = array(np.zeros(256))
        with pytest.warns(RaceWarning, match=r"race on values\[\d+\].*kernels\.cu:\d+.*kernels\.cu:\d+; no barrier"):
            launch("reversed_without_barrier", 1, 256, x, y, seed=seed)
        wrong += y.tolist() != x[::-1].tolist()
    assert wrong == len(SEEDS)


@pytest.mark.parametrize("threads", [1, 18, 32, 50, 64])
@pytest.mark.parametrize("seed", SEEDS)
def test_shuffles(launch, threads, seed):
    """Defined is what comes from a lane that is there; beyond the warp, `down` leaves each its own."""
    x = array(np.arange(threads) * 10**12 + 1, np.int64)
    t = np.arange(threads)
    warp, lane = t // 32 * 32, t % 32
    for source, by in [(0, 1), (5, 2), (31, 16), (37, 31), (1, 8)]:
        results = [array(np.zeros(threads), np.int64) for _ in range(3)]
        launch("shuffled", 1, threads, x, *results, source, by, seed=seed)
        origins = warp + source % 32, warp + (lane ^ by), np.where(lane + by < 32, t + by, t)
        for result, origin in zip(results, origins, strict=True):
            there = origin < threads
            np.testing.assert_array_equal(*plain(result[there], x[origin[there]]))


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_shuffles_of_other_types(launch, real):
    x = np.random.default_rng(0).standard_normal(64).astype(real)
    small, y = array(np.zeros(64), np.int32), array(np.zeros(64), real)
    launch("shuffled_halves", 1, 64, array(x, real), small, y, seed=1, real=real)
    np.testing.assert_array_equal(np.asarray(y), x.reshape(32, 2)[:, ::-1].ravel())
    np.testing.assert_array_equal(np.asarray(small), [i if i % 32 == 31 else i + 1 for i in range(64)])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_barrier_of_a_warp(launch, seed):
    x, y = array(np.arange(96)), array(np.zeros(96))
    launch("reversed_in_warps", 1, 96, x, y, seed=seed)
    np.testing.assert_array_equal(np.asarray(y), np.arange(96).reshape(3, 32)[:, ::-1].ravel())


def test_shared_memory_begins_as_nan_in_every_block(launch):
    for _ in range(2):
        y, z = array(np.zeros(3 * 40)), array(np.zeros(3 * 40), np.int32)
        launch("reads_shared_memory_first", 3, 40, y, z, seed=2)
        assert np.isnan(np.asarray(y)).all()
        np.testing.assert_array_equal(np.asarray(z), -1)


def test_a_thread_that_returns_before_a_barrier_is_an_error(launch):
    with pytest.raises(
        SimulatorError, match=r"returns_early: block \(0, 0, 0\), thread \(6, 0, 0\): waits at a __sync"
    ):
        launch("returns_early", 1, 40, array(np.zeros(40)), 7)
    x = array(np.zeros(40))
    launch("returns_early", 1, 40, x, 40)
    assert x.tolist() == [1] * 40


def test_threads_at_different_barriers_are_an_error(launch):
    told = set()
    for seed in SEEDS:
        with pytest.raises(SimulatorError, match=r"parts_at_a_barrier: .* waits at another __syncthreads") as error:
            launch("parts_at_a_barrier", 2, 8, array(np.zeros(8)), seed=seed)
        told.update(re.findall(r"block \(., ., .\), thread \(., ., .\)", str(error.value)))
    assert told == {"block (0, 0, 0), thread (3, 0, 0)", "block (1, 0, 0), thread (3, 0, 0)"}  # of the first that ran


def test_a_shuffle_without_half_of_the_warp_is_an_error_and_leaves_the_device_usable(launch):
    for seed in SEEDS:
        with pytest.raises(SimulatorError, match=r"half_a_warp_shuffles: block \(., 0, 0\), thread \(.*lanes"):
            launch("half_a_warp_shuffles", 2, 64, array(np.zeros(64)), seed=seed)
        x, y = array(np.arange(64)), array(np.zeros(64))
        launch("reversed", 1, 64, x, y, seed=seed)
        np.testing.assert_array_equal(*plain(y, x[::-1]))


@pytest.mark.parametrize("seed", [0, 1])
def test_chosen_blocks_of_a_grid_run_and_no_others(launch, seed):
    asked, x = [], array(np.zeros(7))

    def some(kernel, count):
        asked.append((kernel, count))
        return [6, 2]

    launch("where_blocks_are", 7, 1, x, seed=seed, blocks=some)
    assert asked == [("where_blocks_are", 7)]
    np.testing.assert_array_equal(np.asarray(x), [0, 0, 7, 0, 0, 0, 7])


@pytest.mark.parametrize(
    ("a", "operation", "b", "fits"),
    [
        (1 << 30, "+", 1 << 30, (1 << 30) - 1),
        (-1 << 30, "-", (1 << 30) + 1, 1 << 30),
        (1 << 16, "*", 1 << 15, (1 << 15) - 1),
        (-1 << 31, "negative", 0, None),
    ],
)
def test_an_integer_that_overflows_is_an_error_where_that_is_looked_for(launch, a, operation, b, fits):
    def run(a, b):
        launch("in_ints", 1, 1, array([0]), ord(operation[0]), a, b, sanitizer="overflow")

    run(a + 1 if fits is None else a, fits or 0)
    with pytest.raises(SimulatorError, match=r"in_ints: block .* an integer overflows at .*kernels\.cu:\d+:\d+$"):
        run(a, b)


@pytest.mark.parametrize(
    ("blocks", "threads"),
    [
        (1, 1025),
        (1, (32, 33)),
        (1, (1, 1, 65)),
        (0, 32),
        (1, 0),
        ((1, 65536), 1),
        ((1, 1, 65536), 1),
        (1 << 31, 1),
        (1 << 32 | 1, 1),
    ],
)
def test_what_a_gpu_cannot_launch_is_refused(launch, blocks, threads):
    with pytest.raises(SimulatorError, match=r"adds: a grid of .* cannot be launched"):
        launch("adds", blocks, threads, array(np.zeros(2000)))


def test_the_largest_block(launch):
    x = array(np.zeros(1024))
    launch("adds", 1, 1024, x)
    assert x.tolist() == [1] * 1024


@given(st.tuples(*[st.integers(1, 3)] * 3), st.tuples(*[st.integers(1, 4)] * 3), st.sampled_from(SEEDS))
def test_each_thread_of_each_block_runs_once(launch, blocks, threads, seed):
    total = int(np.prod(blocks) * np.prod(threads))
    order = array(np.full(total, -1), np.int64)
    launch("who", blocks, threads, array([0], np.int64), order, seed=seed)
    assert sorted(order.tolist()) == list(range(total))
    if seed == 0:
        assert order.tolist() == list(range(total))


def test_a_seed_gives_an_order_of_threads_and_of_blocks(launch):
    orders = []
    for seed in (1, 1, 2, 3):
        order = array(np.zeros(4 * 32), np.int64)
        launch("who", 4, 32, array([0], np.int64), order, seed=seed)
        orders.append(order.tolist())
    assert orders[0] == orders[1]
    assert len(set(map(tuple, orders))) == 3
    assert any([t // 32 for t in order[::32]] != [0, 1, 2, 3] for order in orders)
    assert all(order[:32] != sorted(order[:32]) for order in orders)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_arguments_arrive_as_they_are(launch, real):
    x, g = array(np.zeros(3), real), ConvGeometry(*range(5, 23))
    launch("values", 1, 1, x, 7_000_000_000, 0.1, g, real=real)
    assert x.tolist() == [7, real(0.1), 522]


def test_a_kernel_that_does_not_compile_shows_the_words_of_the_compiler(tmp_path):
    file = tmp_path / "wrong.cu"
    file.write_text('#include "common.h"\nKERNEL void wrong(real *x) { x[0] = unheard_of; }\n')
    with pytest.raises(SimulatorError, match=r"wrong\.cu does not compile:\n(.|\n)*wrong\.cu:2:.*unheard_of"):
        Simulator().run(str(file), "wrong", "float", (1,), (1,), [array([0])])


# Kernels under a sanitizer, each in a child of one process, as that takes long to start: its name, blocks, threads and
# arguments, of a list an array of its own size, or a number
PROGRAM = """
import json, os, sys
import numpy as np
from minigan.kernels.cuda import SimArray, Simulator

source, sanitizer, cases = sys.argv[1:]
simulator = Simulator(3, sanitizer)
simulator.run(source, "adds", "float", (1,), (1,), [np.zeros(1, np.float32).view(SimArray)])  # compiled once
for kernel, blocks, threads, arguments in json.loads(cases):
    print("NEXT", file=sys.stderr, flush=True)
    child = os.fork()
    if child == 0:
        values = [np.int64(a[1:]) if isinstance(a, str) else np.arange(a, dtype=np.float32) for a in arguments]
        values = [value.view(SimArray) if value.ndim else value for value in values]
        simulator.run(source, kernel, "float", (blocks,), (threads,), values)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
OUTSIDE = [
    ("next_element", 1, 8, (8, 8, "n0"), None),
    ("next_element", 1, 8, (8, 8, "n1"), "heap-buffer-overflow(.|\n)*READ of size 4"),
    ("next_element", 1, 8, (8, 8, "n-1"), "heap-buffer-overflow(.|\n)*READ of size 4"),
    ("to_next_element", 1, 8, (8, 8, "n1"), "heap-buffer-overflow(.|\n)*WRITE of size 4"),
    ("past_shared_memory", 1, 8, (8, "n248"), None),
    ("past_shared_memory", 1, 8, (8, "n249"), "global-buffer-overflow(.|\n)*WRITE of size 4"),
    ("reversed", 1, 8, (8, 8), None),
    ("running_sums", 1, 8, (8, 8), None),
]
NOT_ORDERED = [
    ("reversed", 1, 64, (64, 64), None),
    ("running_sums", 1, 64, (64, 64), None),
    ("reversed_in_warps", 1, 64, (64, 64), None),
    ("reversed_across_warps", 1, 64, (64, 64), "data race"),
    ("reversed_without_barrier", 1, 64, (64, 64), "data race"),
    ("adds", 1, 64, (64,), None),
    ("adds", 2, 64, (64,), "data race"),
    ("past_shared_memory", 3, 64, (64, "n0"), "data race"),  # of x: its shared memory is each block's own
]


@pytest.mark.slow
@pytest.mark.parametrize(("sanitizer", "cases"), [("address", OUTSIDE), ("thread", NOT_ORDERED)])
def test_a_sanitizer_sees_what_is_outside_a_buffer_or_what_nothing_orders(source, sanitizer, cases):
    done = run_under(sanitizer, PROGRAM, source, sanitizer, json.dumps([case[:-1] for case in cases]))
    reports = done.stderr.split("NEXT\n")[1:]
    assert done.returncode == 0, done.stderr
    for (kernel, *_, report), code, found in zip(cases, done.stdout.split(), reports, strict=True):
        if report is None:
            assert (code, found) == ("0", ""), kernel
        else:
            assert code != "0", kernel
            assert re.search(report, found), found
            assert re.search(rf" {kernel}\b.*kernels\.cu:\d+", found), found
