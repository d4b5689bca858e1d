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


BY_AXIS = {
    "sum": mg.sum,
    "mean": mg.mean,
    "var": mg.var,
    "max": mg.max,
    "min": mg.min,
    "argmax": lambda x, axis: mg.argmax(x, axis=axis),
    "logsumexp": mg.logsumexp,
    "softmax": mg.softmax,
    "log_softmax": mg.log_softmax,
    "flip": mg.flip,
    "squeeze": mg.squeeze,
    "expand_dims": mg.expand_dims,
    "swapaxes": lambda x, axis: mg.swapaxes(x, axis, 0),
    "transpose": lambda x, axis: mg.transpose(x, axes=(axis, 1, 2)),
    "concatenate": lambda x, axis: mg.concatenate([x, x], axis=axis),
    "stack": lambda x, axis: mg.stack([x, x], axis=axis),
}


@pytest.mark.parametrize("name", BY_AXIS)
@given(data=st.data())
def test_an_axis_that_does_not_exist_is_an_error(name, data):
    dims = 4 if name in ("expand_dims", "stack") else 3
    axis = data.draw(st.integers(-9, -dims - 1) | st.integers(dims, 9))
    for x in (np.ones((1, 1, 1)), mg.tensor(np.ones((1, 1, 1)), requires_grad=True)):
        with pytest.raises(mg.ShapeError):
            BY_AXIS[name](x, axis)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "max", "logsumexp", "flip", "squeeze", "expand_dims"])
def test_an_axis_named_twice_is_an_error(name):
    with pytest.raises(mg.ShapeError):
        BY_AXIS[name](np.ones((1, 1, 1)), (0, -4 if name == "expand_dims" else -3, 1, 0))


def test_several_new_axes():
    x = np.ones((2, 3))
    for axis in ((0, 1), (0, -1), (1, 3), [2, 0], (0,)):
        assert mg.expand_dims(x, axis).shape == np.expand_dims(x, tuple(axis)).shape


def test_lists_of_settings_may_be_changed_before_the_backward_pass():
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    axes, widths = [1, 0], [[1, 0], [0, 2]]
    y, z = mg.transpose(x, axes=axes), mg.pad(x, widths=widths)
    axes[:], widths[0][:] = [0, 1], [0, 9]
    assert np.array_equal(mg.grad(y, x, np.arange(6.0).reshape(3, 2)), np.arange(6.0).reshape(3, 2).T)
    assert np.array_equal(mg.grad(z.sum(), x), np.ones((2, 3)))
