"""Patches of images in CUDA are the reference's, and back."""

import numpy as np
import pytest
from geometries_of_kernels import geometry, inner, window_geometries
from hypothesis import example, given, settings
from simulated import DTYPES, SEEDS, assert_close, numbers, on_device, ordered, plain

from minigan.kernels import reference
from minigan.kernels.cuda import window as cuda

FEW = settings(max_examples=40)
BELOW_STRIDE = geometry(2, (11, 4, 2, 3, 1, 0, 0), (9, 3, 1, 3, 1, 0, 0), 3, 3, 3)  # some pixels are in no window
ONE_SIDED = geometry(1, (1, 3, 3, 2, 1, 4, 2), (2, 2, 3, 1, 1, 0, 2), 3, 3, 3)  # windows of nothing but padding
PADDED_ALL_ROUND = geometry(2, (3, 4, 3, 1, 1, 3, 2), (3, 4, 3, 1, 1, 2, 3), 2, 2, 2)
DILATED = geometry(2, (9, 3, 3, 2, 2, 1, 2), (8, 3, 2, 3, 3, 2, 1), 2, 2, 2)
SEVERAL_BLOCKS = geometry(2, (9, 9, 3, 1, 1, 1, 1), (8, 8, 3, 1, 1, 1, 1), 4, 4, 4)


@FEW
@given(window_geometries(), DTYPES, SEEDS)
@example(BELOW_STRIDE, np.float32, 1)
@example(ONE_SIDED, np.float64, 2)
@example(PADDED_ALL_ROUND, np.float32, 3)
@example(DILATED, np.float64, 0)
@example(SEVERAL_BLOCKS, np.float32, 1)
def test_patches_and_back(g, dtype, seed):
    x, columns = numbers(0, dtype, *g.image), numbers(1, dtype, *g.columns)
    with ordered(seed), np.errstate(invalid="ignore"):
        assert_close(cuda.im2col(on_device(x), g), reference.im2col(x, g))
        assert_close(cuda.col2im(on_device(columns), g), reference.col2im(columns, g), g.KH * g.KW)


@FEW
@given(window_geometries())
@example(SEVERAL_BLOCKS)
def test_they_are_adjoints(g):
    x, columns = (np.random.default_rng(0).standard_normal(shape) for shape in (g.image, g.columns))
    expected = inner(plain(cuda.im2col(on_device(x), g)), columns)
    back = inner(x, plain(cuda.col2im(on_device(columns), g)))
    assert back == pytest.approx(expected, abs=1e-11 * (1 + columns.size))


def test_images_are_read_in_their_order_and_left_as_they_are():
    x = on_device(np.random.default_rng(0).standard_normal((2, 3, 8, 9)))
    before, turned = x.tobytes(), x.transpose(0, 3, 2, 1)
    expected = reference.im2col(plain(turned), SEVERAL_BLOCKS._replace(C=3, G=1, K=3))
    assert_close(cuda.im2col(turned, SEVERAL_BLOCKS._replace(C=3, G=1, K=3)), expected)
    assert x.tobytes() == before
