"""Convolutions in CUDA are the reference's and adjoint to one another, by each algorithm, tile and number of parts."""

import numpy as np
import pytest
from geometries_of_kernels import conv_geometries, geometry, inner, makers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulated import DTYPES, SEEDS, as_it_lies, assert_close, on_device, ordered, plain

from minigan.errors import DtypeError, UnknownNameError
from minigan.kernels import reference
from minigan.kernels.cuda import conv as cuda
from minigan.kernels.cuda import implicit
from minigan.kernels.cuda.conv import ALGORITHMS
from minigan.kernels.cuda.tiling import ON_TENSOR_CORES, SHAPES, Plan

EXACT = sorted(set(ALGORITHMS) - set(ON_TENSOR_CORES))
NAMES = st.sampled_from(EXACT)
IMAGES = st.integers(1, 3)
PLANS = st.builds(Plan, st.sampled_from(sorted(set(SHAPES) - set(ON_TENSOR_CORES))), st.sampled_from([1, 1, 2, 5]))
SLOPES = st.sampled_from([1.0, 0.2, 0.0])
BELOW_STRIDE = geometry(2, (11, 4, 2, 3, 1, 0, 0), (9, 3, 1, 3, 1, 0, 0), 3, 5, 1)  # some pixels are in no window
COMMON_FACTOR = geometry(1, (15, 4, 3, 4, 2, 1, 1), (13, 3, 2, 4, 6, 0, 2), 4, 6, 2)  # of stride and dilation
ONE_SIDED = geometry(1, (1, 3, 3, 2, 1, 4, 2), (2, 2, 3, 1, 1, 0, 2), 17, 18, 1)  # windows of nothing but padding
DEPTHWISE = geometry(3, (5, 5, 3, 1, 1, 1, 1), (6, 3, 3, 2, 1, 0, 1), 9, 9, 9)
SEVERAL_TILES = geometry(3, (9, 9, 2, 1, 1, 1, 0), (8, 4, 2, 2, 1, 0, 0), 70, 66, 1)
TWO_TILES = geometry(2, (5, 5, 2, 1, 1, 1, 0), (8, 4, 2, 2, 1, 0, 0), 18, 66, 1)


def terms(g):
    return g.KH * g.KW * max(g.C, g.K) + g.N * g.OH * g.OW


def draw(g, dtype):
    """x, w, y and a bias for each side, and the same on the device."""
    rng = np.random.default_rng(0)
    shapes = g.image, g.weight, g.features, (g.C,), (g.K,)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    return arrays, [on_device(array) for array in arrays]


def assert_are_the_references(g, dtype, slope, seed, conv2d, conv2d_transpose, conv2d_weight):
    (x, w, y, of_c, of_k), (dx, dw, dy, dc, dk) = draw(g, dtype)
    before = [array.tobytes() for array in (dx, dw, dy, dc, dk)]
    with ordered(seed):
        assert_close(conv2d(dx, dw, g, dk, slope), reference.conv2d(x, w, g, of_k, slope), terms(g))
        assert_close(conv2d_transpose(dy, dw, g, dc), reference.conv2d_transpose(y, w, g, of_c), terms(g))
        assert_close(conv2d_weight(dx, dy, g), reference.conv2d_weight(x, y, g), terms(g))
    assert [array.tobytes() for array in (dx, dw, dy, dc, dk)] == before


@settings(max_examples=30)
@given(conv_geometries(images=IMAGES), DTYPES, SLOPES, PLANS, SEEDS)
@example(BELOW_STRIDE, np.float64, 1.0, Plan("medium", 1), 1)
@example(COMMON_FACTOR, np.float32, 0.2, Plan("narrow", 2), 2)
@example(ONE_SIDED, np.float64, 0.2, Plan("large", 1), 3)
@example(DEPTHWISE, np.float32, 0.0, Plan("narrow", 1), 0)
@example(SEVERAL_TILES, np.float32, 1.0, Plan("medium", 2), 1)
@example(SEVERAL_TILES, np.float64, 1.0, Plan("large", 3), 2)
def test_implicit_products_are_the_references(g, dtype, slope, how, seed):
    assert_are_the_references(
        g,
        dtype,
        slope,
        seed,
        lambda *args: implicit.conv2d(*args, how=how),
        lambda *args: implicit.conv2d_transpose(*args, how=how),
        lambda *args: implicit.conv2d_weight(*args, how=how),
    )


@settings(max_examples=30)
@given(conv_geometries(), NAMES, DTYPES, SLOPES, SEEDS)
@example(DEPTHWISE, "im2col", np.float32, 0.2, 1)
@example(BELOW_STRIDE, "im2col", np.float64, 0.2, 1)
def test_algorithms_are_the_references(g, name, dtype, slope, seed):
    assert_are_the_references(
        g,
        dtype,
        slope,
        seed,
        lambda *args: cuda.conv2d(*args, algorithm=name),
        lambda *args: cuda.conv2d_transpose(*args, algorithm=name),
        lambda *args: cuda.conv2d_weight(*args, algorithm=name),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*EXACT, None])
def test_windows_that_are_the_whole_image_are_the_references(name, dtype):
    """As in a DCGAN's first and last layer; beside them, geometries that are nearly so."""
    whole = (4, 1, 4, 1, 1, 0, 0)
    for along in (whole, (4, 1, 4, 3, 1, 0, 0), (5, 1, 4, 2, 1, 0, 0), (4, 1, 4, 1, 1, 1, 0), (3, 1, 2, 1, 2, 0, 0)):
        for groups in (1, 3):
            assert_are_the_references(
                geometry(5, whole, along, 9, 6, groups),
                dtype,
                0.2,
                1,
                lambda *args: cuda.conv2d(*args, algorithm=name),
                lambda *args: cuda.conv2d_transpose(*args, algorithm=name),
                lambda *args: cuda.conv2d_weight(*args, algorithm=name),
            )


@settings(max_examples=20)
@given(conv_geometries(), makers(), NAMES)
def test_without_a_bias_and_in_any_layout(g, make, name):
    x, w, y = make(*g.image), make(*g.weight), make(*g.features)
    dx, dw, dy = map(as_it_lies, (x, w, y))
    assert_close(cuda.conv2d(dx, dw, g, algorithm=name), reference.conv2d(x, w, g), terms(g))
    assert_close(cuda.conv2d_transpose(dy, dw, g, algorithm=name), reference.conv2d_transpose(y, w, g), terms(g))
    assert_close(cuda.conv2d_weight(dx, dy, g, algorithm=name), reference.conv2d_weight(x, y, g), terms(g))


@settings(max_examples=30)
@given(conv_geometries(), NAMES)
@example(COMMON_FACTOR, "implicit")
def test_the_three_convolutions_are_adjoints(g, name):
    """<conv2d(x, w), y> = <x, conv2d_transpose(y, w)> = <w, conv2d_weight(x, y)>"""
    (x, w, y, *_), (dx, dw, dy, *_) = draw(g, np.float64)
    expected = inner(plain(cuda.conv2d(dx, dw, g, algorithm=name)), y)
    near = pytest.approx(expected, abs=1e-11 * (1 + y.size * np.sqrt(terms(g))))
    assert inner(x, plain(cuda.conv2d_transpose(dy, dw, g, algorithm=name))) == near
    assert inner(w, plain(cuda.conv2d_weight(dx, dy, g, algorithm=name))) == near


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
def test_nan_and_infinities_in_images_are_the_references(name, slope):
    g = geometry(2, (5, 3, 3, 2, 1, 1, 1), (4, 2, 4, 2, 1, 1, 1), 3, 4, 1)
    (x, w, y, of_c, of_k), _ = draw(g, np.float64)
    x[0, 1, 1], x[0, 2, 3, 0], y[1, 2, 1, 0], y[0, 0, 0, 1] = np.inf, np.nan, -np.inf, np.nan
    dx, dw, dy, dc, dk = (on_device(array) for array in (x, w, y, of_c, of_k))
    with np.errstate(invalid="ignore"):
        assert_close(cuda.conv2d(dx, dw, g, dk, slope, name), reference.conv2d(x, w, g, of_k, slope), terms(g))
        assert_close(cuda.conv2d_transpose(dy, dw, g, dc, name), reference.conv2d_transpose(y, w, g, of_c), terms(g))
        assert_close(cuda.conv2d_weight(dx, dy, g, name), reference.conv2d_weight(x, y, g), terms(g))


@settings(max_examples=30)
@given(conv_geometries(images=IMAGES), st.integers(0, 10_000), PLANS)
@example(BELOW_STRIDE, 54, Plan("large", 1))  # the pixel below the first window, which no window reads
@example(BELOW_STRIDE, 54, Plan("medium", 1))
@example(BELOW_STRIDE, 54, Plan("narrow", 1))
def test_nan_reaches_what_it_is_multiplied_into_and_nothing_else(g, place, how):
    """So what a tile has beyond the depth is not read, even though it would be multiplied by 0."""
    (x, w, y, *_), (_, dw, *_) = draw(g, np.float64)
    x.ravel()[place % x.size] = y.ravel()[place % y.size] = np.nan
    dx, dy = on_device(x), on_device(y)
    assert_close(implicit.conv2d(dx, dw, g, None, 1.0, how=how), reference.conv2d(x, w, g), terms(g))
    assert_close(implicit.conv2d_transpose(dy, dw, g, None, how=how), reference.conv2d_transpose(y, w, g), terms(g))
    assert_close(implicit.conv2d_weight(dx, dy, g, how=how), reference.conv2d_weight(x, y, g), terms(g))


@pytest.mark.parametrize("name", EXACT)
def test_infinite_weights_are_seen(name):
    """By the implicit product also where it multiplies them by the zeros beyond the features' edge."""
    g = geometry(2, (5, 3, 3, 2, 1, 1, 1), (4, 2, 4, 2, 1, 1, 1), 3, 4, 1)
    (x, w, y, *_), (dx, _, dy, *_) = draw(g, np.float64)
    w[1, 2, 0, 3], w[0, 0, 2, 1] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        expected, forward = reference.conv2d_transpose(y, w, g), reference.conv2d(x, w, g)
        assert_close(cuda.conv2d(dx, on_device(w), g, algorithm=name), forward, terms(g))
        made = plain(cuda.conv2d_transpose(dy, on_device(w), g, algorithm=name))
    more = np.isnan(made) & ~np.isnan(expected)
    assert not more.any() or name == "implicit"
    np.testing.assert_allclose(made[~more], expected[~more], rtol=1e-12)


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
@pytest.mark.parametrize(("images", "channels", "features"), [(0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 0, 0)])
def test_sums_of_nothing(name, images, channels, features):
    g = geometry(images, (4, 2, 2, 2, 1, 0, 0), (5, 2, 3, 2, 1, 0, 0), channels, features, 1)
    assert_are_the_references(
        g,
        np.float32,
        0.2,
        0,
        lambda *args: cuda.conv2d(*args, algorithm=name),
        lambda *args: cuda.conv2d_transpose(*args, algorithm=name),
        lambda *args: cuda.conv2d_weight(*args, algorithm=name),
    )


def in_tf32(array):
    """float32 with 10 bits after the point: to nearest, halves away from zero."""
    return ((np.ascontiguousarray(array).view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)


def in_bf16(array):
    """float32 with 7 bits after the point: to nearest, halves to even."""
    bits = np.ascontiguousarray(array).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32)


ROUNDED = {"tf32": in_tf32, "bf16": in_bf16}
LAST_BIT = {"tf32": 2.0**-10, "bf16": 2.0**-7}
NUMBERS = pytest.mark.parametrize("numbers", ON_TENSOR_CORES)


@NUMBERS
@settings(max_examples=5)
@given(conv_geometries(st.just(1), st.integers(1, 2), st.integers(1, 20)), SLOPES, st.sampled_from([1, 2]), SEEDS)
@example(TWO_TILES, 0.2, 1, 1)
@example(COMMON_FACTOR, 1.0, 2, 2)
def test_on_tensor_cores_factors_are_rounded_and_sums_are_not(numbers, g, slope, parts, seed):
    (x, w, y, of_c, of_k), (dx, dw, dy, dc, dk) = draw(g, np.float32)
    x, w, y = map(ROUNDED[numbers], (x, w, y))
    how = Plan(numbers, parts)
    with ordered(seed):
        made = implicit.conv2d(dx, dw, g, dk, slope, how=how)
        assert_close(made, reference.conv2d(x, w, g, of_k, slope), terms(g))
        made = implicit.conv2d_transpose(dy, dw, g, dc, how=how)
        assert_close(made, reference.conv2d_transpose(y, w, g, of_c), terms(g))
        made = implicit.conv2d_weight(dx, dy, g, how=how)
        assert_close(made, reference.conv2d_weight(x, y, g), terms(g))


@NUMBERS
def test_halves_infinities_and_nan_are_rounded_right(numbers):
    """1 x 1 convolutions with the identity give the rounded image back."""
    g = geometry(1, (6, 6, 1, 1, 1, 0, 0), (1, 1, 1, 1, 1, 0, 0), 16, 16, 1)
    half = LAST_BIT[numbers] / 2
    x = np.zeros(g.image, np.float32)
    x[0, 0, 0, :6] = 1 + half, 1 + 3 * half, -1 - half, 1 + 0.99 * half, 1e-30, 1 - half
    x[0, 3, 0, 2], x[0, 5, 0, 3] = np.inf, np.nan
    w = np.eye(16, dtype=np.float32).reshape(g.weight)
    with np.errstate(invalid="ignore"):
        made = plain(implicit.conv2d(on_device(x), on_device(w), g, None, 1.0, how=Plan(numbers, 1)))
    np.testing.assert_array_equal(made[0, :3], ROUNDED[numbers](x)[0, :3])
    assert made[0, 3, 0, 2] == np.inf
    assert np.isnan(made).sum() == 15 + 16  # an infinity times zeros, and a NaN


@NUMBERS
@pytest.mark.parametrize("features", [5, 20])
def test_rounded_products_are_near_the_reference(numbers, features):
    g = geometry(2, (5, 3, 3, 2, 1, 1, 1), (4, 2, 4, 2, 1, 1, 1), 20, features, 1)
    (x, w, y, of_c, of_k), (dx, dw, dy, dc, dk) = draw(g, np.float32)
    for made, expected in (
        (cuda.conv2d(dx, dw, g, dk, 0.2, numbers), reference.conv2d(x, w, g, of_k, 0.2)),
        (cuda.conv2d_transpose(dy, dw, g, dc, numbers), reference.conv2d_transpose(y, w, g, of_c)),
        (cuda.conv2d_weight(dx, dy, g, numbers), reference.conv2d_weight(x, y, g)),
    ):
        np.testing.assert_allclose(plain(made), expected, atol=LAST_BIT[numbers] * np.sqrt(terms(g)))


@NUMBERS
def test_tensor_cores_are_for_float32(numbers):
    g = geometry(1, (3, 3, 1, 1, 1, 0, 0), (3, 3, 1, 1, 1, 0, 0), 1, 1, 1)
    with pytest.raises(DtypeError, match="float64"):
        cuda.conv2d(on_device(np.ones(g.image)), on_device(np.ones(g.weight)), g, algorithm=numbers)


def test_the_order_of_blocks_changes_nothing():
    _, (x, w, y, *_) = draw(SEVERAL_TILES, np.float32)
    how, results = Plan("medium", 3), set()
    for seed in range(2):
        with ordered(seed):
            made = (
                implicit.conv2d(x, w, SEVERAL_TILES, None, 1.0, how=how),
                implicit.conv2d_transpose(y, w, SEVERAL_TILES, None, how=how),
                implicit.conv2d_weight(x, y, SEVERAL_TILES, how=how),
            )
        results.add(b"".join(array.tobytes() for array in made))
    assert len(results) == 1


@pytest.mark.parametrize("call", [cuda.conv2d, cuda.conv2d_transpose, cuda.conv2d_weight])
def test_algorithms_that_do_not_exist_are_refused(call):
    g = geometry(1, (3, 3, 1, 1, 1, 0, 0), (3, 3, 1, 1, 1, 0, 0), 1, 1, 1)
    with pytest.raises(UnknownNameError, match="im2kol"):
        call(None, None, g, algorithm="im2kol")


def test_two_dtypes_are_refused():
    g = geometry(1, (3, 3, 1, 1, 1, 0, 0), (3, 3, 1, 1, 1, 0, 0), 1, 1, 1)
    with pytest.raises(DtypeError, match="float32, float64"):
        cuda.conv2d(on_device(np.ones(g.image, np.float32)), on_device(np.ones(g.weight)), g)
