"""Kernels find their elements in arrays of more than 2^31 and 2^32, whichever sizes have that product.

No such array is allocated, see large.py. Expected are the same elements in NumPy, whose indices have 64 bits. In the
same launches an integer that overflows is an error, whatever it was for.
"""

import shutil

import numpy as np
import pytest
import test_cuda_large_columns as of_columns
from geometries_of_kernels import geometry
from large import (
    MOST,
    SAME,
    SIZE,
    Large,
    corners,
    far,
    flat,
    last,
    mark,
    of,
    owners,
    pixels_of,
    reserve,
    running,
    windows_of,
)
from simulated import on_device, plain, sim_only

from minigan.errors import ShapeError
from minigan.kernels import reference
from minigan.kernels.cuda import (
    SimulatorError,
    activation,
    adam_update,
    loss,
    pool,
    random,
    rmsprop_update,
    sgd_update,
    window,
)
from minigan.kernels.cuda.columns import cut
from minigan.kernels.cuda.launch import FOLDER, THREADS, address_of, each, record, run
from minigan.kernels.cuda.optim import BLOCK
from minigan.kernels.cuda.tiling import plan

pytestmark = sim_only
WINDOWS = {
    "images": geometry(400_000_009, (3, 3, 2, 1, 1, 1, 0), (5, 2, 3, 2, 1, 0, 0), 2, 2, 2),
    "pixels": geometry(2, (46_001, 46_001, 3, 1, 1, 1, 1), (46_003, 23_002, 2, 2, 2, 1, 1), 3, 3, 3),
    "channels": geometry(2, (3, 2, 2, 1, 1, 0, 0), (4, 2, 2, 2, 1, 0, 0), *[(1 << 29) + 5] * 3),
    "wide": geometry(1, SAME, (MOST - 11, MOST - 9, 3, 1, 1, 2, 2), 2, 2, 2),
    "high": geometry(1, (MOST - 11, MOST - 9, 3, 1, 1, 2, 2), SAME, 2, 2, 2),
}
PIXELS = {
    "too many pixels for indices": geometry(
        1, (70_001, 70_001, 2, 1, 1, 1, 0), (70_003, 70_003, 1, 1, 1, 0, 0), 1, 1, 1
    )
}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Windows: elements of the result, and the elements that each is made of


def assert_sums(actual, terms, inside):
    np.testing.assert_allclose(actual, np.where(inside, terms, 0).sum(1, dtype=np.float64), rtol=1e-6, atol=1e-6)


@of(WINDOWS | PIXELS)
def test_im2col(g, rng):
    samples = far(rng, np.prod(g.columns, dtype=object))
    at, tap, c = np.unravel_index(samples, (g.N * g.OH * g.OW, g.KH * g.KW, g.C))
    pixels, _, inside = (each[np.arange(len(tap)), tap] for each in pixels_of(g, at * g.C + c))
    x = reserve(g.image)
    mark(rng, x, pixels[inside])
    with running(owners(samples)):
        columns = window.im2col(x, g)
    np.testing.assert_array_equal(flat(columns)[samples], np.where(inside, flat(x)[pixels], 0))


@of(WINDOWS | PIXELS)
def test_col2im(g, rng):
    samples = far(rng, np.prod(g.image, dtype=object))
    windows, inside = windows_of(g, samples)
    taps = np.arange(g.KH * g.KW)
    places = (windows // g.C * len(taps) + taps) * g.C + windows % g.C
    columns = reserve(g.columns)
    mark(rng, columns, places[inside])
    with running(owners(samples)):
        x = window.col2im(columns, g)
    assert_sums(flat(x)[samples], flat(columns)[places], inside)


@of(WINDOWS)
def test_max_pool_indices(g, rng):
    samples = far(rng, np.prod(pool.pooled(g), dtype=object))
    pixels, places, inside = pixels_of(g, samples)
    x = reserve(g.image)
    mark(rng, x, pixels[inside])
    with running(owners(samples)):
        indices = pool.max_pool_indices(x, g)
    best = np.where(inside, flat(x)[pixels], -np.inf).argmax(1)
    expected = np.where(inside.any(1), places[np.arange(len(places)), best], -1)
    np.testing.assert_array_equal(flat(indices)[samples], expected)


@of(WINDOWS)
def test_pool_gather(g, rng):
    samples = far(rng, np.prod(pool.pooled(g), dtype=object))
    n, c = samples // (g.OH * g.OW * g.C), samples % g.C
    places = rng.choice([g.H * g.W - 1, g.H * g.W - 2, 0], len(samples))
    pixels = (n * g.H * g.W + places) * g.C + c
    x, indices = reserve(g.image), reserve(pool.pooled(g), np.int32)
    flat(indices)[samples] = places
    mark(rng, x, pixels)
    with running(owners(samples)):
        y = pool.pool_gather(x, indices, g)
    np.testing.assert_array_equal(flat(y)[samples], flat(x)[pixels])


@of(WINDOWS)
def test_pool_scatter(g, rng):
    samples = far(rng, np.prod(g.image, dtype=object))
    windows, inside = windows_of(g, samples)
    here = samples // g.C % (g.H * g.W)
    y, indices = reserve(pool.pooled(g)), reserve(pool.pooled(g), np.int32)
    mark(rng, y, windows[inside])
    flat(indices)[windows[inside]] = np.broadcast_to(here[:, None], windows.shape)[inside]
    with running(owners(samples)):
        x = pool.pool_scatter(y, indices, g)
    assert_sums(flat(x)[samples], flat(y)[windows], inside & (flat(indices)[windows] == here[:, None]))


@of(WINDOWS | PIXELS)
def test_window_sum(g, rng):
    samples = far(rng, np.prod(pool.pooled(g), dtype=object))
    pixels, _, inside = pixels_of(g, samples)
    x = reserve(g.image)
    mark(rng, x, pixels[inside])
    with running(owners(samples)):
        y = pool.window_sum(x, g)
    assert_sums(flat(y)[samples], flat(x)[pixels], inside)


@of(WINDOWS | PIXELS)
def test_window_spread(g, rng):
    samples = far(rng, np.prod(g.image, dtype=object))
    windows, inside = windows_of(g, samples)
    y = reserve(pool.pooled(g))
    mark(rng, y, windows[inside])
    with running(owners(samples)):
        x = pool.window_spread(y, g)
    assert_sums(flat(x)[samples], flat(y)[windows], inside)


@of(PIXELS)
def test_indices_are_refused_where_they_cannot_tell_pixels_apart(g):
    indices = reserve(pool.pooled(g), np.int32)
    for call in (
        lambda: pool.max_pool_indices(reserve(g.image), g),
        lambda: pool.pool_gather(reserve(g.image), indices, g),
        lambda: pool.pool_scatter(reserve(pool.pooled(g)), indices, g),
    ):
        with pytest.raises(ShapeError, match="70001 x 70003 has more pixels than indices"):
            call()


# Numbers in a row


@pytest.mark.parametrize("offset", [0, 1])  # where runs of numbers begin, and where they do not
def test_activations(offset, rng):
    samples = far(rng, SIZE)
    x, g = (reserve(SIZE + offset)[offset:] for _ in range(2))
    for array in (x, g):
        mark(rng, array, samples)
    a, b = flat(x)[samples], flat(g)[samples]
    with running(owners(samples, run=1 if offset else 4)):
        for actual, expected in (
            (activation.leaky_relu(x, 0.5), reference.leaky_relu(a, 0.5)),
            (activation.leaky_relu_vjp(g, x, 0.5), reference.leaky_relu_vjp(b, a, 0.5)),
            (activation.tanh_vjp(g, x), reference.tanh_vjp(b, a)),
        ):
            np.testing.assert_allclose(flat(actual)[samples], expected, rtol=1e-6)


def test_more_threads_than_32_bits_count(rng):
    samples = np.array([SIZE - 1])
    x, y = reserve(SIZE), reserve(SIZE)
    mark(rng, x, samples)
    with running(last):
        blocks = -(-SIZE // THREADS)
        run("loss.cu", "cross_entropy_excess", (blocks, THREADS), x, x, y, 0.25, 0, SIZE)
    np.testing.assert_allclose(flat(y)[samples], 1 / (1 + np.exp(-flat(x)[samples])) - 0.25, rtol=1e-6)


@pytest.mark.parametrize("given", [0, 1])
def test_cross_entropy(given, rng):
    how = cut(SIZE, 1)
    rows = SIZE - (how.runs - 1) * how.run
    samples = np.array([0, how.run - 1, SIZE - rows, SIZE - 2, SIZE - 1])
    logits, targets = reserve(SIZE), reserve(SIZE) if given else 0.25
    mark(rng, logits, samples, 1e6)  # beside the many zeros of these blocks, of which each costs log 2
    if given:
        flat(targets)[samples] = 0.25
    with running(corners(1)):
        total = loss.binary_cross_entropy_sum(logits, targets)
    z = flat(logits)[samples].astype(np.float64)
    zeros = (how.run + rows - len(samples)) * np.log(2)
    np.testing.assert_allclose(float(total), np.maximum(0.75 * z, -0.25 * z).sum() + zeros, rtol=1e-6)
    samples = far(rng, SIZE)
    mark(rng, logits, samples)
    if given:
        flat(targets)[samples] = 0.25
    with running(owners(samples)):
        excess = loss.binary_cross_entropy_excess(logits, targets)
    np.testing.assert_allclose(flat(excess)[samples], 1 / (1 + np.exp(-flat(logits)[samples])) - 0.25, rtol=1e-5)


def test_segment_sums(rng):
    """Rows so long that three of them, and two sums, have more than 2^32 elements."""
    width = SIZE // 2 + 1
    segments, order = on_device(np.array([1, 0, 1])), on_device(np.array([1, 0, 2]))
    rows, sums = reserve((3, width)), reserve((2, width))
    samples = (np.arange(3)[:, None] * width + [0, 1, width - 1]).ravel()
    mark(rng, rows, samples)
    with running(owners(samples)):
        run("segment.cu", "segment_sums", each(rows.size), rows, segments, order, sums, 3, width)
    first, second, third = flat(rows)[samples].reshape(3, -1)
    np.testing.assert_array_equal(flat(sums)[samples[:6]], np.concatenate([second, first + third]))


def test_segments_of_large_numbers():
    segments, order = on_device(np.array([SIZE - 1, 5, SIZE - 1, 5 + (1 << 32)])), on_device(np.zeros(4, int))
    rows, sums = on_device(np.array([1, 2, 4, 8], np.float32)), reserve(SIZE)
    with running(last):
        run("segment.cu", "order_by_segment", (1, THREADS), segments, order, 4, real=np.float32)
        run("segment.cu", "segment_sums", (1, THREADS), rows, segments, order, sums, 4, 1)
    np.testing.assert_array_equal(plain(order), [1, 3, 0, 2])
    np.testing.assert_array_equal(flat(sums)[[5, 5 + (1 << 32), SIZE - 1]], [2, 8, 5])


def test_segment_sums_of_many_rows():
    """All but the last row are of segment 0; the last one is the place that is looked at."""
    order, segments, rows, sums = reserve(SIZE, np.int64), on_device(np.array([0, 3])), reserve(2), reserve(4)
    flat(order)[-1], flat(rows)[1] = 1, 7
    with running(lambda kernel, count: [(SIZE - 1) // THREADS % count]):
        run("segment.cu", "segment_sums", each(SIZE), rows, segments, order, sums, SIZE, 1)
    np.testing.assert_array_equal(flat(sums), [0, 0, 0, 7])


@pytest.mark.parametrize("name", ["uniform", "standard_normal"])
@pytest.mark.parametrize("offset", [0, 1])  # where four numbers begin, and where they do not
def test_random_numbers(name, offset, rng):
    samples, key, block = far(rng, SIZE), 0xFEDCBA9876543210, (1 << 33) + 5
    out = reserve(SIZE + offset)[offset:]
    with running(owners(samples, run=4)):
        getattr(random, name)(out, key, block)
    expected = np.empty((len(samples), 4), np.float32)
    for sample, four in zip(samples.tolist(), expected, strict=True):
        getattr(reference, name)(four, key, block + sample // 4)
    np.testing.assert_allclose(flat(out)[samples], expected[np.arange(len(samples)), samples % 4], rtol=1e-5, atol=1e-6)


def updates():
    settings = {"lr": 0.1, "weight_decay": 0.01}
    adam = {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "decoupled": False, "step": 3}
    yield 0, sgd_update, reference.sgd_update, settings
    yield 1, sgd_update, reference.sgd_update, settings | {"momentum": 0.9}
    yield 1, rmsprop_update, reference.rmsprop_update, settings | {"decay": 0.9, "eps": 1e-8}
    yield 2, adam_update, reference.adam_update, settings | adam


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize(("states", "update", "expected", "settings"), list(updates()))
def test_updates(offset, states, update, expected, settings, rng):
    samples = np.array([0, 1, BLOCK - 1, *range(SIZE - 3, SIZE)])  # of the first and the last block
    small = [on_device(np.ones(5, np.float32)) for _ in range(2 + states)]
    arrays = [reserve(SIZE + offset)[offset:] for _ in range(2 + states)]
    for array in arrays:
        mark(rng, array, samples, signs=[1])  # squares are not negative
    plain = [[flat(array)[samples]] for array in arrays]
    lists = [[first, array] for first, array in zip(small, arrays, strict=True)]
    if not states:
        lists, plain = [*lists, lists[1]], [*plain, plain[1]]  # velocities that are not looked at
    with running(lambda kernel, count: [1, count - 1]):  # block 0 is the small array's
        update(*lists, **settings)
    expected(*plain, **settings)
    for array, (after,) in zip(arrays, plain[: len(arrays)], strict=True):
        np.testing.assert_allclose(flat(array)[samples], after, rtol=1e-5)


def test_updates_of_more_parameters_than_32_bits_count():
    p, g, settings = (on_device(np.array(numbers, np.float32)) for numbers in ([1, 2], [3, 4], [0.5, 0]))
    table = reserve((SIZE // 2, 4), np.int64)  # as if all others were empty
    np.asarray(table)[-1] = 1, 2, address_of(p), address_of(g)
    with running(last):
        run("optim.cu", "sgd", (2, THREADS), table, settings, len(table), real=np.float32)
    np.testing.assert_array_equal(plain(p), [-0.5, 0])


# Python's side


@pytest.mark.parametrize("depth", [1 << 30, MOST, MOST + 1, 10**10, 1 << 40])
@pytest.mark.parametrize("rows", [1, 1000, 10**6])
def test_the_parts_of_a_depth_are_counted_in_ints(rows, depth):
    how = plan(rows, 8, depth)
    assert -(-depth // how.parts) + 2 * THREADS <= MOST


@pytest.mark.parametrize("name", WINDOWS["pixels"]._fields)
def test_a_size_that_does_not_fit_an_int_is_refused(name):
    g = WINDOWS["pixels"]._replace(**{name: MOST + 1})
    with pytest.raises(ShapeError, match=f"{name}.* is 2147"):
        record(g)


@pytest.mark.parametrize(("sizes", "name"), [({"H": MOST - 2, "SH": 1}, "PT"), ({"W": MOST - 2, "SW": 1}, "PL")])
def test_an_axis_that_fits_an_int_only_without_its_padding_is_refused(sizes, name):
    g = WINDOWS["pixels"]._replace(**sizes)
    with pytest.raises(ShapeError, match=f"{name} .* is {MOST + 1}"):
        record(g)


# These tests: each goes red where a kernel counts in 32 bits

SIGNED, UNSIGNED = SimulatorError, AssertionError  # found as it overflows; found by the result, as a product may wrap
IN_32_BITS = [
    (
        "common.h",
        "blockIdx.x * (wide)blockDim.x",
        "blockIdx.x * blockDim.x",
        UNSIGNED,
        test_more_threads_than_32_bits_count,
        (),
    ),
    ("window.cu", "wide n = rest / g.OH", "int n = rest / g.OH", SIGNED, test_im2col, (WINDOWS["images"],)),
    ("window.cu", "wide n = rest / g.OH", "unsigned n = rest / g.OH", UNSIGNED, test_im2col, (WINDOWS["images"],)),
    ("pool.cu", "visit((wide)h * g.W + w)", "visit(h * g.W + w)", SIGNED, test_window_sum, (*PIXELS.values(),)),
    ("pool.cu", "wide image = i /", "unsigned image = i /", UNSIGNED, test_pool_gather, (WINDOWS["images"],)),
    ("columns.h", "wide column;", "int column;", UNSIGNED, of_columns.test_sums_of_columns, (of_columns.MATRICES[-1],)),
    ("columns.h", "wide row, end;", "int row, end;", UNSIGNED, test_cross_entropy, (1,)),
    ("activation.cu", "Function function, wide size", "Function function, int size", UNSIGNED, test_activations, (0,)),
    ("random.cu", "philox(block + i", "philox((unsigned)block + i", UNSIGNED, test_random_numbers, ("uniform", 0)),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "wide", "narrow", "error", "check", "case"),
    IN_32_BITS,
    ids=[f"{file} {narrow}" for file, _, narrow, *_ in IN_32_BITS],
)
def test_a_kernel_that_counts_in_32_bits_is_found(file, wide, narrow, error, check, case, rng, tmp_path, monkeypatch):
    for source in (*FOLDER.glob("*.cu"), *FOLDER.glob("*.h")):
        shutil.copy(source, tmp_path)
    text = (tmp_path / file).read_text()
    assert wide in text
    (tmp_path / file).write_text(text.replace(wide, narrow))
    monkeypatch.setattr(Large, "folder", tmp_path)
    with pytest.raises(error):
        check(*case, rng)
