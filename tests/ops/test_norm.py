"""Normalisation: values from the definitions, and gradients right to the third order, statistics included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import kernels
from minigan.errors import ShapeError
from minigan.testing import arrays, check_grads

channels = st.integers(1, 3)


@st.composite
def batches(draw, min_dims=2, max_dims=4, min_side=1):
    """(x, scale, shift), the channels last; more than one value to normalise over, and not all alike."""
    C = draw(channels)
    places = draw(st.lists(st.integers(min_side, 3), min_size=min_dims - 2, max_size=max_dims - 2))
    x = draw(arrays((draw(st.integers(2, 4)), *places, C), distinct=True))
    return x, draw(arrays((C,), low=0.5)), draw(arrays((C,)))


def standardised(x, axes, eps=1e-5):
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + eps)


@given(batches())
def test_batch_norm(case):
    x, scale, shift = case
    axes = tuple(range(x.ndim - 1))
    y, mean, inverse = mg.batch_norm(*map(mg.tensor, case))
    assert np.allclose(y.data, standardised(x, axes) * scale + shift)
    assert np.allclose(mean.data, x.mean(axis=axes))
    assert np.allclose(inverse.data, 1 / np.sqrt(x.var(axis=axes) + 1e-5))
    check_grads(lambda *args: mg.batch_norm(*args)[0], case, order=3)


@given(batches(), st.sampled_from([0.0, 0.2]))
def test_batch_norm_with_an_activation_is_one_after_the_other(case, slope):
    def gradients(fused):
        xs = [mg.tensor(a, requires_grad=True) for a in case]
        y = mg.batch_norm(*xs, slope=slope)[0] if fused else mg.leaky_relu(mg.batch_norm(*xs)[0], slope)
        first = mg.grad(mg.tanh(y).sum(), xs, create_graph=True)
        second = mg.grad(sum((g * g).sum() for g in first), xs, create_graph=True)
        return y, *first, *second, *mg.grad(sum((g * g).sum() for g in second), xs)

    for a, b in zip(gradients(True), gradients(False), strict=True):
        a, b = (v.numpy() if isinstance(v, mg.Tensor) else v for v in (a, b))
        assert np.allclose(a, b, rtol=1e-8, atol=1e-8 * np.abs(b).max())


def test_an_activation_within_batch_norm_has_no_negative_slope():
    with pytest.raises(ShapeError, match=r"slope is -0\.1"):
        mg.batch_norm(np.ones((2, 1)), np.ones(1), np.ones(1), slope=-0.1)


@given(batches())
def test_the_statistics_of_batch_norm_are_values_with_gradients(case):
    check_grads(mg.batch_norm, case, order=3)
    check_grads(lambda *args: mg.batch_norm(*args)[1], case, order=2)
    check_grads(lambda *args: mg.batch_norm(*args)[2], case, order=3)


@given(batches())
def test_every_implementation_of_batch_norm_gives_the_same_gradients(case):
    def gradients():
        xs = [mg.tensor(a, requires_grad=True) for a in case]
        y = mg.batch_norm(*xs)[0]
        return mg.grad(mg.tanh(y).sum(), xs)

    with kernels.using("reference"):
        expected = gradients()
    for a, b in zip(gradients(), expected, strict=True):
        assert np.allclose(a, b, rtol=1e-10, atol=1e-12)


@given(batches())
def test_batch_norm_does_not_change_with_a_shift_or_a_scale_of_its_input(case):
    x, scale, shift = case
    y = mg.batch_norm(x, scale, shift, eps=0.0)[0]
    assert np.allclose(mg.batch_norm(3 * x + 7, scale, shift, eps=0.0)[0], y)
    t = mg.tensor(x, requires_grad=True)
    g = mg.grad(mg.tanh(mg.batch_norm(t, scale, shift)[0]).sum(), t)
    assert np.allclose(g.sum(axis=tuple(range(x.ndim - 1))), 0, atol=1e-9)


def test_batch_norm_of_one_value_is_the_shift():
    x = mg.tensor(np.array([[3.0, -1.0]]), requires_grad=True)
    y, _, inverse = mg.batch_norm(x, np.ones(2), np.array([5.0, 6.0]))
    assert y.tolist() == [[5, 6]]
    assert np.allclose(inverse.data, 1 / np.sqrt(1e-5))
    assert np.allclose(mg.grad(y.sum(), x), 0)


def test_batch_norm_keeps_precision_far_from_zero():
    x = np.random.default_rng(0).standard_normal((1000, 2)).astype(np.float32)
    one, zero = np.ones(2, np.float32), np.zeros(2, np.float32)
    near, far = mg.batch_norm(x, one, zero)[0], mg.batch_norm(x + np.float32(1000), one, zero)[0]
    assert np.abs(near - far).max() < 1e-3  # of which 6e-5 is the rounding of x + 1000


@given(batches())
def test_fixed_norm(case):
    x, scale, shift = case
    mean, variance = shift[::-1].copy(), np.abs(scale) + 0.5
    y = mg.fixed_norm(mg.tensor(x), scale, shift, mean, variance)
    assert np.allclose(y.data, (x - mean) / np.sqrt(variance + 1e-5) * scale + shift)
    check_grads(mg.fixed_norm, [x, scale, shift, mean, variance], order=2)


@given(st.data())
def test_layer_norm(data):
    shape = data.draw(st.sampled_from([(3,), (4, 2), (2, 2, 3)]))
    x = data.draw(arrays((2, *shape), distinct=True))
    scale, shift = data.draw(arrays(shape, low=0.5)), data.draw(arrays(shape))
    y = mg.layer_norm(*map(mg.tensor, (x, scale, shift)))
    assert np.allclose(y.data, standardised(x, tuple(range(1, x.ndim))) * scale + shift)
    check_grads(mg.layer_norm, [x, scale, shift], order=3)


@given(st.data())
def test_group_norm(data):
    groups, width = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    C = groups * width
    x = data.draw(arrays((2, 2, 3, C), distinct=True))
    scale, shift = data.draw(arrays((C,), low=0.5)), data.draw(arrays((C,)))
    y = mg.group_norm(*map(mg.tensor, (x, scale, shift)), groups=groups)
    expected = standardised(x.reshape(2, 2, 3, groups, width), (1, 2, 4)).reshape(x.shape) * scale + shift
    assert np.allclose(y.data, expected)
    check_grads(lambda *args: mg.group_norm(*args, groups=groups), [x, scale, shift], order=3)


@given(batches(min_dims=4, min_side=2))  # of one value nothing is left but rounding
def test_instance_norm(case):
    x, scale, shift = case
    y = mg.instance_norm(*map(mg.tensor, case))
    assert np.allclose(y.data, standardised(x, tuple(range(1, x.ndim - 1))) * scale + shift)
    check_grads(mg.instance_norm, case, order=3)


def test_group_norm_of_an_empty_batch_is_empty():
    x = mg.tensor(np.zeros((0, 2, 2, 4)), requires_grad=True)
    y = mg.group_norm(x, np.ones(4), np.zeros(4), groups=2)
    assert y.shape == x.shape
    assert mg.grad(y.sum(), x).shape == x.shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: mg.batch_norm(x, np.ones(2), np.ones(3)), r"batch_norm: x has shape \(4, 3\), scale \(2,\)"),
        (
            lambda x: mg.batch_norm(x[:0], np.ones(3), np.ones(3)),
            r"x has shape \(0, 3\), so there is nothing",
        ),
        (lambda x: mg.layer_norm(x, np.ones(2), np.ones(2)), r"layer_norm: x has shape \(4, 3\), scale \(2,\)"),
        (
            lambda x: mg.group_norm(x, np.ones(3), np.ones(3), groups=2),
            "group_norm: .* 2 groups must divide",
        ),
    ],
)
def test_what_does_not_fit_is_told(call, message):
    with pytest.raises(mg.ShapeError, match=message):
        call(mg.tensor(np.ones((4, 3))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    x = np.random.default_rng(0).standard_normal((4, 2, 2, 4)).astype(dtype)
    one, zero = np.ones(4, dtype), np.zeros(4, dtype)
    t = mg.tensor(x, requires_grad=True)
    for y in (
        *mg.batch_norm(t, one, zero),
        mg.layer_norm(t, one, zero),
        mg.group_norm(t, one, zero, groups=2),
        mg.instance_norm(t, one, zero),
    ):
        assert y.dtype == dtype
        assert mg.grad(mg.square(y).sum(), t, retain_graph=True).dtype == dtype
