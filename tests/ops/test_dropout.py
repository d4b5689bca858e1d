"""Dropout: what is dropped, what is kept, what the gradient sees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.testing import arrays, check_grads, shapes


@given(arrays(shapes(min_side=0)), st.floats(0, 0.9), st.integers(0, 99))
def test_what_is_kept_is_scaled_and_so_is_its_gradient(x, rate, seed):
    t = mg.tensor(x, requires_grad=True)
    y = mg.dropout(t, rate, np.random.default_rng(seed))
    factor = 1 / (1 - rate)
    assert np.isclose(y.data, np.where(y.data == 0, 0, x * factor)).all()
    assert np.isclose(mg.grad(y.sum(), t), np.where(y.data == 0, 0, factor)).all()
    check_grads(lambda x: mg.square(mg.dropout(x, rate, np.random.default_rng(seed))), [x])


def test_the_mean_stays_and_the_rate_is_right():
    y = mg.dropout(np.ones(100_000), 0.3, np.random.default_rng(0))
    assert abs((y == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 100_000)  # five standard deviations
    assert abs(y.mean() - 1) < 5 * np.sqrt(0.3 / 0.7 / 100_000)


def test_rate_0_draws_nothing():
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    x = mg.tensor(np.ones(3))
    assert mg.dropout(x, 0, rng) is x
    assert rng.bit_generator.state == state


def test_the_same_generator_state_gives_the_same_mask():
    a, b = (mg.dropout(np.ones(50), 0.5, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(a, b)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
def test_a_rate_that_is_no_probability_is_an_error(rate):
    with pytest.raises(mg.ShapeError, match=rf"dropout: rate is {rate}, but it is a probability from 0 to below 1"):
        mg.dropout(np.ones(3), rate, np.random.default_rng(0))


@pytest.mark.parametrize("rng", [None, 0, np.random, np.random.RandomState(0)])
def test_what_is_no_generator_is_named(rng):
    with pytest.raises(mg.DtypeError, match=f"rng is a {type(rng).__name__}"):
        mg.dropout(np.ones(3), 0.5, rng)
