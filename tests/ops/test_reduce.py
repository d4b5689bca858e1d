"""Reductions: values, gradients, axes, ties, ddof, and what stands at infinity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.testing import arrays, check_grads, shapes


@st.composite
def reductions(draw, min_side=1, **how):
    """(x, axis, keepdims): axis None, an int or a tuple, counted from the front or the back."""
    x = draw(arrays(shapes(min_side=min_side), **how))
    axes = draw(st.lists(st.integers(0, x.ndim - 1), unique=True).map(tuple)) if x.ndim else ()
    axes = tuple(a - x.ndim if draw(st.booleans()) else a for a in axes)
    axis = draw(st.sampled_from([axes, axes[0], None] if axes else [None]))
    return x, axis, draw(st.booleans())


@given(reductions(min_side=0))
def test_sum(case):
    x, axis, keepdims = case
    assert np.allclose(mg.sum(mg.tensor(x), axis=axis, keepdims=keepdims).data, x.sum(axis=axis, keepdims=keepdims))
    check_grads(lambda x: mg.square(mg.sum(x, axis=axis, keepdims=keepdims)), [x])


@given(reductions())
def test_mean(case):
    x, axis, keepdims = case
    assert np.allclose(mg.tensor(x).mean(axis=axis, keepdims=keepdims).data, x.mean(axis=axis, keepdims=keepdims))
    check_grads(lambda x: mg.square(mg.mean(x, axis=axis, keepdims=keepdims)), [x])


@given(reductions())
def test_var(case):
    x, axis, keepdims = case
    assert np.allclose(mg.tensor(x).var(axis=axis, keepdims=keepdims).data, x.var(axis=axis, keepdims=keepdims))
    check_grads(lambda x: mg.var(x, axis=axis, keepdims=keepdims), [x], order=3)


@given(arrays((3, 4)))
def test_var_divides_by_n_less_ddof(x):
    for ddof in (0, 1, 2):
        assert np.allclose(mg.var(mg.tensor(x), axis=0, ddof=ddof).data, x.var(axis=0, ddof=ddof))
        check_grads(lambda x, ddof=ddof: mg.var(x, axis=0, ddof=ddof), [x])
    assert np.allclose(mg.var(mg.tensor(x)).data, x.var())  # ddof is 0, as in NumPy
    with pytest.raises(mg.ShapeError, match=r"var: 3 values \(shape \(3, 4\), axis 0\) are too few for ddof=3"):
        mg.var(mg.tensor(x), axis=0, ddof=3)


@pytest.mark.parametrize("name", ["max", "min"])
@given(case=reductions(distinct=True))
def test_extremes(name, case):
    x, axis, keepdims = case
    f = getattr(mg, name)
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    assert np.array_equal(f(mg.tensor(x), axis=axis, keepdims=keepdims).data, expected)
    check_grads(lambda x: mg.square(f(x, axis=axis, keepdims=keepdims)), [x])


def test_ties_share_the_gradient_of_an_extreme():
    x = mg.tensor(np.array([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]]), requires_grad=True)
    assert np.allclose(mg.grad(mg.max(x, axis=1).sum(), x), [[0.5, 0, 0.5], [1 / 3] * 3])
    assert np.allclose(mg.grad(x.min(axis=1).sum(), x), [[0, 1, 0], [1 / 3] * 3])
    assert np.allclose(mg.grad(x.max(), x), [[0.5, 0, 0.5], [0, 0, 0]])


def test_an_extreme_of_nan_is_nan():
    assert np.isnan(mg.max(mg.tensor([1.0, np.nan])).item())
    assert np.isnan(mg.min(mg.tensor([np.nan, 1.0])).item())


@given(reductions())
def test_logsumexp(case):
    x, axis, keepdims = case
    expected = np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))
    assert np.allclose(mg.logsumexp(mg.tensor(x), axis=axis, keepdims=keepdims).data, expected)
    check_grads(lambda x: mg.logsumexp(x, axis=axis, keepdims=keepdims), [x], order=3)


@given(st.data())
def test_softmax_and_log_softmax(data):
    x = data.draw(arrays(shapes(min_dims=1)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    e = np.exp(x)
    expected = e / e.sum(axis=axis, keepdims=True)
    assert np.allclose(mg.softmax(mg.tensor(x), axis=axis).data, expected)
    assert np.allclose(mg.log_softmax(mg.tensor(x), axis=axis).data, np.log(expected))
    for f in (mg.softmax, mg.log_softmax):
        check_grads(lambda x, f=f: f(x, axis=axis), [x], order=3)


@given(arrays((4, 3)), st.floats(-1e3, 1e3))
def test_softmax_does_not_change_with_a_shift(x, shift):
    assert np.allclose(mg.softmax(x + shift), mg.softmax(x))
    assert np.allclose(mg.logsumexp(x + shift), mg.logsumexp(x) + shift)


def test_logsumexp_of_minus_infinity():
    x = mg.tensor(np.array([[-np.inf, -np.inf], [-np.inf, 0.0]]), requires_grad=True)
    y = mg.logsumexp(x, axis=1)
    assert y.tolist() == [-np.inf, 0]
    assert mg.grad(y.sum(), x).tolist() == [[0, 0], [0, 1]]
    assert mg.logsumexp(mg.tensor([np.inf, 0.0])).item() == np.inf
    assert mg.logsumexp(mg.tensor([np.inf, 1000.0])).item() == np.inf  # whose exp overflows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits(dtype):
    x = mg.tensor(np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]], dtype), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.allclose(mg.softmax(x).data, [[1, 0, 0], [1 / 3] * 3])
        assert np.allclose(mg.log_softmax(x).data, [[0, -1e4, -2e4], [-np.log(3)] * 3])
        assert np.allclose(mg.logsumexp(x, axis=1).data, [1e4, -1e4 + np.log(3)])
        for f in (mg.softmax, mg.log_softmax):
            assert np.isfinite(mg.grad(f(x)[:, 0].sum(), x)).all()


def test_softmax_with_minus_infinity_masks():
    x = mg.tensor(np.array([0.0, -np.inf, 0.0]), requires_grad=True)
    assert mg.softmax(x).tolist() == [0.5, 0, 0.5]
    assert np.isfinite(mg.grad(mg.softmax(x)[0], x)).all()


def test_argmax_is_the_first_and_has_no_gradient():
    x = mg.tensor([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]], requires_grad=True)
    assert mg.argmax(x, axis=1).tolist() == [1, 0]
    assert x.argmax().item() == 1
    assert not mg.argmax(x, axis=1).requires_grad


def test_reductions_of_nothing():
    empty = mg.tensor(np.zeros((0, 3)), requires_grad=True)
    assert mg.sum(empty, axis=0).tolist() == [0, 0, 0]
    assert mg.grad(mg.sum(empty), empty).shape == (0, 3)
    assert np.isnan(mg.mean(empty).item())
    assert mg.mean(empty, axis=1).shape == (0,)
    with pytest.raises(mg.ShapeError, match=r"max: .*zero-size.*\(called with shapes \(0, 3\)\)"):
        mg.max(empty)
    with pytest.raises(mg.ShapeError, match="too few for ddof=0"):
        mg.var(empty)


def test_reductions_of_a_scalar():
    x = mg.tensor(np.array(2.0), requires_grad=True)
    for f in (mg.sum, mg.mean, mg.max, mg.min, mg.logsumexp):
        assert f(x).item() == 2
        assert mg.grad(f(x), x) == 1
        assert mg.grad(f(x), x).shape == ()
    assert mg.var(x).item() == 0


REDUCTIONS = (mg.sum, mg.mean, mg.var, mg.max, mg.min, mg.logsumexp, mg.softmax, mg.log_softmax, mg.flip)


@pytest.mark.parametrize("f", REDUCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (3, 0)])
def test_an_axis_out_of_range_is_an_error(f, shape):
    x = mg.tensor(np.ones(shape), requires_grad=True)
    for axis in (2, -3):
        with pytest.raises(mg.ShapeError, match=f"axis {axis} is out of (range|bounds) for "):
            f(x, axis=axis)


@pytest.mark.parametrize("wrapped", [np.array, mg.tensor])
def test_over_an_axis_without_elements(wrapped):
    x = wrapped(np.zeros((2, 0)))
    for f in (mg.softmax, mg.log_softmax):
        assert f(x).shape == (2, 0)
    assert mg.logsumexp(x, axis=1).tolist() == [-np.inf] * 2
    assert mg.logsumexp(x, axis=0, keepdims=True).shape == (1, 0)
    assert mg.logsumexp(x).tolist() == -np.inf
    for f in (mg.max, mg.min, mg.argmax):
        with pytest.raises(mg.ShapeError):
            f(x, axis=1)


def test_gradients_over_an_axis_without_elements():
    x = mg.tensor(np.zeros((2, 0)), requires_grad=True)
    for y in (mg.softmax(x), mg.log_softmax(x), mg.logsumexp(x, axis=1)):
        assert mg.grad(y.sum(), x).shape == (2, 0)
