"""Pooling in CUDA is the reference's, for any window, and its adjoints are adjoint."""

import numpy as np
import pytest
from geometries_of_kernels import geometry, inner, window_geometries
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulated import DTYPES, SEEDS, assert_close, on_device, ordered, plain

from minigan.kernels import reference
from minigan.kernels.cuda import pool as cuda

FEW = settings(max_examples=40)
NARROW_KERNEL = geometry(2, (9, 3, 2, 3, 1, 0, 0), (8, 3, 1, 3, 1, 0, 0), 33, 33, 33)
DILATED = geometry(1, (7, 5, 3, 1, 2, 2, 0), (5, 3, 2, 2, 2, 0, 2), 3, 3, 3)
NOTHING_BUT_PADDING = geometry(3, (1, 3, 2, 1, 2, 2, 2), (2, 3, 1, 2, 1, 0, 3), 5, 5, 5)


def values(seed, dtype, ties, *shape):
    """Random numbers; where there are ties, few and special ones."""
    rng = np.random.default_rng(seed)
    if ties:
        return rng.choice(np.array([np.nan, -np.inf, np.inf, -1, 0], dtype), shape)
    return np.asarray(rng.standard_normal(shape), dtype)


@FEW
@given(window_geometries(), DTYPES, st.booleans(), SEEDS)
@example(NARROW_KERNEL, np.float32, True, 1)
@example(DILATED, np.float64, True, 2)
@example(NOTHING_BUT_PADDING, np.float32, True, 3)
def test_the_first_maximum_of_each_window(g, dtype, ties, seed):
    x = values(0, dtype, ties, *g.image)
    with ordered(seed):
        indices = cuda.max_pool_indices(on_device(x), g)
    expected = reference.max_pool_indices(x, g)
    assert indices.dtype == np.int32
    np.testing.assert_array_equal(plain(indices), expected)


@FEW
@given(window_geometries(), DTYPES, st.booleans(), SEEDS)
@example(NARROW_KERNEL, np.float32, False, 1)
@example(DILATED, np.float64, False, 2)
@example(NOTHING_BUT_PADDING, np.float32, True, 3)
def test_gathering_pixels_and_scattering_to_them(g, dtype, ties, seed):
    x = values(0, dtype, ties, *g.image)
    indices = reference.max_pool_indices(x, g)
    y = values(1, dtype, ties, *indices.shape)
    with ordered(seed), np.errstate(invalid="ignore"):
        assert_close(cuda.pool_gather(on_device(x), on_device(indices), g), reference.pool_gather(x, indices, g))
        scattered = cuda.pool_scatter(on_device(y), on_device(indices), g)
        assert_close(scattered, reference.pool_scatter(y, indices, g), g.KH * g.KW)


@FEW
@given(window_geometries(), DTYPES, st.booleans(), SEEDS)
@example(NARROW_KERNEL, np.float32, False, 1)
@example(DILATED, np.float64, False, 2)
@example(NOTHING_BUT_PADDING, np.float32, True, 3)
def test_sums_of_windows_and_spreading_over_them(g, dtype, ties, seed):
    x, y = values(0, dtype, ties, *g.image), values(1, dtype, ties, g.N, g.OH, g.OW, g.C)
    with ordered(seed), np.errstate(invalid="ignore"):
        assert_close(cuda.window_sum(on_device(x), g), reference.window_sum(x, g), g.KH * g.KW)
        assert_close(cuda.window_spread(on_device(y), g), reference.window_spread(y, g), g.KH * g.KW)


@FEW
@given(window_geometries())
def test_adjoints(g):
    x, y = (on_device(values(seed, np.float64, False, *shape)) for seed, shape in enumerate((g.image, g.features)))
    indices = cuda.max_pool_indices(x, g)
    pairs = [
        (cuda.window_sum(x, g), cuda.window_spread(y, g)),
        (cuda.pool_gather(x, indices, g), cuda.pool_scatter(y, indices, g)),
    ]
    for forth, back in pairs:
        expected = inner(plain(x), plain(back))
        assert inner(plain(forth), plain(y)) == pytest.approx(expected, abs=1e-11 * (1 + y.size))


@pytest.mark.parametrize("dtype", [np.int64, np.int16])
def test_indices_of_another_dtype_or_order(dtype):
    g = geometry(2, (4, 2, 2, 2, 1, 0, 0), (4, 2, 2, 2, 1, 0, 0), 3, 3, 3)
    x = values(0, np.float32, False, *g.image)
    indices = reference.max_pool_indices(x, g)
    other = on_device(indices.T.astype(dtype)).T
    np.testing.assert_array_equal(plain(cuda.pool_gather(on_device(x), other, g)), reference.pool_gather(x, indices, g))
