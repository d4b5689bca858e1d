"""What a function does not depend on gets a gradient of 0, also from an infinite or NaN gradient, at both orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import kernels, nn

MANY = 70  # wider than any vector, and no multiple of one
NOT_FINITE = st.sampled_from([np.inf, -np.inf, np.nan])


def _dropped(x):
    return mg.dropout(x, 0.5, np.random.default_rng(0))


# a function of x in [-2, 2] with its kinks at 0 (and at -1 and 1), and where it does not depend on x
SIDES = {
    "relu": (mg.relu, lambda x: x <= 0),
    "leaky_relu": (lambda x: mg.leaky_relu(x, slope=0.0), lambda x: x <= 0),
    "clip": (lambda x: mg.clip(x, low=-1.0, high=1.0), lambda x: abs(x) > 1),
    "clip below": (lambda x: mg.clip(x, low=0.0), lambda x: x < 0),
    "clip above": (lambda x: mg.clip(x, high=0.0), lambda x: x > 0),
    "maximum": (lambda x: mg.maximum(x, 0.0), lambda x: x < 0),
    "maximum of the right": (lambda x: mg.maximum(np.zeros_like(x.data), x), lambda x: x < 0),
    "minimum": (lambda x: mg.minimum(x, 0.0), lambda x: x > 0),
    "abs": (lambda x: mg.abs(mg.maximum(x, 0.0)), lambda x: x < 0),
    "where": (lambda x: mg.where(x.data > 0, x, 0.0), lambda x: x <= 0),
    "dropout": (_dropped, lambda x: _dropped(np.ones_like(x)) == 0),
    "power": (lambda x: x**0, lambda x: np.ones_like(x, bool)),
    "power of an array": (lambda x: x ** (x.data > 0).astype(float), lambda x: x <= 0),
    "max": (lambda x: mg.max(x, keepdims=True), lambda x: x < x.max()),
    "min": (lambda x: mg.min(x, keepdims=True), lambda x: x > x.min()),
    "max_pool2d": (
        lambda x: mg.max_pool2d(x.reshape(1, 2, -1, 1), (2, MANY // 2)),
        lambda x: x < x.max(),
    ),
}


@pytest.mark.parametrize("name", SIDES)
@given(bad=NOT_FINITE, seed=st.integers(0, 99), dtype=st.sampled_from([np.float32, np.float64]))
def test_the_side_not_taken_gets_nothing(name, bad, seed, dtype):
    function, untouched = SIDES[name]
    x = mg.tensor(np.random.default_rng(seed).uniform(-2, 2, MANY), dtype=dtype, requires_grad=True)
    flat = untouched(x.data)
    y = function(x)
    g = mg.tensor(np.full(y.shape, bad, dtype), requires_grad=True)
    plain = mg.grad(y, x, g.data, retain_graph=True, allow_unused=True)
    assert np.array_equal(plain[flat], np.zeros(flat.sum()))
    first = mg.grad(y, x, g, create_graph=True)  # as a function of g it has an adjoint, with the same zeros
    assert np.array_equal(first.numpy()[flat], np.zeros(flat.sum()))
    if first.requires_grad and y.shape == x.shape:
        second = mg.grad(first, g, np.full(x.shape, bad, dtype), allow_unused=True)
        assert second is None or np.array_equal(second[flat], np.zeros(flat.sum()))


RISING = {  # functions whose slope is positive from 0.2 to 2
    name: getattr(mg, name) for name in ("exp", "log", "log1p", "relu", "sigmoid", "softplus", "sqrt", "square", "tanh")
}


@pytest.mark.parametrize("name", RISING)
@given(bad=NOT_FINITE, size=st.sampled_from([MANY, 5000]), dtype=st.sampled_from([np.float32, np.float64]))
def test_gradients_are_linear_in_an_infinite_one(name, bad, size, dtype):
    x = mg.tensor(np.linspace(0.2, 2, size), dtype=dtype, requires_grad=True)
    ones, infinite = np.ones(size, dtype), np.full(size, bad, dtype)
    np.testing.assert_array_equal(mg.grad(RISING[name](x), x, infinite), infinite)
    np.testing.assert_array_equal(mg.grad(RISING[name](x), x, infinite, create_graph=True).numpy(), infinite)
    first = mg.grad(RISING[name](x), x, ones, create_graph=True)
    if first.requires_grad:
        second = mg.grad(first, x, ones, retain_graph=True)
        expected = second * infinite if second.all() else second  # all bent, or straight as relu
        np.testing.assert_array_equal(mg.grad(first, x, infinite), expected)


@pytest.mark.parametrize("implementation", ["reference", "numpy", pytest.param("cpu", marks=pytest.mark.numba)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_kernels_with_a_flat_side(implementation, dtype, bad):
    x = np.linspace(-1, 1, 3 * MANY, dtype=dtype).reshape(3, MANY)
    g = np.full_like(x, bad)
    with kernels.using(implementation) as kernel:
        for gradient in (kernel.leaky_relu_vjp(g, x, 0.0), kernel.leaky_relu_vjp_sum(g, x, 0.0)[0]):
            assert np.array_equal(gradient, np.where(x > 0, g, 0), equal_nan=True)
        sums = kernel.leaky_relu_vjp_sum(g, x, 0.0)[1]
        assert np.array_equal(np.isfinite(sums), (x <= 0).all(axis=0))
        of_bias = kernel.batch_norm_vjp(np.where(x > 0, 1, g), *_batch(x), 0.0)[2]
        assert np.array_equal(of_bias, (x > 0).sum(axis=0))


def _batch(x):
    """x and what makes batch norm the identity."""
    one, zero = np.ones(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    return x, one, zero, zero, one


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(3, MANY), nn.Conv2d(3, MANY, 1), nn.Conv2d(3, MANY, 3, padding=1)],
    ids=["linear", "convolution of points", "convolution"],
)
@given(bad=NOT_FINITE)
def test_activations_that_are_computed_with_their_layer(layer, bad):
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    y = nn.Sequential(layer, nn.ReLU())(x)
    flat = y.data <= 0
    bias = mg.grad(y, layer.bias, np.where(flat, bad, 1).astype(np.float32))
    assert np.array_equal(bias, (~flat).sum(axis=(0, 1, 2)))


def test_a_nan_in_an_extreme_shows_in_its_gradient():
    for f in (mg.maximum, mg.minimum):
        a, b = (mg.tensor(v, requires_grad=True) for v in ([np.nan, 1.0, 1.0], [1.0, np.nan, 1.0]))
        ga, gb = mg.grad(f(a, b).sum(), [a, b])
        assert np.array_equal(ga, [1, 1, 0.5])
        assert np.array_equal(gb, [1, 1, 0.5])
    for f in (mg.max, mg.min):
        x = mg.tensor([[np.nan, 1.0], [2.0, 1.0]], requires_grad=True)
        g = mg.grad(f(x, axis=1).sum(), x)
        assert np.isnan(g[0]).all()
        assert g[1].sum() == 1


@given(st.lists(st.sampled_from([0.0, 1.0, -3.0, np.inf]), min_size=2, max_size=5))
def test_logsumexp_with_infinity(values):
    x = mg.tensor(np.array([np.inf, *values]), requires_grad=True)
    y = mg.logsumexp(x)
    assert y.item() == np.inf
    g = mg.grad(y, x)
    assert np.array_equal(np.isnan(g), x.data == np.inf)
    assert np.array_equal(g[np.isfinite(x.data)], np.zeros(np.isfinite(x.data).sum()))


def test_powers_at_zero_and_infinity():
    ends = np.array([0.0, np.inf, -np.inf, np.nan, 2.0])
    x = mg.tensor(ends, requires_grad=True)
    for zero in (0, 0.0, np.zeros(5), np.float64(0)):
        assert np.array_equal(mg.grad((x**zero).sum(), x), np.zeros(5))
    exponents = np.array([0.0, 1.0, 2.5, -1.0])
    exponent = mg.tensor(exponents, requires_grad=True)
    with np.errstate(divide="ignore"):
        for base in (0.0, np.zeros(4), mg.tensor(np.zeros(4))):
            g = mg.grad(mg.power(base, exponent), exponent, np.ones(4))
            assert np.array_equal(g, [0, 0, 0, -np.inf])  # 0**b falls without bound as b does
    rising = mg.tensor(exponents[:3], requires_grad=True)
    assert np.array_equal(mg.grad(mg.power(np.inf, rising), rising, np.ones(3)), [np.inf] * 3)


@given(st.sampled_from([2, 3, 0.5, -1]), st.floats(1e-3, 1), st.sampled_from([3e38, -3e38, 1e-44]))
def test_a_power_reaches_no_infinity_on_the_way_to_a_gradient(n, x, g):
    """Of a gradient near float32's ends: g * n alone would leave them."""
    base = mg.tensor(np.array([x], np.float32), requires_grad=True)
    with np.errstate(over="ignore"):
        found = mg.grad(base**n, base, np.array([g], np.float32))
        exact = (np.float64(np.float32(g)) * n * np.float64(np.float32(x)) ** (n - 1)).astype(np.float32)
    assert found == pytest.approx(exact, rel=1e-5, abs=2e-44)
