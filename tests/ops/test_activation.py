"""Activations: values, gradients of every order, kinks, and inputs too large for a careless formula."""

import numpy as np
import pytest
from hypothesis import given

import minigan as mg
from minigan.testing import arrays, check_grads, shapes

VALUES = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
}


@pytest.mark.parametrize("name", VALUES)
@given(x=arrays(shapes(min_side=0, max_dims=4)))
def test_values_and_gradients(name, x):
    f = getattr(mg, name)
    assert np.allclose(f(mg.tensor(x)).data, VALUES[name](x), rtol=1e-14)
    check_grads(f, [x], order=3)
    check_grads(lambda x: f(x) * x, [x], order=2)


@given(arrays(shapes()))
def test_leaky_relu_with_a_slope(x):
    assert np.array_equal(mg.leaky_relu(mg.tensor(x), slope=0.2).data, np.where(x > 0, x, 0.2 * x))
    check_grads(lambda x: mg.square(mg.leaky_relu(x, slope=0.2)), [x], order=3)


def test_at_0_the_derivative_is_that_of_the_negative_side():
    x = mg.tensor(np.array([-1.0, 0.0, 1.0]), requires_grad=True)
    assert mg.grad(mg.relu(x).sum(), x).tolist() == [0, 0, 1]
    assert mg.grad(mg.leaky_relu(x, slope=0.2).sum(), x).tolist() == [0.2, 0.2, 1]


def test_a_nan_stays_a_nan():
    for f in (mg.relu, mg.leaky_relu, mg.sigmoid, mg.softplus, mg.tanh):
        assert np.isnan(f(mg.tensor([np.nan])).item()), f.__name__


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_inputs_neither_overflow_nor_lose_their_gradient(dtype):
    x = mg.tensor(np.array([-1e4, -100.0, 0.0, 100.0, 1e4], dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        s, p = mg.sigmoid(x), mg.softplus(x)
        assert np.allclose(s.data, [0, 0, 0.5, 1, 1], atol=1e-30)
        assert np.allclose(p.data, [0, 0, np.log(2), 100, 1e4], atol=1e-30)
        assert np.allclose(mg.grad(p.sum(), x), s.data)
        assert np.isfinite(mg.grad(s.sum(), x)).all()


def test_sigmoid_keeps_small_probabilities():
    assert np.isclose(mg.sigmoid(mg.tensor(np.array(-80.0, np.float32))).item(), np.exp(-80.0), rtol=1e-6)
    assert np.isclose(mg.softplus(mg.tensor(np.array(-80.0, np.float32))).item(), np.exp(-80.0), rtol=1e-6)
