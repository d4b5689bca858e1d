"""What a kernel must not do shows at once on the device sim, with its lines, and the process goes on."""

import os
import signal
import subprocess
import threading
import time
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.kernels.cuda import RaceWarning, SimArray, Simulator, SimulatorError
from minigan.kernels.cuda.sim.building import FILLED, compiler, knows

pytestmark = pytest.mark.slow  # the simulator itself

SOURCE = r"""
#include <assert.h>
#include <stdio.h>
#define N 8
__device__ float table[N];

__global__ void reads(const float *x, float *y, long long at) { y[0] = x[at]; }
__global__ void writes(float *x, const float *unused, long long at) { x[at] = 1; }
__global__ void adds(float *x, const float *unused, long long at) { atomicAdd(x + at, 1); }
__global__ void unsigned_reads(const float *x, float *y) { y[0] = x[threadIdx.x - 1]; }
__global__ void shared_writes(float *y, int at) { __shared__ float s[N]; float *p = s; p[at] = 1; y[0] = s[0]; }
__global__ void shared_index(float *y, int at) { __shared__ float s[N][4]; s[1][at] = 1; y[0] = s[0][0]; }
__global__ void given_writes(float *y, int at) { extern __shared__ float s[]; s[at] = 1; y[0] = s[0]; }
__global__ void local_index(float *y, int at) { float s[N] = {}; s[at] = 1; y[0] = s[0] + s[N - 1]; }
__global__ void device_index(float *y, int at) { table[at] = 1; y[0] = table[0]; }
__global__ void through_null(float *y) { float *p = y; if (y[0] == 0) p = nullptr; *p = 1; }
__global__ void divides(int *y, int by) { y[0] = 1 / by; }
__global__ void divides_smallest(int *y, int by) { y[0] = y[0] / by; }
__global__ void takes_remainder(int *y, int by) { y[0] = 1 % by; }
__global__ void forgets_zero(float *x, int n) { float sum; for (int i = 0; i < n; i++) sum += 1; x[threadIdx.x] = sum; }
__global__ void asserts(float *x, int n) { assert(threadIdx.x < n); x[threadIdx.x] = 1; }
__global__ void traps(float *x) { if (x[0] == 0) __trap(); }
__device__ float deep(float *x, int n) { volatile float room[4000]; room[n] = x[0]; return deep(x, n + 1) + room[n]; }
__global__ void recurses(float *x) { x[0] = deep(x, 0); }
__global__ void reads_often(volatile int *x, int n) { for (int i = 0; i < n; i++) x[0]; }
__global__ void forever(volatile int *x) { while (x[0] == 0) {} }
__global__ void computes_forever(int *x) { unsigned i = 1; while (i) { i = i * 3; } x[0] = i; }
__global__ void hands_over(volatile int *x) {
    if (threadIdx.x == 0) { while (x[0] == 0) {} } else { x[0] = 1; }
}
__global__ void prints(int n) { if (threadIdx.x < n) printf("%d of %s: %.1f\n", threadIdx.x, "é", 0.5); }
__global__ void prints_and_fails(float *x) { printf("before\n"); x[1000] = 1; }
__global__ void fine(float *x) { x[threadIdx.x] = threadIdx.x; }
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("watched") / "wrong.cu"
    path.write_text(SOURCE)
    return str(path)


@pytest.fixture(scope="module")
def run(source):
    def run(kernel, threads, /, *arguments, blocks=1, seed=0, **settings):
        Simulator(seed).run(source, kernel, "float", blocks, threads, list(arguments), **settings)

    return run


def device(values, dtype=np.float32):
    return np.array(values, dtype).view(SimArray)


def line_of(words, source=SOURCE):
    (found,) = [number for number, line in enumerate(source.splitlines(), 1) if words in line]
    return found


def refused(kernel, words):
    """The simulator says what was wrong in which thread, and in which line."""
    return pytest.raises(
        SimulatorError, match=rf"^{kernel}: block \(.*\), thread \(.*\): .*{words}.*:{line_of(f' {kernel}(')}\b"
    )


@pytest.mark.parametrize("kernel", ["reads", "writes", "adds"])
@given(data=st.data())
def test_what_is_outside_an_array_is_not_touched(run, kernel, data):
    """Views lie in the middle of others, and the two arrays beside each other: nothing else has changed."""
    size, first = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 9))
    at = data.draw(st.integers(-60, 100) | st.sampled_from([-(10**7), 10**7, 1 << 40, -(1 << 61)]))
    memory = device(np.arange(200))
    x, y = memory[first : first + size], memory[150:151]
    before = np.array(memory)
    if 0 <= at < size:
        run(kernel, 1, x, y, at)
        assert (np.asarray(memory) != before).sum() <= 1
    else:
        did = "reads" if kernel == "reads" else "writes"
        where = rf"x\[{at}\], out of bounds: it has {size} elements" if abs(at) < 10**6 else ".*"
        with refused(kernel, f"{did} {where}, at wrong.cu"):
            run(kernel, 1, x, y, at)
        np.testing.assert_array_equal(np.asarray(memory), before)


def test_an_unsigned_index_below_zero_has_the_array_s_name(run):
    with refused("unsigned_reads", r"reads x\[4294967295\], out of bounds: it has 8 elements"):
        run("unsigned_reads", 4, device(np.ones(8)), device([0]))


@pytest.mark.parametrize(
    ("kernel", "at", "words"),
    [
        ("shared_writes", 8, r"writes s\[8\], out of bounds of shared memory"),
        ("shared_writes", -1, "writes .*, out of bounds of shared memory"),
        ("shared_writes", 5000, "writes .*, out of bounds of shared memory"),
        ("shared_index", 4, r"index 4 is out of bounds for type 'float \[4\]'"),
        ("shared_index", -1, "index -1 is out of bounds"),
        (
            "given_writes",
            8,
            r"writes byte 32 of the extern __shared__ array, and the launch gives it 32 bytes \(shared=\)",
        ),
        ("given_writes", -1, "writes byte -4 of the extern"),
        ("local_index", 8, "index 8 is out of bounds"),
        ("device_index", 8, "index 8 is out of bounds"),
    ],
)
def test_bounds_of_memory_that_is_no_argument(run, kernel, at, words):
    shared = 32 if kernel == "given_writes" else 0
    with refused(kernel, words):
        run(kernel, 1, device([0]), at, shared=shared)
    run(kernel, 1, device([0]), 3, shared=shared)


@pytest.mark.parametrize(
    ("kernel", "arguments", "words"),
    [
        ("through_null", [device([0])], "writes a null pointer"),
        ("divides", [device([0], np.int32), 0], "divides an integer by zero"),
        ("takes_remainder", [device([0], np.int32), 0], "divides an integer by zero"),
        ("divides_smallest", [device([-(1 << 31)], np.int32), -1], "or the smallest one by -1"),
        ("asserts", [device([0, 0]), 1], "assertion `threadIdx.x < n` failed"),
    ],
)
def test_faults(run, kernel, arguments, words):
    with refused(kernel, words):
        run(kernel, 2, *arguments)


@pytest.mark.skipif(not knows(compiler(), FILLED), reason="this compiler cannot fill local variables")
def test_a_local_variable_that_is_not_set_is_not_zero_by_chance(run):
    x = device([0])
    run("forgets_zero", 1, x, 3)
    assert not abs(x[0]) < 1e38  # what lies there by chance is smaller


def test_faults_without_a_line(run):
    with pytest.raises(SimulatorError, match=r"^traps: .*__trap\(\)"):
        run("traps", 1, device([0]))
    with pytest.raises(
        SimulatorError,
        match=rf"^recurses: .* more than the \d+ bytes of its stack, at wrong\.cu:{line_of('room[4000]')}",
    ):
        run("recurses", 1, device([1]))


def test_the_process_goes_on_after_any_of_these(run, source):
    """Also where nothing is watched: what the processor itself refuses."""
    for _ in range(3):
        for threads in (1, 64):
            with pytest.raises(SimulatorError):
                run("reads", threads, device([0]), device([0]), 1 << 40)
        x = device(np.zeros(64))
        run("fine", 64, x)
        assert x.tolist() == list(range(64))


def test_a_kernel_prints_where_python_does(run, capsys):
    print("one")
    run("prints", 3, 2)
    print("two")
    with pytest.raises(SimulatorError):
        run("prints_and_fails", 1, device([0]))
    assert capsys.readouterr().out == "one\n0 of é: 0.5\n1 of é: 0.5\ntwo\nbefore\n"


def test_threads_that_wait_for_others_without_a_barrier_get_there_in_the_end(run):
    x = device([0], np.int32)
    run("hands_over", 2, x)
    assert x[0] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_is_forked_while_a_kernel_runs_can_run_others(run):
    run("fine", 1, device([0]))  # compiled by now
    runs = threading.Thread(target=run, args=("reads_often", 1, device([0], np.int32), 60_000_000))
    runs.start()
    time.sleep(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, to fork beside other threads
        child = os.fork()
    if not child:
        signal.alarm(10)  # ends it by default
        run("fine", 1, device([0]))
        os._exit(0)
    assert runs.is_alive()
    assert os.waitpid(child, 0)[1] == 0
    runs.join()


def test_a_kernel_without_an_end_can_be_interrupted(run):
    """And until then Python's other threads go on."""
    run("fine", 1, device([0]))  # compiled by now
    stop = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    stop.start()
    with pytest.raises(KeyboardInterrupt):
        run("forever", 1, device([0], np.int32))
    run("fine", 1, device([0]))


def test_a_kernel_that_only_computes_can_be_interrupted_too(run):
    run("fine", 1, device([0]))  # compiled by now
    stop = ["sh", "-c", f"sleep 0.3; kill -INT {os.getpid()}"]
    with subprocess.Popen(stop), pytest.raises(KeyboardInterrupt):
        run("computes_forever", 1, device([0], np.int32))
    run("fine", 1, device([0]))


# ------------------------------------------------------------------------------------------ barriers

READS = ["s[(t + 1) % N]", "s[N - 1 - t]", "s[t ? t - 1 : 0]", "s[0]", "s[t ^ 32]"]
KERNEL = """
__global__ void read_NUMBER_without_WITHOUT(const float *x, float *y) {
    __shared__ float s[2 * N];
    int t = threadIdx.x;
    s[t] = x[t];
    BARRIER_0
    float mine = READ;
    BARRIER_1
    s[t] = mine;
    BARRIER_2
    y[t] = mine + READ;
}
"""


def of_reads(number, without):
    """A kernel that reads what others have written, twice; one of its barriers may be missing."""
    text = KERNEL.replace("READ", READS[number])
    for place in range(3):
        text = text.replace(f"BARRIER_{place}", "/* __syncthreads(); */" if place == without else "__syncthreads();")
    return text.replace("NUMBER", str(number)).replace("WITHOUT", str(without))


@pytest.fixture(scope="module")
def races(tmp_path_factory):
    path = tmp_path_factory.mktemp("races") / "races.cu"
    kernels = [of_reads(number, without) for number in range(len(READS)) for without in range(4)]
    path.write_text("#define N 64\n" + "".join(kernels))

    def run(number, without, seed):
        y = device(np.zeros(64))
        x = device(np.arange(1, 65))
        kernel = f"read_{number}_without_{without}"
        Simulator(seed).run(str(path), kernel, "float", 1, 64, [x, y])
        return np.asarray(y)

    return run


@pytest.mark.parametrize("number", range(len(READS)))
def test_a_missing_barrier_shows_in_every_run(races, number):
    """The words of a barrier in a comment are none. In order of threads, some of these would come out right."""
    t = np.arange(64)
    of = [(t + 1) % 64, 63 - t, np.maximum(t - 1, 0), 0 * t, t ^ 32][number]
    expected = np.arange(1, 65)[of] + np.arange(1, 65)[of][of]
    for seed in (0, 3):
        np.testing.assert_array_equal(races(number, 3, seed), expected)
        for without in range(3):
            race = rf"read_{number}_without_{without}: race on s\[\d+\]: .* at races\.cu:\d+.* at races\.cu:\d+; no bar"
            with pytest.warns(RaceWarning, match=race):
                first = races(number, without, seed)
            with pytest.warns(RaceWarning, match=race):
                second = races(number, without, seed)
            np.testing.assert_array_equal(first, second)
            if without == 0:
                assert np.isnan(first).any()


def test_the_same_value_may_be_written_by_many(tmp_path):
    path = tmp_path / "flag.cu"
    path.write_text("""
        __global__ void any(const int *x, int *y, int by) {
            __shared__ int found;
            found = 0;
            __syncthreads();
            if (x[threadIdx.x]) found = 1 + by * threadIdx.x;
            __syncthreads();
            y[threadIdx.x] = found;
        }""")
    x, y = device([0, 1, 0, 1], np.int32), device([0] * 4, np.int32)
    Simulator().run(str(path), "any", "float", 1, 4, [x, y, 0])
    assert y.tolist() == [1] * 4
    with pytest.warns(RaceWarning, match=r"race on found\[0\]: .* writes it at flag\.cu:6, .* writes it at flag\.cu:6"):
        Simulator().run(str(path), "any", "float", 1, 4, [x, y, 1])
