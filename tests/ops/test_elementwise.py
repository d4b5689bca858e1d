"""Arithmetic and functions of single elements: values, gradients of every order, broadcasting, kinks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.ops import elementwise
from minigan.testing import arrays, broadcastable_shapes, check_grads, shapes

UNARY = {
    "negative": (np.negative, {}),
    "square": (np.square, {}),
    "exp": (np.exp, {}),
    "log": (np.log, {"low": 0.2}),
    "log1p": (np.log1p, {"low": -0.8}),
    "sqrt": (np.sqrt, {"low": 0.2}),
    "sin": (np.sin, {}),
    "cos": (np.cos, {}),
    "tanh": (np.tanh, {}),
    "abs": (np.abs, {}),
}
BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


@pytest.mark.parametrize("name", UNARY)
@given(st.data())
def test_functions_of_one_element(name, data):
    reference, domain = UNARY[name]
    x = data.draw(arrays(shapes(min_side=0), **domain))
    f = getattr(mg, name)
    assert np.allclose(f(mg.tensor(x)).data, reference(x), rtol=1e-15)  # NumPy rounds by memory layout
    check_grads(f, [x], order=3)


@pytest.mark.parametrize("name", BINARY)
@given(st.data())
def test_functions_of_two_elements_broadcast(name, data):
    first, second = data.draw(broadcastable_shapes(2, min_side=0))
    a, b = data.draw(arrays(first, distinct=True)), data.draw(arrays(second, low=0.23))
    f = getattr(mg, name)
    assert np.array_equal(f(mg.tensor(a), mg.tensor(b)).data, BINARY[name](a, b))
    check_grads(f, [a, b], order=2)


@given(broadcastable_shapes(2), st.data())
def test_power_in_both_arguments(pair, data):
    x, exponent = data.draw(arrays(pair[0], low=0.3)), data.draw(arrays(pair[1]))
    assert np.allclose(mg.power(mg.tensor(x), mg.tensor(exponent)).data, x**exponent, rtol=1e-15)
    check_grads(mg.power, [x, exponent], order=2)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, -2, 0.0, 0.5, 1.5])
def test_power_with_a_number(exponent):
    x = np.array([0.5, 1.5, 2.0])
    check_grads(lambda x: x**exponent, [x], order=3)
    if exponent == int(exponent):
        check_grads(lambda x: x**exponent, [-x], order=3)
    check_grads(lambda e: 2.0**e, [x], order=3)
    check_grads(lambda e: np.array([2.0, 3.0, 4.0], np.float32) ** e, [x], order=2)


def test_second_derivatives_at_exponent_zero():
    x, exponent = np.array([0.5, 2.0, 3.0]), np.array([0.0, 0.0, 1.5])
    check_grads(mg.power, [x, exponent], order=3)


def test_power_at_zero():
    zero = mg.tensor(np.zeros(2), requires_grad=True)
    assert np.array_equal(mg.grad((zero**2).sum(), zero), [0, 0])
    assert np.array_equal(mg.grad((zero**1).sum(), zero), [1, 1])
    assert np.array_equal(mg.grad((zero**0).sum(), zero), [0, 0])
    exponent = mg.tensor(np.array([0.0, 1.0, 2.0]), requires_grad=True)
    zeros = mg.tensor(np.zeros(3), requires_grad=True)
    g_zeros, g_exponent = mg.grad((zeros**exponent).sum(), [zeros, exponent])
    assert np.array_equal(g_zeros, [0, 1, 0])
    assert np.array_equal(g_exponent, [0, 0, 0])


@given(broadcastable_shapes(3), st.data())
def test_where_takes_sides(three, data):
    condition = data.draw(arrays(three[0])) > 0
    a, b = data.draw(arrays(three[1])), data.draw(arrays(three[2]))
    assert np.array_equal(mg.where(condition, mg.tensor(a), mg.tensor(b)).data, np.where(condition, a, b))
    check_grads(lambda a, b: mg.where(condition, a, b), [a, b])
    check_grads(lambda a: mg.where(mg.tensor(condition), a, 1.0), [a])
    check_grads(lambda b: mg.where(condition, 1.0, b), [b])


def test_a_nan_in_the_side_not_taken_never_reaches_the_gradient():
    x = mg.tensor(np.array([0.0, 2.0]), requires_grad=True)
    g = mg.grad(mg.where(x > 0, x * x, np.nan).sum(), x)
    assert np.array_equal(g, [0, 4])
    with np.errstate(divide="ignore", invalid="ignore"):
        side = mg.tensor(np.array([np.nan, 1.0]), requires_grad=True)
        assert np.array_equal(mg.grad(mg.where(x > 0, side, 0.0).sum(), side), [0, 1])


@given(arrays(shapes(min_side=0), distinct=True, low=-1.9))
def test_clip(x):
    for low, high in ((-1.0, 1.0), (None, 0.5), (-0.5, None)):
        assert np.array_equal(mg.clip(mg.tensor(x), low=low, high=high).data, np.clip(x, low, high))
        away = x + 0.003 * np.sign(x)  # not on a bound
        check_grads(lambda x, low=low, high=high: mg.clip(x, low=low, high=high) * x, [away])


@given(arrays(shapes(min_dims=1)), st.integers(1, 3))
def test_broadcast_to_and_sum_to_are_adjoint(x, times):
    wide = (times, *x.shape)
    assert np.array_equal(mg.broadcast_to(mg.tensor(x), shape=wide).data, np.broadcast_to(x, wide))
    check_grads(lambda x: mg.broadcast_to(x, shape=wide), [x])
    check_grads(lambda x: mg.sum_to(x, shape=x.shape[1:]), [x])
    column = (*x.shape[:-1], 1)
    assert np.allclose(mg.sum_to(x, shape=column), x.sum(axis=-1, keepdims=True))
    check_grads(lambda x: mg.square(mg.sum_to(x, shape=column)), [x])


# ------------------------------------------------------------------------------------------------- kinks


def slope(f, at):
    x = mg.tensor(np.array(at), requires_grad=True)
    return mg.grad(f(x).sum(), x).tolist()


def test_abs_has_slope_0_at_0():
    assert slope(mg.abs, [-2.0, 0.0, 2.0]) == [-1, 0, 1]


def test_maximum_and_minimum_share_at_a_tie():
    a = mg.tensor(np.array([1.0, 1.0, 2.0]), requires_grad=True)
    b = mg.tensor(np.array([0.0, 1.0, 3.0]), requires_grad=True)
    for f, of_a in ((mg.maximum, [1, 0.5, 0]), (mg.minimum, [0, 0.5, 1])):
        ga, gb = mg.grad(f(a, b).sum(), [a, b])
        assert ga.tolist() == of_a
        assert gb.tolist() == [1 - g for g in of_a]
        ga, gb = mg.grad(f(a, b).sum(), [a, b], create_graph=True)
        assert ga.data.tolist() == of_a
    assert slope(lambda x: mg.maximum(x, 0.0), [-1.0, 0.0, 1.0]) == [0, 0.5, 1]
    assert slope(lambda x: mg.maximum(0.0, x), [-1.0, 0.0, 1.0]) == [0, 0.5, 1]


def test_clip_passes_the_gradient_on_at_its_bounds():
    assert slope(lambda x: mg.clip(x, low=-1.0, high=1.0), [-2.0, -1.0, 0.0, 1.0, 2.0]) == [0, 1, 1, 1, 0]
    assert slope(lambda x: x.clip(-1.0), [-2.0, -1.0, 0.0]) == [0, 1, 1]


def test_maximum_and_minimum_of_nan_are_nan():
    nan = mg.tensor([np.nan, 1.0])
    assert np.isnan(mg.maximum(nan, 0.0).data).tolist() == [True, False]
    assert np.isnan(mg.minimum(0.0, nan).data).tolist() == [True, False]


# ------------------------------------------------------------------------------ what has no gradient


@pytest.mark.parametrize("name", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])
@given(broadcastable_shapes(2), st.data())
def test_comparisons_are_numpys_and_have_no_gradient(name, pair, data):
    a, b = (np.round(data.draw(arrays(shape))) for shape in pair)
    out = getattr(elementwise, name)(mg.tensor(a, requires_grad=True), mg.tensor(b))
    assert np.array_equal(out.data, getattr(np, name)(a, b))
    assert not out.requires_grad


def test_sign_has_no_gradient():
    x = mg.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    assert mg.sign(x).tolist() == [-1, 0, 1]
    assert not mg.sign(x).requires_grad
    assert (~(x > 0)).tolist() == [True, True, False]
    assert elementwise.isnan(x).tolist() == [False] * 3
    assert elementwise.isinf(x).tolist() == [False] * 3


# ------------------------------------------------------------------------------------------------ dtype


def test_astype_is_differentiable_and_its_gradient_comes_back():
    x = mg.tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    y = mg.square(x.astype(np.float64))
    assert y.dtype == np.float64
    g = mg.grad(y.sum(), x)
    assert g.dtype == np.float32
    assert g.tolist() == [2, 4]
    check_grads(lambda x: mg.exp(x.astype(np.float64)), [np.array([0.5, 1.0])], float32=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_python_numbers_never_widen(dtype):
    x = mg.tensor(np.array([0.5, 1.5], dtype), requires_grad=True)
    results = [
        x + 1, x + 0.1, 1 - x, 0.1 - x, x * 2, x * 0.1, x / 3, 0.1 / x, x**2, x**0.5, 2**x, 2.0**x, -x, abs(x),
        mg.maximum(x, 0.1), mg.minimum(0.1, x), mg.where(x > 1, x, 0.1), mg.where(x > 1, 0.1, x),
        mg.clip(x, low=0.1, high=0.9), x.mean(), x.var(), x.sum(), mg.leaky_relu(x, slope=0.2), mg.sigmoid(x),
        mg.softplus(x), mg.softmax(x), mg.log_softmax(x), mg.logsumexp(x), x.max(), mg.power(x, 3),
    ]  # fmt: skip
    for number, y in enumerate(results):
        assert y.dtype == dtype, number
        g = mg.grad(y.sum(), x, create_graph=True)
        assert g.dtype == dtype, number
        assert mg.grad(y.sum(), x, retain_graph=True).dtype == dtype, number
        if g.requires_grad:
            assert mg.grad(mg.square(g).sum(), x).dtype == dtype, number


def test_tanh_of_many_elements_to_the_second_order():
    x = mg.tensor(np.linspace(-3, 3, 5000), requires_grad=True)
    first = mg.grad(mg.tanh(x).sum(), x, create_graph=True)
    second = mg.grad((first * first).sum(), x)
    y = np.tanh(x.numpy())
    np.testing.assert_allclose(first.numpy(), 1 - y * y, rtol=0, atol=1e-15)
    np.testing.assert_allclose(second, -4 * y * (1 - y * y) ** 2, rtol=0, atol=1e-14)
