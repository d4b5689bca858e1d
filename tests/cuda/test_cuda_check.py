"""`check` runs a kernel in a process of its own and names what is wrong, with the lines that it is about."""

import contextlib
import io
import re
import subprocess
import types
from pathlib import Path

import numpy as np
import pytest

from minigan.errors import DtypeError, UnknownNameError
from minigan.kernels.cuda import SimArray, check
from minigan.kernels.cuda.sim import checking

pytestmark = pytest.mark.slow  # the simulator itself

CASES = r"""
#define N 64
__device__ float counter;
__device__ unsigned tickets[2], lock;
__constant__ float table[2] = {1, 2};
__constant__ const float fixed[2] = {3, 4};
struct Complex { double real, imaginary; };
__global__ void fine_vectors(const float *x, float *y, int n) {
    extern __shared__ float s[];
    float mine[4] = {table[0], fixed[n]};
    float4 four = reinterpret_cast<const float4 *>(x)[threadIdx.x % 16];
    float3 three = reinterpret_cast<const float3 *>(x)[n];
    Complex c = *reinterpret_cast<const Complex *>(x + 2);
    y[threadIdx.x] = mine[threadIdx.x % 4] + four.w + three.z + float(c.real);
}
__global__ void fine_halves_of_a_warp(const float *x, float *y, int n) {
    __shared__ struct { char of; float value; } s[N];
    __shared__ unsigned taken;
    atomicExch(&taken, 0);
    atomicAdd(tickets + threadIdx.x % 2, 1);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x].value = x[threadIdx.x] + i;
        if (threadIdx.x % 32 < 16) __syncwarp(0xffff); else __syncwarp(0xffff0000);
        auto other = s[threadIdx.x ^ 15];
        y[threadIdx.x] += other.value;
        __syncwarp(threadIdx.x % 32 < 16 ? 0xffff : 0xffff0000);
    }
}
__global__ void fine(const float *x, float *y, int n) {
    __shared__ float s[N];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[N - 1 - threadIdx.x];
}
__global__ void fine_copy(const float *x, float *y, int n) {
    y[threadIdx.x] = x[threadIdx.x];
}
__global__ void fine_lock(const float *x, float *y, int n) {
    for (bool waits = true; waits;) {
        if (atomicCAS(&lock, 0, 1) == 0) {
            y[0] += x[threadIdx.x];
            __threadfence();
            atomicExch(&lock, 0);
            waits = false;
        }
    }
}
__global__ void race_of_a_lock_that_does_not_fence(const float *x, float *y, int n) {
    for (bool waits = true; waits;) {
        if (atomicCAS(&lock, 0, 1) == 0) {
            y[0] += x[threadIdx.x];  // MARK y[0]
            atomicExch(&lock, 0);
            waits = false;
        }
    }
}
__global__ void race_of_neighbours(const float *x, float *y, int n) {
    __shared__ float s[N];
    s[threadIdx.x] = x[threadIdx.x];  // MARK
    y[threadIdx.x] = threadIdx.x ? s[threadIdx.x - 1] : 0;  // MARK
}
template <class T, int M> __device__ T turned(T mine) {
    __shared__ T s[M];
    s[threadIdx.x] = mine;  // TEMPLATE
    return s[M - 1 - threadIdx.x];  // TEMPLATE
}
__global__ void race_of_templates(const float *x, float *y, int n) {
    y[threadIdx.x] = turned<float, N>(x[threadIdx.x]);
}
__global__ void race_of_tiles(const float *x, float *y, int n) {
    __shared__ float s[N];
    float sum = 0;
    for (int i = 0; i < 2; i++) {
        s[threadIdx.x] = x[threadIdx.x];  // MARK
        __syncthreads();
        sum += s[N - 1 - threadIdx.x];  // MARK
    }
    y[threadIdx.x] = sum;
}
__global__ void race_of_a_warp(const float *x, float *y, int n) {
    __shared__ float s[N];
    s[threadIdx.x] = x[threadIdx.x];  // MARK
    __syncwarp();
    y[threadIdx.x] = s[threadIdx.x ^ 32];  // MARK
}
__global__ void race_of_blocks(const float *x, float *y, int n) {
    y[threadIdx.x] += x[threadIdx.x];  // MARK
}
__global__ void race_in_an_array(const float *x, float *y, int n) {
    y[threadIdx.x] = x[threadIdx.x];  // MARK
    if (threadIdx.x == 5) y[0] = y[40] * 2;  // MARK
}
__global__ void race_on_a_variable(const float *x, float *y, int n) {
    counter += threadIdx.x;  // MARK counter[0]
}
__global__ void race_of_half_a_warp(const float *x, float *y, int n) {
    __shared__ float s[N];
    s[threadIdx.x] = x[threadIdx.x];  // MARK
    if (threadIdx.x % 32 < 16) __syncwarp(0xffff);
    y[threadIdx.x] = s[threadIdx.x ^ 16];  // MARK
}
__global__ void race_with_an_atomic(const float *x, float *y, int n) {
    atomicAdd(&y[0], x[threadIdx.x]);  // MARK
    if (threadIdx.x == 0) y[1] = y[0];  // MARK
}
__global__ void bounds_of_reads(const float *x, float *y, int n) {
    y[threadIdx.x] = x[threadIdx.x + 1];  // MARK x[64] 64
}
__global__ void bounds_of_writes(const float *x, float *y, int n) {
    y[int(threadIdx.x) - 1] = x[threadIdx.x];  // MARK y[-1] 64
}
__global__ void bounds_of_shared_memory(const float *x, float *y, int n) {
    __shared__ float s[N];
    s[threadIdx.x + n] = x[threadIdx.x];  // MARK index 64 float [64]
}
__global__ void bounds_of_a_local_array(const float *x, float *y, int n) {
    float mine[4] = {};
    float *p = mine;
    p[threadIdx.x] = x[threadIdx.x];  // MARK float
    y[threadIdx.x] = mine[0] + p[1];
}
__global__ void bounds_of_a_variable(const float *x, float *y, int n) {
    float *p = &counter;
    y[threadIdx.x] = p[n];  // MARK float
}
__global__ void alignment_of_reads(const float *x, float *y, int n) {
    float4 four = *reinterpret_cast<const float4 *>(x + n);  // MARK float4 16
    y[threadIdx.x] = four.x;
}
__global__ void alignment_of_writes(const float *x, float *y, int n) {
    *reinterpret_cast<double *>(y + n) = x[0];  // MARK double 8
}
__global__ void alignment_in_shared_memory(const float *x, float *y, int n) {
    __shared__ float s[N];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = reinterpret_cast<float2 *>(s + n)->y;  // MARK float2 8
}
__global__ void constant_that_is_written(const float *x, float *y, int n) {
    table[n] = x[threadIdx.x];  // MARK table[1]
}
__global__ void constant_that_is_added_to(const float *x, float *y, int n) {
    atomicAdd(table + n, x[threadIdx.x]);  // MARK table[1]
}
__global__ void uninitialised_tile(const float *x, float *y, int n) {
    __shared__ float s[N];
    if (threadIdx.x < 32) s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x];  // MARK s[32]
}
__global__ void uninitialised_counts(const float *x, float *y, int n) {
    __shared__ int counts[4];
    atomicAdd(&counts[threadIdx.x % 4], 1);  // MARK counts[0]
}
__global__ void uninitialised_lane(const float *x, float *y, int n) {
    if (threadIdx.x >= 20) return;
    y[threadIdx.x] = __shfl_down_sync(0xffffffff, x[threadIdx.x], 4);  // MARK lane 20
}
__global__ void barrier_that_some_skip(const float *x, float *y, int n) {
    if (threadIdx.x >= 32) return;
    __syncthreads();  // MARK 32 of 64
    y[threadIdx.x] = x[threadIdx.x];
}
__global__ void barrier_of_two_branches(const float *x, float *y, int n) {
    if (threadIdx.x < 32) {
        __syncthreads();  // MARK
    } else {
        __syncthreads();  // MARK
    }
}
__global__ void barrier_of_half_a_warp(const float *x, float *y, int n) {
    if (threadIdx.x % 32 < 16) y[threadIdx.x] = __shfl_xor_sync(0xffffffff, x[threadIdx.x], 1);  // MARK
    __syncthreads();  // MARK
}
__global__ void barrier_outside_its_mask(const float *x, float *y, int n) {
    y[threadIdx.x] = __shfl_xor_sync(0xffff, x[threadIdx.x], 1);  // MARK
}
__global__ void fault_of_arithmetic(const float *x, float *y, int n) {
    y[threadIdx.x] = n / (n - 1);  // MARK
}
__global__ void fault_of_a_shift(const float *x, float *y, int n) {
    y[threadIdx.x] = 1u << 32 * n;  // MARK unsigned int
}
__global__ void fault_of_a_conversion(const float *x, float *y, int n) {
    y[threadIdx.x] = static_cast<unsigned char>(x[threadIdx.x] * 5);  // MARK float unsigned char
}
__global__ void assertion(const float *x, float *y, int n) {
    printf("%d\n", threadIdx.x);
    if (threadIdx.x == 9) __trap();
}
__global__ void timeout(const float *x, float *y, int n) {
    while (((volatile float *)y)[0] == 0) {}
}
"""
KERNELS = re.findall(r"__global__ void (\w+)", CASES)
BLOCKS = {"race_of_blocks": 2, "fine_lock": 2, "race_of_a_lock_that_does_not_fence": 2}
OF_THEIR_OWN = ("fine", "timeout", "fault_of_arithmetic")  # a process each


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("checked") / "cases.cu"
    path.write_text(CASES)
    return path


@pytest.fixture
def here(monkeypatch):
    """Let what a process of its own would run run in this one, which takes a tenth of the time."""

    def run(command, **settings):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(command[-1], {})
        return subprocess.CompletedProcess(command, 0, printed.getvalue(), "")

    monkeypatch.setattr(checking, "subprocess", types.SimpleNamespace(run=run))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_verdict_names_what_is_wrong_and_where(source, kernel, request):
    if kernel not in OF_THEIR_OWN:
        request.getfixturevalue("here")
    x, y = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    seconds = 5 if kernel == "timeout" else 60
    verdict = check(source, kernel, BLOCKS.get(kernel, 1), 64, x, y, 1, seconds=seconds)
    assert not y.any(), "the arrays that it is given stay as they are"
    assert verdict.ok == bool(verdict) == kernel.startswith("fine"), verdict
    if verdict:
        assert str(verdict).startswith(f"{kernel}: no race")
        return
    body = CASES[CASES.index(f"void {kernel}(") :].partition("__global__")[0]
    first = CASES[: CASES.index(f"void {kernel}(")].count("\n") + 1
    marks = {first + i: line for i, line in enumerate(body.splitlines()) if "MARK" in line}
    if kernel == "race_of_templates":
        marks = {i: line for i, line in enumerate(CASES.splitlines(), 1) if "TEMPLATE" in line}
    assert verdict.kind == kernel.partition("_")[0], verdict
    assert sorted(verdict.lines) == sorted(marks), verdict
    for number, line in marks.items():
        assert f"cases.cu:{number}: {line.strip()}" in str(verdict)
        for word in line.partition("MARK")[2].split():
            assert word in verdict.text
    if kernel == "assertion":
        assert verdict.printed == "".join(f"{i}\n" for i in range(10))


def test_what_does_not_compile_and_what_is_not_taken(source, tmp_path):
    x = np.zeros(4, np.float32)
    broken = tmp_path / "broken.cu"
    broken.write_text("__global__ void broken(float *x) {\n    x[0] = nothing;\n}\n")
    verdict = check(broken, "broken", 1, 1, x)
    assert (verdict.ok, verdict.kind, verdict.lines) == (False, "compile", (2,))
    with pytest.raises(DtypeError, match="argument 1, const float"):
        check(source, "fine", 1, 1, x.astype(int), x, 1)
    with pytest.raises(UnknownNameError, match="fime"):
        check(str(source), "fime", 1, 1)


def test_arrays_that_share_memory_are_checked_as_such(source, here):
    memory = np.arange(100, dtype=np.float32)
    begin = -memory.ctypes.data // 4 % 4  # where it is aligned
    x = memory[begin : begin + 64]
    for y, kind in ((x[:], ""), (memory[begin + 2 :], "race"), (memory[begin + 2 :].copy(), "")):
        assert check(source, "fine_copy", 1, 64, x, y, 1).kind == kind
        assert check(source, "fine_copy", 1, 30, memory[40:].view(SimArray), y[:30].view(SimArray), 1)
    for by, kind in ((0, ""), (1, "alignment"), (4, "")):
        assert check(source, "alignment_of_reads", 1, 1, memory[begin + by :], np.zeros(1, np.float32), 0).kind == kind
    np.testing.assert_array_equal(memory, np.arange(100))


def test_the_kernels_of_this_package_can_be_checked_too(here):
    x = np.arange(300, dtype=np.float32)
    for size, ok in ((300, True), (301, False)):
        verdict = check("activation.cu", "leaky_relu", 2, 256, x, np.zeros_like(x), 0.5, size)
        assert verdict.ok == ok, verdict
    assert "x[300]" in str(verdict) or "y[300]" in str(verdict)
    assert Path("activation.cu").name in verdict.text
