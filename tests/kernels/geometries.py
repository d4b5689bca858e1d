"""Strategies of the kernels' tests: every case is built to be valid, none is filtered."""

import numpy as np
from hypothesis import strategies as st

from minigan.kernels.geometry import ConvGeometry

# a column alone, thin tiles, one vector, a whole wide tile and its edges (of float32 in vectors of 512 bits)
CHANNELS = st.sampled_from([1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 40, 65])
IMAGES, GROUPS = st.integers(0, 3), st.integers(1, 3)
DILATIONS = st.integers(1, 2)
DTYPES = st.sampled_from([np.float32, np.float64])


@st.composite
def axes(draw, largest=5, dilations=DILATIONS):
    """(image size, output size, kernel, stride, dilation, padding before, padding after) along one axis.

    Drawn from the output side; pixels that no window reads (fewer than a stride) come last. Kernels may be smaller
    than the stride, padding one-sided, and windows may hold nothing else.
    """
    output, kernel, dilation = draw(st.integers(1, largest)), draw(st.integers(1, 4)), draw(dilations)
    stride = draw(st.integers(1, 3))
    span = (output - 1) * stride + dilation * (kernel - 1) + 1 + draw(st.integers(0, stride - 1))
    padding = draw(st.integers(0, min(span - 1, 4)))
    before = draw(st.integers(0, padding))
    return span - padding, output, kernel, stride, dilation, before, padding - before


@st.composite
def conv_geometries(draw, images=IMAGES, groups=GROUPS, channels=CHANNELS):
    rows, columns = draw(axes()), draw(axes())
    count = draw(groups)
    return geometry(draw(images), rows, columns, count * draw(channels), count * draw(channels), count)


@st.composite
def filtered_axes(draw):
    """An axis of several tiles and a rest, whose kernel has up to three taps for each phase."""
    output, stride = draw(st.integers(1, 11)), draw(st.integers(1, 3))
    kernel = draw(st.integers(1, 3 * stride))
    span = (output - 1) * stride + kernel + draw(st.integers(0, stride - 1))
    padding = draw(st.integers(0, min(span - 1, 4)))
    before = draw(st.integers(0, padding))
    return span - padding, output, kernel, stride, 1, before, padding - before


@st.composite
def algorithm_geometries(draw, algorithm, images=IMAGES, channels=CHANNELS):
    """Convolutions that an algorithm can do."""
    if algorithm == "im2col":
        return draw(conv_geometries(images, channels=channels))
    if algorithm == "product":
        sizes, as_large = [draw(st.integers(1, 6)) for _ in range(2)], draw(st.booleans())
        rows, columns = ((n, 1, n, 1, 1, 0, 0) if as_large else (n, n, 1, 1, 1, 0, 0) for n in sizes)
    elif algorithm == "direct":
        rows, columns = draw(axes()), draw(axes(dilations=st.just(1)))
    else:
        rows, columns = (draw(filtered_axes()) for _ in range(2))
    return geometry(draw(images), rows, columns, draw(channels), draw(channels), 1)


@st.composite
def window_geometries(draw):
    """A window that slides over each channel by itself."""
    rows, columns, channels = draw(axes()), draw(axes()), draw(CHANNELS)
    return geometry(draw(IMAGES), rows, columns, channels, channels, channels)


def geometry(images, rows, columns, channels, filters, groups):
    (H, OH, KH, SH, DH, PT, PB), (W, OW, KW, SW, DW, PL, PR) = rows, columns
    return ConvGeometry(images, H, W, channels, OH, OW, filters, KH, KW, SH, SW, PT, PB, PL, PR, DH, DW, groups)


@st.composite
def makers(draw, dtypes=DTYPES):
    """A function shape -> array of random numbers: of one dtype, each array in one of several layouts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(dtypes)
    layout = draw(st.sampled_from(["C order", "Fortran order", "every second", "reversed", "read-only"]))

    def make(*shape):
        array = np.asarray(rng.standard_normal(shape), dtype)
        if not shape:
            return array
        if layout == "Fortran order":
            array = np.asfortranarray(array)
        elif layout == "every second":
            array = np.repeat(array, 2, axis=-1)[..., ::2]
        elif layout == "reversed":
            array = np.ascontiguousarray(array[::-1])[::-1]
        elif layout == "read-only":
            array.flags.writeable = False
        return array

    make.dtype = np.dtype(dtype)
    return make


def assert_near(actual, expected, terms=1):
    """Equal up to the rounding of sums of `terms` products of numbers of order 1."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert actual.flags.c_contiguous
    error = 4 * np.sqrt(terms) * np.finfo(actual.dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=8 * error, atol=8 * error)


def inner(a, b):
    return float(np.vdot(a.astype(np.float64), b.astype(np.float64)))
