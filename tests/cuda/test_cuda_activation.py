"""Activations in CUDA are the reference's, at every number and wherever an array begins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import DTYPES, SEEDS, assert_close, numbers, on_device, ordered, plain

from minigan.errors import DtypeError
from minigan.kernels import reference
from minigan.kernels.cuda import activation as cuda

SHAPES = st.one_of(st.lists(st.integers(0, 9), max_size=3), st.sampled_from([[1023], [4097], [31, 67]]))
SLOPES = st.sampled_from([0, 0.0, 0.2, 1.0, 1.5])
SKIPPED = st.integers(0, 5)  # numbers before the first one of an array: it need not begin on 16 bytes
FEW = settings(max_examples=30)


def part(seed, dtype, shape, skipped):
    """A random array on the device that begins so many numbers after a boundary."""
    size = int(np.prod(shape))
    return on_device(numbers(seed, dtype, size + skipped))[skipped:].reshape(shape)


@FEW
@given(SHAPES, SKIPPED, SKIPPED, DTYPES, SLOPES, SEEDS)
def test_leaky_relu_and_its_gradient(shape, skipped, others, dtype, slope, seed):
    x, g = part(1, dtype, shape, skipped), part(2, dtype, shape, others)
    with ordered(seed), np.errstate(invalid="ignore"):
        images, upstream = plain(x), plain(g)
        assert_close(cuda.leaky_relu(x, slope), reference.leaky_relu(images, slope))
        assert_close(cuda.leaky_relu_vjp(g, x, slope), reference.leaky_relu_vjp(upstream, images, slope))


@FEW
@given(SHAPES, SKIPPED, SKIPPED, DTYPES, SEEDS)
def test_the_gradient_of_tanh(shape, skipped, others, dtype, seed):
    y, g = part(1, dtype, shape, skipped), part(2, dtype, shape, others)
    with ordered(seed), np.errstate(invalid="ignore"):
        assert_close(cuda.tanh_vjp(g, y), reference.tanh_vjp(plain(g), plain(y)))
        infinite, half = np.full(shape, np.inf, dtype), np.full(shape, 0.5, dtype)
        np.testing.assert_array_equal(plain(cuda.tanh_vjp(on_device(infinite), on_device(half))), infinite)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_leaky_relu_at_the_edges(dtype):
    x = on_device(np.array([np.nan, np.inf, -np.inf, 0, -0.0], dtype))
    np.testing.assert_array_equal(plain(cuda.leaky_relu(x, 0)), [np.nan, np.inf, 0, 0, 0])
    np.testing.assert_array_equal(plain(cuda.leaky_relu(x, 0.5)), [np.nan, np.inf, -np.inf, 0, 0])
    gradient = cuda.leaky_relu_vjp(on_device(np.ones(5, dtype)), x, 0.5)
    np.testing.assert_array_equal(plain(gradient), [np.nan, 1, 0.5, 0.5, 0.5])
    for bad in (np.inf, -np.inf, np.nan):
        g = on_device(np.full(5, bad, dtype))
        np.testing.assert_array_equal(plain(cuda.leaky_relu_vjp(g, x, 0)), [np.nan, bad, 0, 0, 0])


def test_views_are_read_in_their_order_and_left_as_they_are():
    x = on_device(np.random.default_rng(0).standard_normal((6, 10)))
    before = x.tobytes()
    expected = reference.leaky_relu(plain(x).T[::-2], 0.2)
    assert_close(cuda.leaky_relu(x.T[::-2], 0.2), expected)
    assert x.tobytes() == before


def test_other_dtypes_are_refused():
    x = on_device(np.ones(4, np.float32))
    with pytest.raises(DtypeError, match="float32 or float64, not float32, float64"):
        cuda.tanh_vjp(x, x.astype(np.float64))
    with pytest.raises(DtypeError, match="move it with"):
        cuda.leaky_relu(np.ones(4), 0.2)
