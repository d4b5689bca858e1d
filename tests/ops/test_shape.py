"""Operations that move values without changing them: shapes, axes, joins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.testing import arrays, check_grads, shapes

some = arrays(shapes(min_dims=1, min_side=0))


def same_and_differentiable(f, reference, *args):
    """f of Tensors is reference of arrays, and differentiable to the second order."""
    assert np.array_equal(f(*(mg.tensor(a) for a in args)).data, reference(*args))
    check_grads(lambda *xs: mg.square(f(*xs)), args)


@given(arrays(shapes()))
def test_reshape(x):
    same_and_differentiable(lambda x: x.reshape(-1), lambda x: x.reshape(-1), x)
    same_and_differentiable(lambda x: x.reshape((1, *x.shape)), lambda x: x[None], x)
    same_and_differentiable(lambda x: x.reshape(*x.shape, 1), lambda x: x[..., None], x)
    same_and_differentiable(lambda x: x.flatten(), lambda x: x.reshape(-1), x)


def test_reshape_of_nothing_and_of_a_scalar():
    check_grads(lambda x: x.reshape(3, 0), [np.zeros((0, 2))])
    check_grads(lambda x: x.reshape(()), [np.ones((1, 1))])
    assert mg.tensor(2.0).reshape(1, 1).shape == (1, 1)
    assert mg.tensor([[2.0]]).reshape(()).shape == ()


@given(some, st.data())
def test_transpose(x, data):
    axes = tuple(data.draw(st.permutations(range(x.ndim))))
    axes = tuple(a - x.ndim if data.draw(st.booleans()) else a for a in axes)
    same_and_differentiable(lambda x: mg.transpose(x, axes=axes), lambda x: x.transpose(axes), x)
    same_and_differentiable(lambda x: x.transpose(*axes), lambda x: x.transpose(axes), x)
    same_and_differentiable(lambda x: x.transpose(axes), lambda x: x.transpose(axes), x)
    same_and_differentiable(lambda x: x.transpose(), lambda x: x.T, x)
    same_and_differentiable(lambda x: x.T, lambda x: x.T, x)


@given(some, st.data())
def test_swapaxes_expand_dims_and_squeeze(x, data):
    first, second = (data.draw(st.integers(-x.ndim, x.ndim - 1)) for _ in range(2))
    same_and_differentiable(lambda x: x.swapaxes(first, second), lambda x: x.swapaxes(first, second), x)
    place = data.draw(st.integers(-x.ndim - 1, x.ndim))
    wide = np.expand_dims(x, place)
    same_and_differentiable(lambda x: mg.expand_dims(x, place), lambda x: wide, x)
    same_and_differentiable(lambda x: mg.squeeze(x, place), lambda x: np.squeeze(x, place), wide)
    same_and_differentiable(lambda x: x.squeeze(), lambda x: np.squeeze(x), wide)


def test_squeeze_of_a_long_axis_is_an_error():
    with pytest.raises(mg.ShapeError, match=r"squeeze: shape \(2, 1\) has more than one element along axis 0"):
        mg.squeeze(mg.tensor(np.ones((2, 1))), 0)


def test_flatten_keeps_the_batch():
    assert mg.flatten(mg.tensor(np.ones((2, 3, 4)))).shape == (2, 12)
    assert mg.flatten(mg.tensor(np.ones((0, 3, 4)))).shape == (0, 12)


@st.composite
def joinable(draw):
    """Arrays that differ along one axis only, and that axis."""
    shape = draw(shapes(min_dims=1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    place = axis % len(shape)
    parts = [(*shape[:place], n, *shape[place + 1 :]) for n in lengths]
    return [draw(arrays(part)) for part in parts], axis


@given(joinable())
def test_concatenate(case):
    parts, axis = case
    same_and_differentiable(
        lambda *xs: mg.concatenate(xs, axis=axis), lambda *xs: np.concatenate(xs, axis=axis), *parts
    )


@given(shapes(), st.data())
def test_stack(shape, data):
    parts = [data.draw(arrays(shape)) for _ in range(data.draw(st.integers(1, 3)))]
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    same_and_differentiable(lambda *xs: mg.stack(xs, axis=axis), lambda *xs: np.stack(xs, axis=axis), *parts)


def test_joins_take_constants_and_generators():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = mg.concatenate(part for part in (x, np.array([3.0, 4.0], np.float32), x))
    assert y.tolist() == [1, 2, 3, 4, 1, 2]
    assert mg.grad((y * np.arange(6, dtype=np.float32)).sum(), x).tolist() == [4, 6]


def test_a_join_of_nothing_is_an_error():
    with pytest.raises(mg.ShapeError, match="concatenate: needs at least one tensor, got an empty list"):
        mg.concatenate([])


@given(some, st.data())
def test_pad(x, data):
    widths = tuple((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in range(x.ndim))
    same_and_differentiable(lambda x: mg.pad(x, widths=widths), lambda x: np.pad(x, widths), x)
    assert np.array_equal(mg.pad(mg.tensor(x), widths=widths, value=7).data, np.pad(x, widths, constant_values=7))


def test_widths_that_do_not_fit_are_an_error():
    x = mg.tensor(np.ones((2, 3)))
    with pytest.raises(mg.ShapeError, match=r"shape \(2, 3\) needs 2 pairs \(before, after\), none negative"):
        mg.pad(x, widths=((1, 1),))
    with pytest.raises(mg.ShapeError, match="none negative"):
        mg.pad(x, widths=((1, 1), (-1, 0)))


@given(some, st.data())
def test_flip(x, data):
    axes = tuple(data.draw(st.lists(st.integers(0, x.ndim - 1), unique=True)))
    same_and_differentiable(lambda x: mg.flip(x, axes), lambda x: np.flip(x, axes), x)
    same_and_differentiable(mg.flip, np.flip, x)
    same_and_differentiable(lambda x: mg.flip(x, -1), lambda x: np.flip(x, -1), x)
