"""Batch normalisation in CUDA is the reference's: near zero and far from it, activated or not."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulated import DTYPES, SEEDS, assert_close, on_device, ordered, plain

from minigan.errors import DtypeError
from minigan.kernels import reference
from minigan.kernels.cuda import norm as cuda

ROWS = st.sampled_from([1, 2, 7, 65, 257, 700])
CHANNELS = st.sampled_from([1, 3, 8, 9, 31, 64, 129, 257])
SLOPES = st.sampled_from([0, 0.0, 0.2, 1.0])
FEW = settings(max_examples=30)


def case(m, channels, dtype):
    rng = np.random.default_rng(m + channels)
    x = 3 * rng.standard_normal((m, channels)) + rng.standard_normal(channels)
    return [
        array.astype(dtype) for array in (rng.standard_normal((m, channels)), x, *rng.standard_normal((2, channels)))
    ]


@FEW
@given(ROWS, CHANNELS, DTYPES, SLOPES, SEEDS)
@example(9_000, 3, np.float32, 0.2, 1)
def test_batch_norm(m, channels, dtype, slope, seed):
    _, x, scale, shift = case(m, channels, dtype)
    with ordered(seed):
        results = cuda.batch_norm(*map(on_device, (x, scale, shift)), 1e-2, slope)
    for result, expected in zip(results, reference.batch_norm(x, scale, shift, 1e-2, slope), strict=True):
        assert_close(result, expected, 4)


@FEW
@given(ROWS, CHANNELS, DTYPES, SLOPES, SEEDS)
@example(9_000, 3, np.float32, 0.2, 1)
def test_the_gradient_of_batch_norm(m, channels, dtype, slope, seed):
    g, x, scale, shift = case(m, channels, dtype)
    _, mean, inverse = reference.batch_norm(x, scale, shift, 1e-2, slope)
    arrays = g, x, scale, shift, mean, inverse
    with ordered(seed):
        results = cuda.batch_norm_vjp(*map(on_device, arrays), slope)
    for result, expected in zip(results, reference.batch_norm_vjp(*arrays, slope), strict=True):
        assert_close(result, expected, 4 * m)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 200])
def test_statistics_are_accurate_far_from_zero(dtype, channels):
    x = (1e4 + np.random.default_rng(0).standard_normal((3000, channels))).astype(dtype)
    x[0] = 1e4 - 50  # what distances are taken from is itself far from the mean
    scale, shift = np.ones(channels, dtype), np.zeros(channels, dtype)
    y, mean, inverse = map(plain, cuda.batch_norm(*map(on_device, (x, scale, shift)), 0.0))
    exact = x.astype(np.longdouble)
    # from there the sum of squares is 2500 times as large as what is left of it; the root halves what that loses
    error = {np.float32: 2e-7, np.float64: 2500 * np.finfo(np.float64).eps / 2}[dtype]
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(inverse, 1 / exact.std(axis=0), rtol=error)
    normal = (exact - exact.mean(axis=0)) / exact.std(axis=0)
    unit = 1e4 * np.finfo(np.float64).eps  # how finely the mean is known in double, as the reference's
    np.testing.assert_allclose(y, normal.astype(dtype), rtol=error, atol=2 * unit)


def test_a_constant_column_has_no_deviation():
    x = np.full((999, 2), 0.1, np.float32)
    one = on_device(np.ones(2, np.float32))
    y, mean, inverse = map(plain, cuda.batch_norm(on_device(x), one, one, 0.25, 0.5))
    np.testing.assert_array_equal(mean, x[0])
    np.testing.assert_allclose(inverse, 2, rtol=1e-7)
    np.testing.assert_allclose(y, 1, rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("slope", [0, 0.2, 1.0])
@pytest.mark.parametrize("row", [0, 299])
def test_infinities_and_nan_stay_in_their_columns(dtype, slope, row):
    g, x, scale, shift = case(300, 7, dtype)
    x[row, 0], x[row, 1], x[row, 2], x[150, 2], scale[3], shift[4], g[row, 5] = np.array(
        [np.inf, np.nan, np.inf, -np.inf, np.nan, np.nan, np.inf], dtype
    )
    with np.errstate(invalid="ignore"):
        forward = reference.batch_norm(x, scale, shift, 1e-2, slope)
        arrays = g, x, scale, shift, *forward[1:]
        backward = reference.batch_norm_vjp(*arrays, slope)
    results = cuda.batch_norm(*map(on_device, (x, scale, shift)), 1e-2, slope)
    gradients = cuda.batch_norm_vjp(*map(on_device, arrays), slope)
    for result, expected in zip((*results, *gradients), (*forward, *backward), strict=True):
        assert_close(result, expected, 1000)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0)])
def test_nothing_to_normalise(shape):
    x, column = on_device(np.ones(shape)), on_device(np.ones(shape[1]))
    y, mean, inverse = cuda.batch_norm(x, column, column, 1e-5)
    assert y.shape == shape
    assert np.isnan(mean).all()
    assert np.isnan(inverse).all()
    gx, gscale, gshift = cuda.batch_norm_vjp(x, x, column, column, column, column)
    assert gx.shape == shape
    assert gscale.tolist() == gshift.tolist() == [0] * shape[1]


@given(DTYPES)
def test_results_are_the_same_to_the_bit_in_every_order(dtype):
    g, x, scale, shift = map(on_device, case(700, 40, dtype))
    results = set()
    for seed in range(4):
        with ordered(seed):
            forward = cuda.batch_norm(x, scale, shift, 1e-5, 0.2)
            backward = cuda.batch_norm_vjp(g, x, scale, shift, *forward[1:], 0.2)
            results.add(tuple(array.tobytes() for array in (*forward, *backward)))
    assert len(results) == 1


def test_views_are_read_in_their_order_and_left_as_they_are():
    g, x, scale, shift = case(40, 6, np.float64)
    views = [on_device(array)[::-1] for array in (g.T.copy(), x.T.copy(), scale, shift)]
    before = [view.tobytes() for view in views]
    flipped = [plain(view) for view in views]
    forward = cuda.batch_norm(views[1].T, *views[2:], 1e-5, 0.2)
    expected = reference.batch_norm(flipped[1].T, *flipped[2:], 1e-5, 0.2)
    backward = cuda.batch_norm_vjp(views[0].T, views[1].T, *views[2:], *forward[1:], 0.2)
    expected_backward = reference.batch_norm_vjp(flipped[0].T, flipped[1].T, *flipped[2:], *expected[1:], 0.2)
    for result, same in zip((*forward, *backward), (*expected, *expected_backward), strict=True):
        assert_close(result, same, 40)
    assert [view.tobytes() for view in views] == before


def test_other_dtypes_are_refused():
    x, column = on_device(np.ones((4, 3), np.float32)), on_device(np.ones(3))
    with pytest.raises(DtypeError, match="float32 or float64, not float32, float64"):
        cuda.batch_norm(x, column, column, 1e-5)
