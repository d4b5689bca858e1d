"""Sums of columns in CUDA are the reference's, for few and for many columns, in any order of threads and blocks."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulated import DTYPES, SEEDS, assert_close, numbers, on_device, ordered, plain

from minigan.errors import DtypeError
from minigan.kernels import reference
from minigan.kernels.cuda import reduce as cuda
from minigan.kernels.cuda.columns import JOINED, LEAST, MOST, WIDEST, cut, cut_to_join
from minigan.kernels.cuda.launch import THREADS

ROWS = st.sampled_from([0, 1, 2, 7, 85, 257, 700])
CHANNELS = st.sampled_from([0, 1, 2, 3, 8, 9, 31, 64, 128, 129, 257])
SLOPES = st.sampled_from([0, 0.0, 0.2, 1.0, 1.5])
LAYOUTS = st.sampled_from(["C order", "Fortran order", "reversed"])
FEW = settings(max_examples=30)


def laid_out(array, layout):
    """The same numbers on the device, in another order of memory."""
    array = on_device(array)
    if layout == "Fortran order":
        return array.T.copy().T
    return array[::-1] if layout == "reversed" else array


@FEW
@given(ROWS, CHANNELS, DTYPES, LAYOUTS, SEEDS)
@example(20_000, 1, np.float32, "C order", 1)
@example(9_000, 3, np.float64, "C order", 2)
def test_column_sums(m, channels, dtype, layout, seed):
    g = np.random.default_rng(seed).standard_normal((m, channels)).astype(dtype)
    device = laid_out(g, layout)
    with ordered(seed):
        assert_close(cuda.bias_sum(device), reference.bias_sum(plain(device)), max(m, 1))


@FEW
@given(ROWS, CHANNELS, DTYPES, SLOPES, LAYOUTS, SEEDS)
def test_the_gradient_of_leaky_relu_and_its_sums(m, channels, dtype, slope, layout, seed):
    g = np.random.default_rng(seed).standard_normal((m, channels)).astype(dtype)
    x = laid_out(np.where(np.isnan(special := numbers(1, dtype, m, channels)), 0, special), layout)
    with ordered(seed):
        gx, sums = cuda.leaky_relu_vjp_sum(on_device(g), x, slope)
    expected, expected_sums = reference.leaky_relu_vjp_sum(g, plain(x), slope)
    assert_close(gx, expected)
    assert_close(sums, expected_sums, max(m, 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_and_nan_stay_in_their_columns(dtype):
    g, x = (np.ones((300, 6), dtype) for _ in range(2))
    g[250, 0], g[3, 1], g[4, 1], g[5, 2], x[299, 3], x[7, 4] = np.inf, np.inf, -np.inf, np.nan, np.nan, -np.inf
    np.testing.assert_array_equal(plain(cuda.bias_sum(on_device(g))), [np.inf, np.nan, np.nan, 300, 300, 300])
    gx, sums = cuda.leaky_relu_vjp_sum(on_device(g), on_device(x), 0.5)
    np.testing.assert_array_equal(plain(sums), [np.inf, np.nan, np.nan, np.nan, 299.5, 300])
    np.testing.assert_array_equal(plain(gx), reference.leaky_relu_vjp(g, x, 0.5))


def test_sums_do_not_lose_small_numbers():
    g = np.full((200_000, 1), 0.1, np.float32)
    assert float(cuda.bias_sum(on_device(g))[0]) == np.float32(g.sum(dtype=np.float64))


@given(st.sampled_from([np.float32, np.float64]), st.sampled_from([(2500, 3), (40, 300)]))
def test_sums_are_the_same_to_the_bit_in_every_order(dtype, shape):
    g = on_device(np.random.default_rng(0).standard_normal(shape).astype(dtype))
    results = set()
    for seed in range(4):
        with ordered(seed):
            results.add(cuda.bias_sum(g).tobytes())
    assert len(results) == 1


@given(st.integers(1, 10**9), st.integers(1, 5000))
@example(1, 10**7)
def test_a_cut_covers_each_number_once(rows, channels):
    how = cut(rows, channels)
    tiles = -(-channels // how.width)  # as Part works it out
    step = THREADS // how.width
    assert 1 <= how.width <= min(channels, WIDEST)
    assert (how.runs - 1) * how.run < rows <= how.runs * how.run
    assert how.blocks == how.runs * tiles <= max(MOST, tiles)
    assert how.runs == 1 or how.run >= min(LEAST * step, rows) // 2
    width, blocks = cut_to_join(channels)
    assert width <= JOINED
    assert (blocks - 1) * width < channels <= blocks * width


def test_other_dtypes_are_refused():
    g = on_device(np.ones((4, 3), np.float32))
    with pytest.raises(DtypeError, match="float32 or float64, not float32, float64"):
        cuda.leaky_relu_vjp_sum(g, g.astype(np.float64), 0.2)
    with pytest.raises(DtypeError, match="int64"):
        cuda.bias_sum(g.astype(np.int64))
