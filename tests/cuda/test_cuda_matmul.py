"""The matrix product in CUDA is the reference's, in every layout, tile and number of parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import DTYPES, SEEDS, assert_close, numbers, on_device, ordered

from minigan.errors import DtypeError
from minigan.kernels import reference
from minigan.kernels.cuda.matmul import matmul
from minigan.kernels.cuda.tiling import ON_TENSOR_CORES, SHAPES, Plan, plan

SIZES = st.sampled_from([1, 2, 3, 7, 16, 63, 64, 65, 127, 130])
DEPTHS = st.sampled_from([0, 1, 7, 8, 9, 16, 17, 50, 129])
LAYOUTS = st.sampled_from(["C order", "transposed", "every second", "reversed"])
PLANS = st.builds(Plan, st.sampled_from(sorted(set(SHAPES) - set(ON_TENSOR_CORES))), st.sampled_from([1, 1, 2, 5]))


def laid_out(array, layout):
    """The array on the device, in memory as the layout says."""
    if layout == "transposed":
        return on_device(array.T).T
    if layout == "every second":
        return on_device(np.repeat(array, 2, axis=-1))[:, ::2]
    if layout == "reversed":
        return on_device(array[::-1])[::-1]
    return on_device(array)


@settings(max_examples=60)
@given(SIZES, DEPTHS, SIZES, LAYOUTS, LAYOUTS, DTYPES, st.booleans(), st.sampled_from([1.0, 0.2, 0.0]), PLANS, SEEDS)
def test_product_is_the_references(m, depth, n, of_a, of_b, dtype, biased, slope, how, seed):
    rng = np.random.default_rng(seed)
    a, b, bias = (rng.standard_normal(shape).astype(dtype) for shape in ((m, depth), (depth, n), (n,)))
    expected = reference.matmul(*(v.astype(np.float64) for v in (a, b)), bias.astype(np.float64) * biased, slope)
    with ordered(seed):
        y = matmul(laid_out(a, of_a), laid_out(b, of_b), on_device(bias) if biased else None, slope, how=how)
    assert y.flags.c_contiguous
    assert_close(y, expected.astype(dtype), depth + 1)


@settings(max_examples=20)
@given(SIZES, SIZES, DTYPES, st.sampled_from([1.0, 0.2, 0.0]), PLANS)
def test_nan_and_infinities_are_the_references(m, n, dtype, slope, how):
    a, b, bias = numbers(1, dtype, m, 5), numbers(2, dtype, 5, n), numbers(3, dtype, n)
    with np.errstate(all="ignore"):
        expected = reference.matmul(a, b, bias, slope)
    assert_close(matmul(on_device(a), on_device(b), on_device(bias), slope, how=how), expected, 5)


@pytest.mark.parametrize(("m", "depth", "n"), [(300, 700, 3), (1, 600, 70), (64, 1030, 64), (5, 3, 1)])
def test_the_plan_of_the_sizes(m, depth, n):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, depth)), rng.standard_normal((depth, n))
    assert_close(matmul(on_device(a), on_device(b)), reference.matmul(a, b), depth)


@pytest.mark.parametrize("numbers", ON_TENSOR_CORES)
@settings(max_examples=12)
@given(SIZES, DEPTHS, SIZES, LAYOUTS, LAYOUTS, st.sampled_from([1, 2]), SEEDS)
def test_on_tensor_cores_factors_are_rounded_and_sums_are_not(numbers, m, depth, n, of_a, of_b, parts, seed):
    rng = np.random.default_rng(seed)  # of few bits, so that rounding changes nothing
    a, b = (np.round(rng.standard_normal(shape) * 16).astype(np.float32) / 16 for shape in ((m, depth), (depth, n)))
    expected = reference.matmul(a.astype(np.float64), b.astype(np.float64))
    rounded_off = np.float32(1 + 2.0**-12)
    with ordered(seed):
        y = matmul(laid_out(a * rounded_off, of_a), laid_out(b * rounded_off, of_b), how=Plan(numbers, parts))
    assert_close(y, expected.astype(np.float32), depth + 1)


def test_long_sums_with_few_tiles_are_in_parts():
    assert plan(64, 64, 100_000).parts > 100
    assert plan(64, 64, 100).parts == 1
    assert plan(4096, 4096, 100_000) == Plan("large", 1)
    assert plan(1 << 20, 64, 100) == Plan("medium", 1)  # half of a large tile's columns would be none
    assert plan(4096, 1, 100).shape == "narrow"


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)])
def test_products_of_nothing(shape):
    m, depth, n = shape
    a, b, bias = np.ones((m, depth)), np.ones((depth, n)), np.ones(n)
    assert_close(matmul(on_device(a), on_device(b), on_device(bias)), reference.matmul(a, b, bias))


def test_the_order_of_blocks_changes_nothing():
    rng = np.random.default_rng(0)
    a, b = (on_device(rng.standard_normal(shape).astype(np.float32)) for shape in ((70, 900), (900, 66)))
    results = set()
    for seed in range(3):
        with ordered(seed):
            results.add(matmul(a, b, how=Plan("medium", 3)).tobytes())
    assert len(results) == 1


def test_arguments_are_left_as_they_were():
    arrays = [on_device(np.random.default_rng(0).standard_normal(shape)) for shape in ((9, 7), (7, 5), (5,))]
    before = [array.tobytes() for array in arrays]
    matmul(*arrays, slope=0.5)
    assert [array.tobytes() for array in arrays] == before


def test_two_dtypes_are_refused():
    with pytest.raises(DtypeError, match="float32, float64"):
        matmul(on_device(np.ones((2, 2), np.float32)), on_device(np.ones((2, 2))))
