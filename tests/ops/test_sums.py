"""Sums, means and variances are accurate to float32 precision over any axes, however far from zero the data lie."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import minigan as mg
from minigan.kernels import cpu, reference
from minigan.kernels.cpu import reduce
from minigan.kernels.cpu.runtime import threads

EPS = np.finfo(np.float32).eps
OFFSETS = st.sampled_from([0.0, 1.0, -1e3, 1e5])


@st.composite
def float32_arrays(draw):
    """(x, axes): float32 with one long axis somewhere, in memory of any order, and the axes to reduce."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    shape[draw(st.integers(0, len(shape) - 1))] = draw(st.sampled_from([1, 40, 700, 8011]))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1).map(lambda a: tuple(sorted(a))))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = (rng.standard_normal(shape) + draw(OFFSETS)).astype(np.float32)
    layout = draw(st.sampled_from(["C order", "Fortran order", "reversed"]))
    return (np.asfortranarray(x) if layout == "Fortran order" else x[::-1] if layout == "reversed" else x), axes


WIDE = np.random.default_rng(0).standard_normal((40, 2, 3000)).astype(np.float32) + np.float32(1e5)


def assert_as_exact(actual, exact, magnitude, ulps=1.0):
    """Within so many units in the last place of the magnitude, for what rounding the inputs cannot explain."""
    assert actual.dtype == np.float32
    assert actual.shape == exact.shape
    assert (np.abs(actual.astype(np.float64) - exact) <= ulps * EPS * magnitude).all()


@given(float32_arrays(), st.booleans())
@example((WIDE, (0, 1)), False)
@example((WIDE, (0, 2)), True)
def test_sum_mean_and_variance_are_rounded_once(case, keepdims):
    x, axes = case
    wide = x.astype(np.float64)
    how = {"axis": axes, "keepdims": keepdims}
    total, mean = wide.sum(**how), wide.mean(**how)
    # a sum near zero is as good as the numbers that cancel, which in float64 leave nothing of float32's digits
    assert_as_exact(mg.sum(x, **how), total, np.abs(total) + 1e-6 * np.abs(wide).sum(**how))
    assert_as_exact(mg.mean(x, **how), mean, np.abs(mean) + 1e-6 * np.abs(wide).mean(**how))
    variance = wide.var(**how)
    assert_as_exact(mg.var(x, **how), variance, variance, ulps=2)


@given(float32_arrays())
@example((WIDE, (0, 1)))
@example((WIDE, (0, 2)))
def test_einsum_over_what_one_operand_has_alone_is_rounded_once(case):
    x, axes = case
    indices = "abcd"[: x.ndim]
    kept = "".join(letter for axis, letter in enumerate(indices) if axis not in axes)
    wide = x.astype(np.float64)
    total, magnitude = wide.sum(axis=axes), np.abs(wide).sum(axis=axes)
    assert_as_exact(mg.einsum(f"{indices}->{kept}", x), total, np.abs(total) + 1e-6 * magnitude)
    twice = mg.einsum(f"{indices},->{kept}", x, np.float32(2))
    assert_as_exact(twice, 2 * total, 2 * np.abs(total) + 2e-6 * magnitude)


@given(float32_arrays())
def test_every_implementation_sums_alike(case):
    x, axes = case
    sums, mean, squares = cpu.sum_over(x, axes), *cpu.moments_over(x, axes)
    assert np.allclose(sums, reference.sum_over(x, axes), rtol=1e-12, atol=1e-12 * np.abs(x).sum())
    expected, expected_squares = reference.moments_over(x, axes)
    assert np.allclose(mean, expected, rtol=EPS, atol=4 * EPS)  # of the distances from a row, which are of order 1
    assert np.allclose(squares, expected_squares, rtol=2 * EPS)
    assert sums.shape == mean.shape == squares.shape == expected.shape


@given(float32_arrays())
def test_gradients_of_what_was_broadcast_are_rounded_once(case):
    g, axes = case
    shape = tuple(1 if i in axes else n for i, n in enumerate(g.shape))
    exact = g.astype(np.float64).sum(axis=axes, keepdims=True)
    small = mg.tensor(np.zeros(shape, np.float32), requires_grad=True)
    gradient = mg.grad(small + np.zeros_like(g), small, g)
    assert_as_exact(gradient, exact, np.abs(exact) + 1e-6 * np.abs(g).sum(axis=axes, keepdims=True))


def test_the_mean_of_ones_is_one():
    for n in range(1, 2001):
        assert mg.mean(np.ones(n, np.float32)) == 1
        assert (mg.mean(np.ones((n, 3), np.float32), axis=0) == 1).all()
    assert (mg.avg_pool2d(np.ones((1, 30, 33, 2), np.float32), (5, 11)) == 1).all()


@given(
    st.integers(1, 400), st.integers(1, 3), st.floats(-1e6, 1e6, width=32), st.sampled_from([np.float32, np.float64])
)
def test_equal_numbers_have_no_variance_and_are_normalised_to_zero(n, channels, value, dtype):
    row, image = np.full((2, n), value, dtype), np.full((2, n, 3, channels), value, dtype)
    one, zero = np.ones(n, dtype), np.zeros(n, dtype)
    ones, zeros = np.ones(channels, dtype), np.zeros(channels, dtype)
    for normalised in (
        mg.layer_norm(row, one, zero),
        mg.batch_norm(image, ones, zeros)[0],
        mg.instance_norm(image, ones, zeros),
        mg.group_norm(image, ones, zeros, groups=1),
    ):
        assert not normalised.any()
    assert not mg.var(image, axis=(0, 1)).any()


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_running_statistics_far_from_zero(offset):
    x = (np.random.default_rng(0).standard_normal((4, 70, 70, 3)) + offset).astype(np.float32)
    layer = mg.nn.BatchNorm(3, momentum=1.0)
    layer(mg.tensor(x))
    wide = x.astype(np.float64)
    assert np.allclose(layer.running_mean.data, wide.mean((0, 1, 2)), rtol=EPS)
    assert np.allclose(layer.running_variance.data, wide.var((0, 1, 2), ddof=1), rtol=4 * EPS)


def test_the_running_variance_of_equal_numbers_is_not_below_zero():
    layer = mg.nn.BatchNorm(200, momentum=1.0)
    for value in (3.3, 1e-3, 1e5):
        layer(mg.tensor(np.full((7, 200), value, np.float32)))
        assert (layer.running_variance.data >= 0).all()
        assert (layer.running_variance.data < 1e-11).all()


@given(st.integers(1, 3000), st.integers(1, 4), OFFSETS, st.integers(0, 2**32))
def test_sums_by_segment_are_rounded_once(n, segments, offset, seed):
    rng = np.random.default_rng(seed)
    rows = (rng.standard_normal((n, 2)) + offset).astype(np.float32)
    numbers = rng.integers(0, segments, n)
    exact = np.zeros((segments, 2))
    np.add.at(exact, numbers, rows)
    for kernels in (cpu, reference):
        sums = kernels.segment_sum(rows, numbers, segments)
        assert_as_exact(sums, exact, np.abs(exact) + 1e-6 * np.abs(rows).sum())


def test_axes_that_are_named_twice_are_refused():
    for x in (np.ones((3, 4), np.float32), np.ones((300, 400), np.float32)):
        for reduction in (mg.sum, mg.mean, mg.var):
            with pytest.raises(ValueError, match=r"twice|duplicate"):
                reduction(mg.tensor(x), axis=(0, -2))


@pytest.mark.parametrize(
    ("shape", "axes"), [((3, 40_000, 5), (1,)), ((70, 90, 9, 2), (1, 3)), ((9, 30_000), (1,)), ((60, 2100), (0,))]
)
def test_sums_are_the_same_bits_for_any_number_of_threads(shape, axes, monkeypatch):
    monkeypatch.setattr(threads, "WORTH_SHARING", 0)
    x, before = np.random.default_rng(0).standard_normal(shape).astype(np.float32), cpu.get_threads()
    assert x.size > reduce.SMALL
    found = set()
    try:
        for count in (1, 2, 3):
            cpu.set_threads(count)
            found.add((cpu.sum_over(x, axes).tobytes(), *(part.tobytes() for part in cpu.moments_over(x, axes))))
    finally:
        cpu.set_threads(before)
    assert len(found) == 1
