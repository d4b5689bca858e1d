"""Resizing: values by definition, gradients of every order, and sizes that mean nothing happens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.testing import arrays, check_grads, shapes

images = arrays(shapes(min_dims=4, max_dims=4, max_side=4))
sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


@given(images, sizes)
def test_nearest_takes_the_pixel_below(x, size):
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, x.shape[1:3], strict=True))
    assert np.array_equal(mg.resize(mg.tensor(x), size).data, x[:, rows][:, :, columns])
    check_grads(lambda x: mg.square(mg.resize(x, size)), [x])


@given(images, sizes)
def test_bilinear_interpolates_along_each_axis(x, size):
    expected = x
    for axis, new in zip((1, 2), size, strict=True):
        old = x.shape[axis]
        centres = (np.arange(new) + 0.5) * old / new - 0.5  # beyond the outer pixels' centres, their values
        expected = np.apply_along_axis(lambda line, c=centres, n=old: np.interp(c, np.arange(n), line), axis, expected)
    assert np.allclose(mg.resize(mg.tensor(x), size, mode="bilinear").data, expected)
    check_grads(lambda x: mg.square(mg.resize(x, size, mode="bilinear")), [x])


@given(images, sizes)
def test_tensorflow_1_interpolates_between_points_of_which_the_first_stays(x, size):
    expected = x
    for axis, new in zip((1, 2), size, strict=True):
        old = x.shape[axis]
        points = np.arange(new) * (old / new)  # beyond the last one, its value
        expected = np.apply_along_axis(lambda line, c=points, n=old: np.interp(c, np.arange(n), line), axis, expected)
    y = mg.resize(mg.tensor(x), size, mode="bilinear-tf1").data
    assert np.allclose(y, expected, atol=1e-5)  # where points lie is rounded to float32, as TensorFlow does
    assert np.array_equal(y[:, 0, 0], x[:, 0, 0])
    check_grads(lambda x: mg.square(mg.resize(x, size, mode="bilinear-tf1")), [x])


@given(images)
def test_the_same_size_is_the_same_image(x):
    for mode in ("nearest", "bilinear", "bilinear-tf1"):
        assert np.allclose(mg.resize(mg.tensor(x), x.shape[1:3], mode=mode).data, x)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bilinear-tf1"])
def test_dtype_is_kept_and_batches_may_be_empty(mode):
    x = mg.tensor(np.ones((0, 2, 3, 1), np.float32), requires_grad=True)
    y = mg.resize(x, 4, mode=mode)
    assert (y.shape, y.dtype) == ((0, 4, 4, 1), np.float32)
    assert mg.grad(y.sum(), x).shape == x.shape


def test_an_int_is_both_sides():
    assert mg.resize(np.ones((1, 2, 3, 1)), 5).shape == (1, 5, 5, 1)


@pytest.mark.parametrize("mode", ["bilinear", "bilinear-tf1", "nearest"])
@pytest.mark.parametrize("bad", [np.inf, np.nan])
@given(height=st.integers(1, 7), width=st.integers(1, 7), size=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_a_pixel_that_is_not_finite_stays_among_its_neighbours(mode, bad, height, width, size):
    x = np.zeros((1, height, width, 1))
    x[0, height // 2, width // 3] = bad
    one = np.where(np.isfinite(x), 0, 1.0)
    y = mg.resize(x, size, mode=mode)
    assert np.array_equal(np.isfinite(y), mg.resize(one, size, mode=mode) == 0)
    if bad == np.inf:
        assert (y[~np.isfinite(y)] == np.inf).all()
