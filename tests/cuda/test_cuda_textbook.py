"""Kernels as textbooks write them compile on the device sim as they stand, and compute what NumPy does."""

from pathlib import Path

import numpy as np
import pytest

from minigan.kernels.cuda import SimArray, Simulator

pytestmark = pytest.mark.slow  # the simulator itself

TEXTBOOK = str(Path(__file__).parent / "textbook.cu")
SEEDS = pytest.mark.parametrize("seed", [0, 5])


def run(seed, kernel, blocks, threads, *arguments, shared=0):
    """Run a kernel and look for races everywhere; what is returned is the arrays that it was given, then."""
    given = [np.array(a).view(SimArray) if isinstance(a, np.ndarray) else a for a in arguments]
    Simulator(seed, all_races=True).run(TEXTBOOK, kernel, "float", blocks, threads, given, shared=shared)
    return [np.asarray(a) for a in given if isinstance(a, SimArray)]


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def near(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-5)


@SEEDS
def test_vectors(seed):
    a, b = normal(2, 100)
    *_, c = run(seed, "vecAdd", 4, 32, a, b, zeros(100), 100)
    near(c, a + b)
    _, y = run(seed, "saxpy", 2, 16, 100, 2.5, a, b)
    near(y, 2.5 * a + b)
    (data,) = run(seed, "scaleVectors", 1, 32, a, 3.0, 25)
    near(data, 3 * a)


@SEEDS
def test_products_of_matrices(seed):
    a, b = normal(11, 19), normal(19, 10)
    *_, c = run(seed, "matrixMultiply", (2, 2), (8, 8), a, b, zeros(11, 10), 11, 19, 10)
    near(c, a @ b)


@SEEDS
def test_transposes(seed):
    x = np.arange(7 * 9, dtype=np.int32).reshape(7, 9)
    y, _ = run(seed, "transpose<5,int>", (2, 2), (5, 5), zeros(9, 7, dtype=np.int32), x, 9, 7)
    np.testing.assert_array_equal(y, x.T)


@SEEDS
def test_histograms(seed):
    x = np.random.default_rng(0).integers(0, 10, 500).astype(np.uint8)
    _, bins = run(seed, "histogram", 3, 32, x, zeros(10, dtype=np.uint32), 500, 10, shared=40)
    np.testing.assert_array_equal(bins, np.bincount(x, minlength=10))


@SEEDS
def test_sums(seed):
    x, whole = normal(120), np.arange(1000, dtype=np.int32)
    _, parts = run(seed, "reduce", 2, 32, x, zeros(2), 120, shared=128)
    near(parts, [x[:64].sum(), x[64:].sum()])
    _, out = run(seed, "deviceReduce", 3, 64, whole, zeros(1, dtype=np.int32), 1000)
    assert out[0] == whole.sum()
    *_, total = run(seed, "sumByLastBlock", 4, 32, x, zeros(4), zeros(1), 120)
    near(total, [x.sum()])


@SEEDS
def test_scans_and_stencils(seed):
    x, weights = normal(64), np.array([0.5, -1, 2, 3, 2, -1, 0.5])
    y, _ = run(seed, "scan", 1, 64, zeros(64), x, 64, shared=2 * 64 * 4)
    near(y, np.concatenate([[0], np.cumsum(x)[:-1]]))
    _, out = run(seed, "stencil_1d", 2, 32, np.pad(x, 3), zeros(64))
    near(out, np.correlate(np.pad(x, 3), weights, "valid"))


@SEEDS
def test_rows(seed):
    x = normal(4, 50)
    _, y = run(seed, "softmaxRows", 2, (32, 2), x, zeros(4, 50), 50)
    exponentials = np.exp(x - x.max(1, keepdims=True))
    near(y, exponentials / exponentials.sum(1, keepdims=True))
    _, y = run(seed, "layerNorm", 4, 32, x, zeros(4, 50), 50, 1e-5, shared=200)
    near(y, (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5))


@SEEDS
def test_what_atomics_keep(seed):
    integers = np.random.default_rng(1).integers(-5, 6, 90).astype(np.int32)
    _, out, count = run(seed, "compact", 3, 32, integers, zeros(90, dtype=np.int32), zeros(1, dtype=np.int32), 90)
    assert sorted(out[: count[0]]) == sorted(integers[integers > 0])
    given = zeros(4, dtype=np.int32), np.full(6, 2**20 - 1, np.uint32), zeros(1), zeros(1, dtype="f8")
    ints, words, f, d = run(seed, "everyAtomic", 1, 20, *given)
    assert ints.tolist() == [190, -190, -19, 19]
    crossed = 2**20 - 1
    for t in range(20):
        crossed ^= 3 << t
    assert words.tolist() == [0, 2**20 - 1, crossed, 19 % 7, (6 - 19) % 7, 7]
    assert (f[0], d[0]) == (10, 5)


@SEEDS
def test_votes(seed):
    x = np.arange(-3, 61, dtype=np.int32)
    _, result = run(seed, "votes", 1, 64, x, zeros(64, 4, dtype=np.int32))
    lane = np.arange(64) % 32
    np.testing.assert_array_equal(result[:, 0], 60)
    np.testing.assert_array_equal(result[:, 1], 0)
    np.testing.assert_array_equal(result[:, 2], 1)
    warps = np.arange(64) // 32
    np.testing.assert_array_equal(result[:, 3], np.where(lane, np.arange(64) - 1, np.arange(64)) + 1 + 2 * warps)


def test_a_largest_number_by_compare_and_swap_reads_what_others_change():
    """The textbook's loop reads the number plainly before it swaps: right by the swap, and a race by the rules."""
    x = normal(70)
    given = [x.view(SimArray), np.full(1, -np.inf, np.float32).view(SimArray), 70]
    for seed in range(3):
        Simulator(seed).run(TEXTBOOK, "largestOf", "float", 3, 32, given)
        assert float(given[1][0]) == x.max()


@SEEDS
def test_roundings_end_at_the_largest_integer(seed):
    x = np.array([2.5, -1.5, 0.25, 3e9, -3e9, np.inf, -np.inf, np.nan, 2147483520, 1e10], np.float32)
    _, y, u = run(seed, "roundings", 1, 10, x, zeros(10, 4, dtype=np.int32), zeros(10, dtype=np.uint32))
    wide = np.nan_to_num(x.astype(np.float64))
    exact = np.stack([np.rint(wide), np.trunc(wide), np.floor(wide), np.ceil(wide)], 1)
    np.testing.assert_array_equal(y, np.clip(exact, -(2**31), 2**31 - 1))
    np.testing.assert_array_equal(u, np.clip(np.rint(wide), 0, 2**32 - 1))
