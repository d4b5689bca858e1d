"""Laws of the sliding-window kernels: what they compute, who is whose adjoint, and that implementations agree."""

import numpy as np
import pytest
from geometries import DTYPES, assert_near, conv_geometries, geometry, inner, makers, window_geometries
from hypothesis import given
from hypothesis import strategies as st

from minigan.errors import DtypeError
from minigan.kernels import cpu, reference
from minigan.kernels import numpy as plain

IMPLEMENTATIONS = pytest.mark.parametrize("kernels", [reference, plain, cpu], ids=["reference", "numpy", "cpu"])


def terms(g):
    return g.KH * g.KW * max(g.C, g.K) + g.N * g.OH * g.OW


def conv_by_the_formula(x, w, g):
    """y[n, oh, ow, k] = sum over kh, kw, c of x[n, oh * SH - PT + kh * DH, ..., c] * w[kh, kw, c, k], one by one."""
    y = np.zeros(g.features)
    group_channels, group_filters = g.C // g.G, g.K // g.G
    for n, oh, ow, k in np.ndindex(y.shape):
        first = k // group_filters * group_channels
        for kh, kw in np.ndindex(g.KH, g.KW):
            h, w_ = oh * g.SH - g.PT + kh * g.DH, ow * g.SW - g.PL + kw * g.DW
            if 0 <= h < g.H and 0 <= w_ < g.W:
                y[n, oh, ow, k] += x[n, h, w_, first : first + group_channels] @ w[kh, kw, :, k]
    return y


@given(conv_geometries(images=st.integers(0, 2), channels=st.integers(1, 2)), makers(dtypes=st.just(np.float64)))
def test_reference_convolution_is_the_formula(g, make):
    x, w = make(*g.image), make(*g.weight)
    assert_near(reference.conv2d(x, w, g), conv_by_the_formula(x, w, g), terms(g))


@given(conv_geometries(), makers(), st.data())
def test_each_column_is_what_the_window_reads(g, make, data):
    x = make(*g.image)
    if not g.N:
        assert reference.im2col(x, g).shape == g.columns
        return
    n, oh, ow, kh, kw, c = (data.draw(st.integers(0, e - 1)) for e in (g.N, g.OH, g.OW, g.KH, g.KW, g.C))
    h, w = oh * g.SH - g.PT + kh * g.DH, ow * g.SW - g.PL + kw * g.DW
    expected = x[n, h, w, c] if 0 <= h < g.H and 0 <= w < g.W else 0
    row, column = (n * g.OH + oh) * g.OW + ow, (kh * g.KW + kw) * g.C + c
    assert reference.im2col(x, g)[row, column] == expected


@pytest.mark.parametrize("kernels", [plain, cpu], ids=["numpy", "cpu"])
@given(conv_geometries(), makers(), st.sampled_from([0.0, 0.2, 1.0]), st.booleans())
def test_convolutions_are_the_references(kernels, g, make, slope, biased):
    x, w, y = make(*g.image), make(*g.weight), make(*g.features)
    of_features, of_pixels = (make(g.K), make(g.C)) if biased else (None, None)
    assert_near(kernels.conv2d(x, w, g, of_features, slope), reference.conv2d(x, w, g, of_features, slope), terms(g))
    assert_near(kernels.conv2d_transpose(y, w, g, of_pixels), reference.conv2d_transpose(y, w, g, of_pixels), terms(g))
    assert_near(kernels.conv2d_weight(x, y, g), reference.conv2d_weight(x, y, g), terms(g))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "g",
    [
        geometry(9, (14, 7, 4, 2, 1, 1, 1), (14, 7, 4, 2, 1, 1, 1), 64, 48, 1),  # several blocks, tasks and panels
        geometry(3, (9, 9, 3, 1, 1, 1, 1), (9, 9, 3, 1, 1, 1, 1), 600, 40, 2),  # depth in several pieces
        geometry(40, (28, 14, 4, 2, 1, 1, 1), (28, 14, 4, 2, 1, 1, 1), 1, 20, 1),  # thin, partial sums
        geometry(70, (1, 1, 4, 1, 1, 3, 0), (1, 1, 4, 1, 1, 0, 3), 36, 70, 1),  # one pixel and padding
        geometry(2, (40, 40, 5, 1, 2, 4, 4), (300, 100, 2, 3, 1, 0, 0), 3, 8, 1),  # rows longer than a block
    ],
)
def test_cpu_convolutions_in_several_blocks_are_the_references(g, dtype):
    rng = np.random.default_rng(0)
    x, w, y = (rng.standard_normal(shape).astype(dtype) for shape in (g.image, g.weight, g.features))
    assert_near(cpu.conv2d(x, w, g, algorithm="im2col"), reference.conv2d(x, w, g), terms(g))
    assert_near(cpu.conv2d_transpose(y, w, g, algorithm="im2col"), reference.conv2d_transpose(y, w, g), terms(g))
    assert_near(cpu.conv2d_weight(x, y, g, algorithm="im2col"), reference.conv2d_weight(x, y, g), terms(g))


@given(conv_geometries(), makers())
def test_cpu_columns_are_the_references(g, make):
    x, columns = make(*g.image), make(*g.columns)
    np.testing.assert_array_equal(cpu.im2col(x, g), reference.im2col(x, g))
    assert_near(cpu.col2im(columns, g), reference.col2im(columns, g), g.KH * g.KW)


@IMPLEMENTATIONS
@given(conv_geometries(), makers(dtypes=st.just(np.float64)))
def test_the_three_convolutions_are_adjoints(kernels, g, make):
    """<conv2d(x, w), y> = <x, conv2d_transpose(y, w)> = <w, conv2d_weight(x, y)>"""
    x, w, y = make(*g.image), make(*g.weight), make(*g.features)
    expected = inner(kernels.conv2d(x, w, g), y)
    near = pytest.approx(expected, abs=1e-11 * (1 + y.size * np.sqrt(terms(g))))
    assert inner(x, kernels.conv2d_transpose(y, w, g)) == near
    assert inner(w, kernels.conv2d_weight(x, y, g)) == near


@IMPLEMENTATIONS
@given(conv_geometries(), makers(dtypes=st.just(np.float64)))
def test_col2im_is_the_adjoint_of_im2col(kernels, g, make):
    x, columns = make(*g.image), make(*g.columns)
    expected = pytest.approx(inner(kernels.im2col(x, g), columns), abs=1e-11 * (1 + columns.size))
    assert inner(x, kernels.col2im(columns, g)) == expected


@IMPLEMENTATIONS
@given(window_geometries(), makers(dtypes=st.just(np.float64)))
def test_pooling_and_its_adjoints(kernels, g, make):
    x = make(*g.image)
    indices = kernels.max_pool_indices(x, g)
    y = make(*indices.shape)
    near = 1e-11 * (1 + y.size)
    spread = kernels.window_spread(y, g)
    assert inner(kernels.window_sum(x, g), y) == pytest.approx(inner(x, spread), abs=near * g.KH * g.KW)
    scattered = kernels.pool_scatter(y, indices, g)
    assert inner(kernels.pool_gather(x, indices, g), y) == pytest.approx(inner(x, scattered), abs=near)


@given(window_geometries(), makers(), st.booleans())
def test_cpu_pooling_is_the_references(g, make, ties):
    x = make(*g.image)
    if ties:
        x = np.array([np.nan, -np.inf, 0, 1], x.dtype)[np.clip(np.rint(x), -2, 1).astype(int) + 2]
    indices = reference.max_pool_indices(x, g)
    y = make(*indices.shape)
    np.testing.assert_array_equal(cpu.max_pool_indices(x, g), indices)
    np.testing.assert_array_equal(cpu.pool_gather(x, indices, g), reference.pool_gather(x, indices, g))
    assert_near(cpu.pool_scatter(y, indices, g), reference.pool_scatter(y, indices, g), g.KH * g.KW)
    assert_near(cpu.window_sum(y_like(make, g), g), reference.window_sum(y_like(make, g), g), g.KH * g.KW)
    assert_near(cpu.window_spread(y, g), reference.window_spread(y, g), g.KH * g.KW)


def y_like(make, g):
    return np.arange(np.prod(g.image), dtype=make.dtype).reshape(g.image) % 7


@IMPLEMENTATIONS
@given(window_geometries(), makers())
def test_a_maximum_is_the_first_greatest_pixel_of_its_window(kernels, g, make):
    x = np.rint(make(*g.image))  # ties
    indices = kernels.max_pool_indices(x, g)
    for n, oh, ow, c in np.ndindex(indices.shape):
        rows = [h for h in range(oh * g.SH - g.PT, oh * g.SH - g.PT + g.KH * g.DH, g.DH) if 0 <= h < g.H]
        columns = [w for w in range(ow * g.SW - g.PL, ow * g.SW - g.PL + g.KW * g.DW, g.DW) if 0 <= w < g.W]
        places = [h * g.W + w for h in rows for w in columns]
        expected = max(places, key=lambda p: (x[n, p // g.W, p % g.W, c], -p), default=-1)
        assert indices[n, oh, ow, c] == expected


@given(conv_geometries(groups=st.just(1)), makers())
def test_arguments_are_left_as_they_were(g, make):
    x, w, y, columns = make(*g.image), make(*g.weight), make(*g.features), make(*g.columns)
    before = [array.tobytes() for array in (x, w, y, columns)]
    results = [
        cpu.conv2d(x, w, g),
        cpu.conv2d_transpose(y, w, g),
        cpu.conv2d_weight(x, y, g),
        cpu.im2col(x, g),
        cpu.col2im(columns, g),
        cpu.window_sum(x, g),
    ]
    assert [array.tobytes() for array in (x, w, y, columns)] == before
    assert all(not np.shares_memory(r, a) for r in results for a in (x, w, y, columns))


@given(conv_geometries(images=st.integers(1, 2)), DTYPES)
def test_nan_in_an_image_reaches_what_reads_it(g, dtype):
    x, w = np.full(g.image, np.nan, dtype), np.ones(g.weight, dtype)
    reads = reference.conv2d(np.ones(g.image, dtype), w, g) != 0
    np.testing.assert_array_equal(np.isnan(cpu.conv2d(x, w, g)), reads)


def test_mixed_and_integer_arrays_are_refused():
    g = geometry(1, (3, 3, 1, 1, 1, 0, 0), (3, 3, 1, 1, 1, 0, 0), 2, 2, 1)
    x, w = np.ones(g.image, np.float32), np.ones(g.weight, np.float64)
    with pytest.raises(DtypeError, match="float32, float64"):
        cpu.conv2d(x, w, g)
    with pytest.raises(DtypeError, match="int64"):
        cpu.im2col(x.astype(np.int64), g)
