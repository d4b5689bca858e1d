"""Products and convolutions find their elements in arrays of more than 2^31 and 2^32, as test_cuda_large.py has it."""

import math

import numpy as np
import pytest
from geometries_of_kernels import geometry
from large import MOST, SAME, SIZE, far, first, flat, last, mark, of, owners, pixels_of, reserve, running, windows_of
from simulated import sim_only

from minigan.kernels import reference
from minigan.kernels.cuda import implicit, matmul
from minigan.kernels.cuda.tiling import SHAPES, Plan, finish

pytestmark = sim_only


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Windows: elements of the result, and the elements that each is made of


# Products: the last tile of the last one, of the last part of the depth

USUAL = "medium"  # the other shapes have the same indices in tiles of other sizes
of_shapes = pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=() if shape == USUAL else pytest.mark.slow) for shape in sorted(SHAPES)]
)
IN_THREE = 40  # a depth that is cut in three parts, of which the last one has more than a few numbers
FEW = 5  # rows, columns and numbers along the depth that are not zero


def product_plan(shape, depth):
    """A plan with parts that take no longer than a fraction of a second."""
    return Plan(shape, 3 if depth == IN_THREE else -(-depth // 2048))


def ends(size):
    """The last numbers below this one, the last of all at the end."""
    return np.arange(max(size - FEW, 0), size)


def blocks_of(samples):
    """The last tile; of the pass that adds parts up, what those elements need."""
    return lambda kernel, count: owners(samples)(kernel, count) if kernel == "add_parts" else last(kernel, count)


@of_shapes
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "sizes",
    [
        (3_000_000_003, 3, 2),
        (3, 3_000_000_003, 2),
        (3, 3, 3_000_000_003),
        (60_003, 60_003, 5),
        (60_003, 5, 60_003),
        (5, 60_003, 60_003),
        (30_003, 30_003, 20_003),  # the parts' sums together
        (100, 3, 70_000_003),  # from a row that a thread loads to its next
        (300_000_007, 3, 20),  # from a step of the depth to the next
        (1, 1, (1 << 35) + 77),  # steps
    ],
    ids=str,
)
def test_matmul(shape, order, sizes, rng):
    m, n, depth = sizes
    a, b = (reserve(s) if order == "C" else reserve(s[::-1]).T for s in ((m, depth), (depth, n)))
    rows, columns, deep = ends(m), ends(n), ends(depth)
    np.asarray(a)[np.ix_(rows, deep)] = rng.integers(1, 64, (len(rows), len(deep)))
    np.asarray(b)[np.ix_(deep, columns)] = rng.integers(1, 64, (len(deep), len(columns)))
    bias = reserve(n)
    mark(rng, bias, columns)
    with running(blocks_of((rows[:, None] * n + columns).reshape(-1))):
        y = matmul(a, b, bias, 0.5, how=product_plan(shape, depth))
    product = np.asarray(a)[np.ix_(rows, deep)] @ np.asarray(b)[np.ix_(deep, columns)] + flat(bias)[columns]
    corner = np.s_[-last_tile(m, SHAPES[shape].rows) :, -last_tile(n, SHAPES[shape].columns) :]
    np.testing.assert_allclose(
        np.asarray(y)[np.ix_(rows, columns)][corner], reference.leaky_relu(product, 0.5)[corner], rtol=1e-5
    )


@of_shapes
@pytest.mark.parametrize("sizes", [(3_000_000_003, 3, 2), (3, 3_000_000_003, 2)], ids=str)
def test_the_first_tile_of_a_product(shape, sizes, rng):
    """After it there are more rows, or columns, than an int counts."""
    m, n, depth = sizes
    a, b = reserve((m, depth)), reserve((depth, n))
    for few in (np.asarray(a)[:FEW], np.asarray(b)[:, :FEW]):
        few[:] = rng.integers(1, 64, few.shape)
    with running(first):
        y = matmul(a, b, how=Plan(shape, 1))
    columns = min(FEW, SHAPES[shape].columns)
    product = np.asarray(a)[:FEW] @ np.asarray(b)[:, :columns]
    np.testing.assert_array_equal(np.asarray(y)[:FEW, :columns], product)


def last_tile(size, tile):
    """Of the last tile's numbers, how many are among the few."""
    return min((size - 1) % tile + 1, FEW)


@pytest.mark.parametrize("columns", [7, SIZE])
def test_the_parts_of_a_product_are_added(columns, rng):
    parts = 3
    shape = (SIZE // columns, columns)
    total = shape[0] * shape[1]
    samples = far(rng, total)
    sums, bias, out = reserve((parts, *shape)), reserve(columns), reserve(shape)
    places = samples + np.arange(parts)[:, None] * total
    mark(rng, sums, places)
    mark(rng, bias, samples % columns)
    with running(owners(samples)):
        finish(sums, out, parts, bias, 0.5)
    expected = flat(sums)[places].sum(0, dtype=np.float64) + flat(bias)[samples % columns]
    np.testing.assert_allclose(flat(out)[samples], reference.leaky_relu(expected, 0.5), rtol=1e-5, atol=1e-6)


CONVOLUTIONS = {
    "images": geometry(800_000_009, (4, 3, 2, 1, 1, 0, 0), (2, 1, 2, 2, 1, 0, 0), 2, 2, 1),
    "images in parts": geometry(1_200_000_007, SAME, SAME, 1, IN_THREE, 1),
    "pixels": geometry(2, (70_004, 35_002, 2, 2, 1, 0, 0), (70_006, 35_003, 2, 2, 1, 0, 0), 1, 2, 1),
    "wide": geometry(1, SAME, (MOST - 11, MOST - 9, 3, 1, 1, 2, 2), 2, 2, 1),
    "high": geometry(1, (MOST - 11, MOST - 9, 3, 1, 1, 2, 2), SAME, 2, 2, 1),
    "channels": geometry(2, (4, 2, 3, 1, 1, 0, 0), (4, 2, 3, 1, 1, 0, 0), (1 << 29) + 5, 3, 1),
    "filters": geometry(2, (3, 2, 2, 1, 1, 0, 0), (3, 2, 2, 1, 1, 0, 0), 20, (1 << 29) + 5, 1),
    "taps": geometry(1, (3, 3, 50_001, 1, 1, 50_000, 0), (3, 3, 50_001, 1, 1, 50_000, 0), 1, 2, 1),
    "long kernels": geometry(1, (12, 2, 8, 4, 1, 0, 0), (3, 3, (1 << 30) - 1, 1, 1, (1 << 30) - 2, 0), 1, 3, 1),
    "groups": geometry(9, (4, 2, 2, 2, 1, 0, 0), (4, 2, 2, 2, 1, 0, 0), *[(1 << 28) + 5] * 3),
}
of_convolutions = of(CONVOLUTIONS)


def check_product(rng, launch, left, right, out, places):
    """Run a product of the arrays left and right and compare some elements.

    left: (array, its elements by number, (rows, depth), whether there are such); right: (array, (depth, columns))
    places: the elements of the result, (rows, columns)
    """
    (a, of_a, inside), (b, of_b) = left, right
    mark(rng, a, of_a[inside], signs=[1])
    mark(rng, b, of_b, signs=[1])
    with running(blocks_of(places.reshape(-1))):
        y = launch()
    assert y.shape == out
    expected = np.where(inside, flat(a)[of_a], 0).astype(np.float64) @ flat(b)[of_b]
    assert expected[-1].all(), "the last elements say something"
    np.testing.assert_allclose(flat(y)[places], expected, rtol=1e-6)


@of_shapes
@of_convolutions
def test_conv2d(g, shape, rng):
    channels, filters = g.C // g.G, g.K // g.G
    rows, features = g.N * g.OH * g.OW, g.K - 1 - np.arange(last_tile(filters, SHAPES[shape].columns))
    windows = ends(rows)[-last_tile(rows, SHAPES[shape].rows) :]
    deep = ends(g.KH * g.KW * channels)
    tap, c = deep // channels, (g.G - 1) * channels + deep % channels
    pixels, _, inside = pixels_of(g, windows * g.C, tap)
    x, w = reserve(g.image), reserve(g.weight)
    check_product(
        rng,
        lambda: implicit.conv2d(x, w, g, None, 1.0, how=product_plan(shape, g.KH * g.KW * channels)),
        (x, pixels + c, inside),
        (w, deep[:, None] * g.K + features),
        g.features,
        windows[:, None] * g.K + features,
    )


def taps_of_last_phase(kernel, stride, dilation):
    first = next(tap for tap in range(kernel) if tap * dilation % stride == stride - 1)
    return range(first, kernel, stride // math.gcd(stride, dilation))


@of_shapes
@of_convolutions
def test_conv2d_transpose(g, shape, rng):
    # the last phase: of a pixel and a stride before the end, and of as many taps before the last
    channels, filters = g.C // g.G, g.K // g.G
    assert (g.PT, g.H % g.SH, g.W % g.SW) == (0, 0, 0) or g.SH == g.SW == 1, (
        "the last phase has as many pixels as others"
    )
    high, wide = g.H // g.SH, g.W // g.SW
    rows = g.N * high * wide
    numbers = ends(rows)[-last_tile(rows, SHAPES[shape].rows) :]
    n, i, j = np.unravel_index(numbers, (g.N, high, wide))
    pixels = ((n * g.H + i * g.SH + g.SH - 1) * g.W + j * g.SW + g.SW - 1) * g.C
    kh, kw = taps_of_last_phase(g.KH, g.SH, g.DH), taps_of_last_phase(g.KW, g.SW, g.DW)
    deep = ends(len(kh) * len(kw) * filters)
    tap, k = deep // filters, (g.G - 1) * filters + deep % filters
    tap = (kh[0] + tap // len(kw) * kh.step) * g.KW + kw[0] + tap % len(kw) * kw.step
    c = np.arange(channels - last_tile(channels, SHAPES[shape].columns), channels)
    windows, inside = windows_of(g, pixels, tap)
    y, w = reserve(g.features), reserve(g.weight)
    check_product(
        rng,
        lambda: implicit.conv2d_transpose(y, w, g, None, how=product_plan(shape, len(kh) * len(kw) * filters)),
        (y, windows // g.C * g.K + k, inside),
        (w, (tap[:, None] * channels + c) * g.K + k[:, None]),
        g.image,
        pixels[:, None] + (g.G - 1) * channels + c,
    )


@of_shapes
def test_the_first_tile_of_a_transposed_convolution(shape, rng):
    """After it there are more pixels than an int counts."""
    g = CONVOLUTIONS["images"]
    few = g._replace(N=2)
    y, w = reserve(g.features), reserve(g.weight)
    mark(rng, y, np.arange(np.prod(few.features)))
    mark(rng, w, np.arange(w.size))
    with running(first):
        x = implicit.conv2d_transpose(y, w, g, None, how=Plan(shape, 1))
    expected = reference.conv2d_transpose(np.asarray(y)[: few.N], np.asarray(w), few)
    of_phase = np.s_[: few.N, :: g.SH, :: g.SW]
    np.testing.assert_allclose(np.asarray(x)[of_phase], expected[of_phase], rtol=1e-6)


@of_shapes
@of_convolutions
def test_conv2d_weight(g, shape, rng):
    channels, filters = g.C // g.G, g.K // g.G
    size = g.KH * g.KW * channels
    rows = ends(size)[-last_tile(size, SHAPES[shape].rows) :]
    features = g.K - 1 - np.arange(last_tile(filters, SHAPES[shape].columns))
    deep = ends(g.N * g.OH * g.OW)
    tap, c = rows // channels, (g.G - 1) * channels + rows % channels
    pixels, _, inside = (each.T for each in pixels_of(g, deep * g.C, tap))
    x, y = reserve(g.image), reserve(g.features)
    check_product(
        rng,
        lambda: implicit.conv2d_weight(x, y, g, how=product_plan(shape, g.N * g.OH * g.OW)),
        (x, pixels + c[:, None], inside),
        (y, deep[:, None] * g.K + features),
        g.weight,
        rows[:, None] * g.K + features,
    )
