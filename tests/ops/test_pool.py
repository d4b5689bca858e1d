"""Pooling: values by definition, gradients, ties, padding, and adjointness of what it is made of."""

import numpy as np
import pytest
from hypothesis import given

import minigan as mg
from minigan import kernels
from minigan.errors import DtypeError, ShapeError
from minigan.testing import check_adjoint, check_grads, pool_cases


def windows(x, kernel_size, stride, padding):
    """(N, OH, OW, C, KH * KW): the values in each window, NaN for padding."""
    x = np.asarray(x)
    (KH, KW), (SH, SW) = ((v, v) if isinstance(v, int) else v for v in (kernel_size, stride))
    pads = (padding, padding) if isinstance(padding, int) else padding
    pads = tuple((p, p) if isinstance(p, int) else p for p in pads)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=np.nan)
    view = np.lib.stride_tricks.sliding_window_view(padded, (KH, KW), axis=(1, 2))[:, ::SH, ::SW]
    return view.reshape(*view.shape[:4], KH * KW)


@given(pool_cases())
def test_max_pool(case):
    x, kernel_size, how = case
    y = mg.max_pool2d(mg.tensor(x), kernel_size, **how)
    assert np.array_equal(y.data, np.fmax.reduce(windows(x, kernel_size, **how), axis=-1))
    check_grads(lambda x: mg.square(mg.max_pool2d(x, kernel_size, **how)), [x])


@given(pool_cases())
def test_avg_pool(case):
    x, kernel_size, how = case
    seen = windows(x, kernel_size, **how)
    total = np.nansum(seen, axis=-1)
    y = mg.avg_pool2d(mg.tensor(x), kernel_size, **how)
    assert np.allclose(y.data, total / seen.shape[-1])
    y = mg.avg_pool2d(mg.tensor(x), kernel_size, count_padding=False, **how)
    assert np.allclose(y.data, total / np.isfinite(seen).sum(axis=-1))
    for count_padding in (True, False):
        check_grads(lambda x, c=count_padding: mg.avg_pool2d(x, kernel_size, count_padding=c, **how) ** 2, [x])


@given(pool_cases())
def test_every_implementation_gives_the_same_gradients(case):
    x, kernel_size, how = case

    def gradient(pool):
        t = mg.tensor(x, requires_grad=True)
        return mg.grad(mg.square(pool(t, kernel_size, **how)).sum(), t)

    for pool in (mg.max_pool2d, mg.avg_pool2d):
        with kernels.using("reference"):
            expected = gradient(pool)
        assert np.allclose(gradient(pool), expected, rtol=1e-13)


@given(pool_cases())
def test_window_spread_is_the_adjoint_of_window_sum(case):
    from minigan.ops.resample import _geometry, window_spread, window_sum

    x, kernel_size, how = case
    geometry = _geometry("sum", x.shape, kernel_size, how["stride"], how["padding"], 1)
    y = np.random.default_rng(0).standard_normal(geometry.features)
    check_adjoint(lambda x: window_sum(x, geometry=geometry), lambda y: window_spread(y, geometry=geometry), x, y)


def test_the_stride_defaults_to_the_kernel():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    assert mg.max_pool2d(x, 2)[0, :, :, 0].tolist() == [[5, 7], [13, 15]]
    assert mg.avg_pool2d(x, 2)[0, :, :, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert mg.max_pool2d(x, (1, 4)).shape == (1, 4, 1, 1)


def test_a_tie_goes_to_the_first_pixel_of_the_window():
    x = mg.tensor(np.ones((1, 4, 4, 1)), requires_grad=True)
    g = mg.grad(mg.max_pool2d(x, 2).sum(), x)[0, :, :, 0]
    assert g.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_overlapping_windows_add_up():
    x = mg.tensor(np.zeros((1, 3, 3, 1)), requires_grad=True)
    with mg.no_grad():
        x[0, 1, 1, 0] = 1.0
    assert mg.grad(mg.max_pool2d(x, 2, stride=1).sum(), x)[0, 1, 1, 0] == 4


def test_padding_is_never_the_largest():
    x = mg.tensor(np.full((1, 2, 2, 1), -5.0), requires_grad=True)
    y = mg.max_pool2d(x, 3, stride=1, padding=1)
    assert np.array_equal(y.data, x.data)
    assert mg.grad(y.sum(), x).sum() == 4


def test_max_pool_of_nan_is_nan():
    x = np.zeros((1, 4, 4, 1))
    x[0, 1, 1, 0] = np.nan
    assert np.isnan(mg.max_pool2d(x, 2)[0, :, :, 0]).tolist() == [[True, False], [False, False]]


def test_max_pool_of_minus_infinity():
    x = mg.tensor(np.full((1, 2, 2, 1), -np.inf), requires_grad=True)
    y = mg.max_pool2d(x, 2)
    assert y.item() == -np.inf
    assert mg.grad(y.sum(), x).sum() == 1


def test_dilated_max_pool():
    x = np.arange(25.0).reshape(1, 5, 5, 1)
    assert mg.max_pool2d(x, 2, stride=1, dilation=3)[0, :, :, 0].tolist() == [[18, 19], [23, 24]]


def test_global_avg_pool():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    assert np.allclose(mg.global_avg_pool2d(mg.tensor(x)).data, x.mean(axis=(1, 2)))


@pytest.mark.parametrize("pool", [mg.max_pool2d, mg.avg_pool2d])
def test_dtype_is_kept(pool):
    x = mg.tensor(np.ones((1, 4, 4, 1), np.float32), requires_grad=True)
    y = pool(x, 2)
    assert y.dtype == np.float32
    assert mg.grad(y.sum(), x).dtype == np.float32


# --------------------------------------------------------------------------------------------- unpooling


def picked(x, indices):
    """The pixels of x (N, H, W, C) at places (N, OH, OW, C)."""
    N, H, W, C = x.shape
    places = indices.reshape(N, indices.shape[1] * indices.shape[2], C)
    return np.take_along_axis(np.reshape(x, (N, H * W, C)), places, axis=1).reshape(indices.shape)


@given(pool_cases())
def test_places_are_where_the_pixels_were_and_the_first_of_their_window(case):
    x, kernel_size, how = case
    y, indices = mg.max_pool2d_with_indices(x, kernel_size, **how)
    assert indices.dtype == np.int32
    assert np.array_equal(picked(x, indices), y)
    assert np.array_equal(y, mg.max_pool2d(x, kernel_size, **how))
    ties = mg.max_pool2d_with_indices(np.zeros_like(x), kernel_size, **how)[1]
    height, width = x.shape[1:3]
    places = np.broadcast_to(np.arange(height * width, dtype=float).reshape(1, height, width, 1), x.shape)
    assert np.array_equal(ties, np.fmin.reduce(windows(places, kernel_size, **how), axis=-1))


@given(pool_cases())
def test_unpooling_leaves_each_maximum_in_its_place_as_often_as_windows_have_it(case):
    x, kernel_size, how = case
    y, indices = mg.max_pool2d_with_indices(mg.tensor(x), kernel_size, **how)
    back = mg.max_unpool2d(y, indices, kernel_size, output_size=x.shape[1:3], **how).data
    times = np.zeros(x.shape)
    for (n, _, _, c), place in np.ndenumerate(indices.data):
        times[n, place // x.shape[2], place % x.shape[2], c] += 1
    assert np.allclose(back, times * x, rtol=1e-13)


@given(pool_cases())
def test_unpooling_is_the_adjoint_of_pooling_at_the_same_places(case):
    x, kernel_size, how = case
    indices = mg.max_pool2d_with_indices(x, kernel_size, **how)[1]
    other, y = (
        np.random.default_rng(seed).standard_normal(shape) for seed, shape in enumerate((x.shape, indices.shape))
    )
    size = x.shape[1:3]
    check_adjoint(
        lambda x: picked(x, indices),
        lambda y: mg.max_unpool2d(y, indices, kernel_size, output_size=size, **how),
        other,
        y,
    )


@given(pool_cases())
def test_gradients_of_unpooling(case):
    x, kernel_size, how = case

    def forth_and_back(x):
        y, indices = mg.max_pool2d_with_indices(x, kernel_size, **how)
        return mg.square(mg.max_unpool2d(y, indices, kernel_size, output_size=x.shape[1:3], **how))

    check_grads(forth_and_back, [x], order=2)


def test_the_size_that_was_pooled_is_asked_for():
    x = np.arange(25.0).reshape(1, 5, 5, 1)
    y, indices = mg.max_pool2d_with_indices(x, 2)
    assert indices[0, :, :, 0].tolist() == [[6, 8], [16, 18]]
    whole = mg.max_unpool2d(y, indices, 2, output_size=(5, 5))
    assert whole.shape == x.shape
    assert np.array_equal(whole[whole > 0], [6, 8, 16, 18])
    with pytest.raises(ShapeError, match=r"not in their windows of an image of 4 x 4; .* output_size= is"):
        mg.max_unpool2d(y, indices, 2)
    with pytest.raises(ShapeError, match=r"output_size \(6, 5\) is impossible"):
        mg.max_unpool2d(y, indices, 2, output_size=(6, 5))


def test_dilated_unpooling():
    x = np.arange(25.0).reshape(1, 5, 5, 1)
    y, indices = mg.max_pool2d_with_indices(x, 2, stride=1, dilation=3)
    back = mg.max_unpool2d(y, indices, 2, stride=1, dilation=3)
    assert np.array_equal(back, np.where(np.isin(x, [18, 19, 23, 24]), x, 0))
    with pytest.raises(ShapeError, match="not in their windows"):
        mg.max_unpool2d(y, indices - 1, 2, stride=1, dilation=3)


@pytest.mark.parametrize("wrong", [-1, 2, 16, 1 << 40])
def test_a_place_outside_its_window_is_refused(wrong):
    indices = np.array([0, 2, 8, 10]).reshape(1, 2, 2, 1)
    y = np.ones(indices.shape)
    assert mg.max_unpool2d(y, indices, 2).sum() == 4
    indices[0, 0, 0, 0] = wrong
    with pytest.raises(ShapeError, match="not in their windows of an image of 4 x 4"):
        mg.max_unpool2d(y, indices, 2)


def test_places_fit_their_values():
    y = np.ones((1, 2, 2, 1))
    with pytest.raises(ShapeError, match=r"y has shape \(1, 2, 2, 1\) and indices \(1, 2, 2, 2\)"):
        mg.max_unpool2d(y, np.zeros((1, 2, 2, 2), int), 2)
    with pytest.raises(DtypeError, match="indices are float64"):
        mg.max_unpool2d(y, y, 2)


def test_places_that_are_written_to_change_no_gradient():
    x = mg.tensor(np.arange(16.0).reshape(1, 4, 4, 1), requires_grad=True)
    y, indices = mg.max_pool2d_with_indices(x, 2)
    indices[...] = 0
    assert mg.grad(y.sum(), x)[0, 1, 1, 0] == 1
