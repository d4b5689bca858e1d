"""minigan.plain is the core on one page: the same functions have the same derivatives of the first and second order."""

import functools
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import plain


def curve(m, x, w, b):
    return m.sum_to(x * x * x * w + b * x, shape=())


def network(m, x, w, b):
    return m.sum_to(m.tanh(m.tanh(x @ w + b) @ m.transpose(w)), shape=())


def used_twice(m, x, w, b):
    hidden = m.tanh(x * 2.0 - b) + 0.5
    return m.sum_to(hidden * hidden * w + hidden, shape=())


def spread(m, x, w, b):
    return m.sum_to(m.tanh(m.broadcast_to(b, shape=x.shape)) * x + w, shape=())


def of_x_alone(m, x, w, b):
    return m.sum_to(x * x, shape=())


# each function with the shapes of x, w and b, for sizes m and n
FUNCTIONS = [
    (curve, lambda m, n: ((m, n), (n,), (m, 1))),
    (network, lambda m, n: ((m, n), (n, m), (m,))),
    (used_twice, lambda m, n: ((m, n), (1, n), ())),
    (spread, lambda m, n: ((m, n), (n,), (1, n))),
    (of_x_alone, lambda m, n: ((m, n), (n,), ())),
]


def core_grad(y, xs):
    """mg.grad as plain.grad: zeros for what y does not depend on."""
    found = mg.grad(y, xs, create_graph=True, allow_unused=True)
    return [mg.tensor(np.zeros(x.shape)) if g is None else g for g, x in zip(found, xs, strict=True)]


def derivatives(m, tensor, grad, function, arrays, direction):
    """The value of a function, its gradients, and the gradients of the first of these along a direction."""
    inputs = [tensor(array) for array in arrays]
    value = function(m, *inputs)
    first = grad(value, inputs)
    second = grad(m.sum_to(first[0] * direction, shape=()), inputs)
    return [x.data for x in (value, *first, *second)]


@pytest.mark.parametrize(("function", "shapes"), FUNCTIONS, ids=[function.__name__ for function, _ in FUNCTIONS])
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_derivatives_are_those_of_the_core(function, shapes, m, n, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in shapes(m, n)]
    direction = rng.standard_normal((m, n))
    plainly = derivatives(plain, plain.Tensor, plain.grad, function, arrays, direction)
    leaf = functools.partial(mg.tensor, requires_grad=True)
    for ours, core in zip(plainly, derivatives(mg, leaf, core_grad, function, arrays, direction), strict=True):
        assert ours.shape == core.shape
        assert np.allclose(ours, core, rtol=1e-12, atol=1e-12)


def test_backward_adds_to_the_inputs_alone():
    x, w = plain.Tensor([1.0, 2.0]), plain.Tensor(3.0)
    y = x * w
    plain.sum_to(y, shape=()).backward()
    plain.sum_to(y * y, shape=()).backward()
    assert np.array_equal(x.grad.data, [3 + 18, 3 + 36])
    assert w.grad.data == 3 + 30
    assert y.grad is None


def test_it_fits_on_a_page_and_its_example_is_right():
    assert len(Path(plain.__file__).read_text().splitlines()) <= 120
    example = textwrap.dedent(plain.__doc__[plain.__doc__.index("    x = Tensor") :])
    names = dict(vars(plain))
    exec(example, names)
    assert names["slope"].data == 12
    assert names["curvature"].data == 12
