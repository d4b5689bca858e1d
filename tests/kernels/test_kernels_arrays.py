"""Matrix products, normalisation, activations, sums and optimisers: the CPU's are the reference's."""

from itertools import chain

import numpy as np
import pytest
from geometries import DTYPES, assert_near, inner, makers
from hypothesis import example, given
from hypothesis import strategies as st

from minigan.errors import DtypeError
from minigan.kernels import cpu, reference
from minigan.kernels import numpy as plain
from minigan.kernels.cpu import elementwise, reduce

IMPLEMENTATIONS = pytest.mark.parametrize("kernels", [reference, plain, cpu], ids=["reference", "numpy", "cpu"])
FAST = pytest.mark.parametrize("kernels", [plain, cpu], ids=["numpy", "cpu"])
SIZES = st.sampled_from([1, 3, 8, 31, 64, 100, 129])
SLOPES = st.sampled_from([0.0, 0.01, 0.2, 1.5])


@FAST
@given(SIZES, st.sampled_from([1, 64, 511, 512, 513, 1300]), SIZES, makers(), st.booleans(), st.booleans())
@example(600, 70, 40, lambda *shape: np.ones(shape), False, True)
def test_matrix_product(kernels, m, depth, n, make, transposed_a, transposed_b):
    a = make(depth, m).T if transposed_a else make(m, depth)
    b = make(n, depth).T if transposed_b else make(depth, n)
    assert_near(kernels.matmul(a, b), reference.matmul(a, b), depth)


@FAST
@given(SIZES, st.sampled_from([1, 64, 513]), SIZES, makers(), SLOPES, st.booleans())
@example(600, 70, 40, lambda *shape: np.ones(shape), 0.2, True)
def test_matrix_product_with_bias_and_activation(kernels, m, depth, n, make, slope, biased):
    a, b, bias = make(m, depth), make(depth, n), make(n) if biased else None
    assert_near(kernels.matmul(a, b, bias, slope), reference.matmul(a, b, bias, slope), depth)


@pytest.mark.parametrize("shapes", [((0, 5), (5, 3)), ((4, 0), (0, 3)), ((4, 5), (5, 0))])
def test_matrix_product_of_nothing(shapes):
    a, b = (np.ones(shape, np.float32) for shape in shapes)
    np.testing.assert_array_equal(cpu.matmul(a, b), a @ b)


def test_matrix_product_keeps_nan_and_infinity_in_their_row_and_column():
    a, b = np.ones((100, 90)), np.ones((90, 70))
    a[3, 5], b[7, 11] = np.nan, np.inf
    product = cpu.matmul(a, b)
    expected = np.full((100, 70), 90.0)
    expected[:, 11] = np.inf
    expected[3] = np.nan
    np.testing.assert_array_equal(product, expected)


@given(
    st.sampled_from([1, 2, 7, 65, 700]), st.sampled_from([1, 3, 64, 300]), st.sampled_from([0.0, 0.2, 1.0]), makers()
)
def test_batch_norm(m, channels, slope, make):
    x = 3 * make(m, channels) + 5
    scale, shift, g = make(channels), make(channels), make(m, channels)
    eps = 1e-2  # a single row has no deviation, and with a small eps its gradient would be rounding alone
    expected = reference.batch_norm(x, scale, shift, eps, slope)
    for array, same in zip(cpu.batch_norm(x, scale, shift, eps, slope), expected, strict=True):
        assert_near(array, same, 1000)
    _, mean, inverse = expected
    theirs = reference.batch_norm_vjp(g, x, scale, shift, mean, inverse, slope)
    for array, same in zip(cpu.batch_norm_vjp(g, x, scale, shift, mean, inverse, slope), theirs, strict=True):
        assert_near(array, same, 1000 * m)


def test_batch_norm_is_accurate_far_from_zero():
    rng = np.random.default_rng(0)
    x = (1000 + rng.standard_normal((100_000, 3))).astype(np.float32)
    _, mean, inverse = cpu.batch_norm(x, np.ones(3, np.float32), np.zeros(3, np.float32), 0.0)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(inverse, 1 / exact.std(axis=0), rtol=1e-6)


def test_column_sums_do_not_lose_small_numbers():
    g = np.full((3_000_000, 1), 0.1, np.float32)
    np.testing.assert_allclose(cpu.bias_sum(g), g.sum(axis=0, dtype=np.float64), rtol=1e-6)


@given(st.sampled_from([1, 2, 7, 700]), st.sampled_from([1, 3, 64]), makers())
def test_column_sums(m, channels, make):
    g = make(m, channels)
    assert_near(cpu.bias_sum(g), reference.bias_sum(g), m)


@given(st.lists(st.integers(0, 20), max_size=3), makers(), SLOPES)
def test_leaky_relu(shape, make, slope):
    x, g = make(*shape), make(*shape)
    np.testing.assert_array_equal(cpu.leaky_relu(x, slope), reference.leaky_relu(x, slope))
    np.testing.assert_array_equal(cpu.leaky_relu_vjp(g, x, slope), reference.leaky_relu_vjp(g, x, slope))
    expected = inner(cpu.leaky_relu(x, slope), g)  # <f(x), g> = <x, f'(x) g>, as f is homogeneous
    assert inner(x, cpu.leaky_relu_vjp(g, x, slope)) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@given(st.sampled_from([1, 2, 7, 700]), st.sampled_from([1, 3, 64, 300]), makers(), SLOPES)
def test_the_gradient_of_leaky_relu_and_its_sums(m, channels, make, slope):
    g, x = make(m, channels), make(m, channels)
    expected, sums = reference.leaky_relu_vjp_sum(g, x, slope)
    gx, ours = cpu.leaky_relu_vjp_sum(g, x, slope)
    np.testing.assert_array_equal(gx, expected)
    assert_near(ours, sums, m)


@IMPLEMENTATIONS
@given(DTYPES)
def test_leaky_relu_at_the_edges(kernels, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0, -0.0], dtype)
    np.testing.assert_array_equal(kernels.leaky_relu(x, 0.0), [np.nan, np.inf, 0, 0, 0])
    np.testing.assert_array_equal(kernels.leaky_relu(x, 0.5), [np.nan, np.inf, -np.inf, 0, 0])
    gradient = kernels.leaky_relu_vjp(np.ones(5, dtype), x, 0.5)
    np.testing.assert_array_equal(gradient, [np.nan, 1, 0.5, 0.5, 0.5])


@given(st.lists(st.integers(0, 20), max_size=3), makers())
def test_the_gradient_of_tanh(shape, make):
    g, y = make(*shape), np.tanh(make(*shape))
    assert_near(cpu.tanh_vjp(g, y), reference.tanh_vjp(g, y))


OPTIMISERS = {
    "sgd": (1, lambda k, *lists: k.sgd_update(*lists, 0.1, weight_decay=0.01)),
    "momentum": (1, lambda k, *lists: k.sgd_update(*lists, 0.1, 0.9, False, 0.01)),
    "nesterov": (1, lambda k, *lists: k.sgd_update(*lists, 0.1, 0.9, True, 0.01)),
    "rmsprop": (1, lambda k, *lists: k.rmsprop_update(*lists, 0.1, 0.9, 1e-8, 0.01)),
    "adam": (2, lambda k, *lists: k.adam_update(*lists, 0.1, 0.5, 0.999, 1e-8, 0.01, False, 3)),
    "adamw": (2, lambda k, *lists: k.adam_update(*lists, 0.1, 0.5, 0.999, 1e-8, 0.01, True, 3)),
}


@pytest.mark.parametrize("name", OPTIMISERS)
@given(st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=4), makers())
def test_optimisers_change_parameters_and_states_in_place(name, shapes, make):
    count, update = OPTIMISERS[name]
    gradients = [make(*shape) for shape in shapes]
    lists = [[np.array(make(*shape) ** power, order="C") for shape in shapes] for power in (1, 2, 2)[: 1 + count]]
    expected = [[array.copy() for array in arrays] for arrays in lists]
    before = [g.tobytes() for g in gradients]
    update(cpu, lists[0], gradients, *lists[1:])
    update(reference, expected[0], gradients, *expected[1:])
    for array, same in zip(chain(*lists), chain(*expected), strict=True):
        assert_near(array, same, 100)
    assert [g.tobytes() for g in gradients] == before


def test_parameters_of_several_blocks_are_updated_once():
    rng = np.random.default_rng(0)
    shapes = [(3,), (elementwise.BLOCK,), (0,), (2 * elementwise.BLOCK + 5,), (7, 9)]
    ps, gs, ms, vs = ([rng.standard_normal(shape) ** power for shape in shapes] for power in (1, 1, 1, 2))
    expected = [[array.copy() for array in arrays] for arrays in (ps, ms, vs)]
    cpu.adam_update(ps, gs, ms, vs, 0.1, 0.5, 0.999, 1e-8, 0.01, False, 3)
    reference.adam_update(expected[0], gs, *expected[1:], 0.1, 0.5, 0.999, 1e-8, 0.01, False, 3)
    for array, same in zip(chain(ps, ms, vs), chain(*expected), strict=True):
        np.testing.assert_allclose(array, same, rtol=1e-12)


def test_an_update_of_what_is_not_contiguous_is_refused():
    p = np.ones((4, 4))[:, ::2]
    with pytest.raises(ValueError, match="contiguous"):
        cpu.sgd_update([p], [np.ones((4, 2))], [np.ones((4, 2))], 0.1)


def test_adam_first_step_is_the_learning_rate():
    """With both moments corrected, the first step is lr in the direction of the gradient's sign."""
    p, g = np.zeros(3), np.array([5.0, -0.01, 2e3])
    cpu.adam_update([p], [g], [np.zeros(3)], [np.zeros(3)], 0.1, 0.9, 0.999, 1e-12, 0.0, False, 1)
    np.testing.assert_allclose(p, -0.1 * np.sign(g), rtol=1e-9)


@pytest.mark.parametrize("dtypes", [("int64", "int64"), ("float32", "float64"), ("float16", "float16")])
@pytest.mark.parametrize("columns", [1, 200])
def test_large_products_of_other_dtypes_are_refused(dtypes, columns):
    a, b = np.ones((2000, 200), dtypes[0]), np.ones((200, columns), dtypes[1])
    with pytest.raises(DtypeError, match="float32 or float64"):
        cpu.matmul(a, b)


@given(SIZES, makers(), st.sampled_from([0.0, 0.3, 1.0, None]))
def test_binary_cross_entropy(size, make, number):
    logits = 20 * make(size)
    targets = logits.dtype.type(number) if number is not None else np.abs(make(size)).clip(0, 1)
    assert_near(
        cpu.binary_cross_entropy_sum(logits, targets), reference.binary_cross_entropy_sum(logits, targets), size
    )
    excess = cpu.binary_cross_entropy_excess(logits, targets)
    assert excess.dtype == logits.dtype
    assert_near(excess, reference.binary_cross_entropy_excess(logits, targets), 1)


@given(st.integers(0, 40), st.integers(0, 9), st.integers(1, 20), makers(), st.integers(0, 9))
def test_sums_by_segment(n, width, count, make, seed):
    rows, segments = make(n, width), np.random.default_rng(seed).integers(0, count, n)
    sums = cpu.segment_sum(rows, segments, count)
    np.testing.assert_array_equal(sums, reference.segment_sum(rows, segments, count))
    assert sums.dtype == rows.dtype


def test_sums_by_segment_are_compiled_and_take_any_numbers():
    for dtype in (np.float32, np.float64, np.float16, np.longdouble, np.complex128, np.int64):
        rows, segments = np.arange(6, dtype=dtype).reshape(3, 2), np.array([1, 0, 1], np.int32)
        sums = cpu.segment_sum(rows, segments, 2)
        np.testing.assert_array_equal(sums, np.array([[2, 3], [4, 6]], dtype))
        assert sums.dtype == dtype
    assert len(reduce.add_rows.signatures) == 2
