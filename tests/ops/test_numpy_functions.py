"""NumPy's functions on Tensors: ours where there is one, values where no gradient is lost, and else an error."""

import copy
import pickle

import numpy as np
import pytest

import minigan as mg
from minigan.testing import check_grads

KEEPING = {
    "where": lambda x: np.where(np.array([[True], [False]]), x, 0.0),
    "concatenate": lambda x: np.concatenate([x, x], axis=1),
    "stack": lambda x: np.stack((x, np.ones(x.shape, x.dtype)), -1),
    "clip": lambda x: np.clip(x, 0, 1),
    "einsum": lambda x: np.einsum("ij,ik->jk", x, x),
    "reshape": lambda x: np.reshape(x, (3, -1)),
    "ravel": lambda x: np.ravel(x),
    "sum": lambda x: np.sum(x, 1),
    "mean": lambda x: np.mean(x, axis=0, keepdims=True),
    "max": lambda x: np.max(x, axis=(0, 1)),
    "amax": lambda x: np.amax(x),
    "min": lambda x: np.min(x, axis=-1),
    "var": lambda x: np.var(x, ddof=1),
    "transpose": lambda x: np.transpose(x, (1, 0)),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 1), axis=1),
    "flip": lambda x: np.flip(x, 1),
    "broadcast_to": lambda x: np.broadcast_to(x, (4, 2, 3)),
}


@pytest.mark.parametrize("name", KEEPING)
def test_a_function_that_minigan_has_too_keeps_the_gradient(name):
    x = np.random.default_rng(0).uniform(-2, 2, (2, 3))
    check_grads(KEEPING[name], x)
    y = KEEPING[name](mg.tensor(x))
    assert isinstance(y, mg.Tensor)
    np.testing.assert_allclose(y.numpy(), KEEPING[name](x))


LOSING = {
    "an argument that only NumPy has": lambda x: np.sum(x, where=[True, False]),
    "another dtype": lambda x: np.mean(x, dtype=np.float64),
    "hstack": lambda x: np.hstack([np.ones(2), x]),
    "dot": lambda x: np.dot(x.data, x),
    "pad": lambda x: np.pad(x, 1),
    "norm": lambda x: np.linalg.norm(x),
    "cumsum": lambda x: np.cumsum(x),
    "copyto": lambda x: np.copyto(np.zeros(2), x),
    "array": lambda x: np.array(x),
    "asarray": lambda x: np.asarray(x),
    "an array of a list": lambda x: np.array([x, x]),
    "an array of numbers": lambda x: np.array([x[0], x[1]]),
    "a number": lambda x: np.float32(x[0]),
    "exp": lambda x: np.exp(x),
    "isfinite": lambda x: np.isfinite(x),
    "in place": lambda x: np.ones(2, np.float32).__iadd__(x),
    "a view written to": lambda x: np.ones(2, np.float32).__setitem__(slice(None), x),
}


@pytest.mark.parametrize("name", LOSING)
def test_a_function_that_would_lose_the_gradient_is_refused(name):
    x = mg.tensor([1.0, -2.0], requires_grad=True)
    for tensor in (x, x * 1.0):
        with pytest.raises(TypeError):
            LOSING[name](tensor)


@pytest.mark.parametrize("name", ["pad"])
def test_the_error_names_the_function_that_keeps_it(name):
    with pytest.raises(mg.NumpyFunctionError, match=rf"np\.{name} .* mg\.{name} keeps it"):
        LOSING[name](mg.tensor([1.0, -2.0], requires_grad=True))


def test_constants_and_questions_without_a_gradient_are_answered():
    x, constant = mg.tensor([1.0, -2.0], requires_grad=True), mg.tensor([1.0, -2.0])
    assert (np.shape(x), np.ndim(x), np.size(x), np.argmax(x)) == ((2,), 1, 2, 0)
    assert np.array_equal(x, constant)
    assert np.allclose([1.0, -2.0], x)
    assert np.array_equal(np.concatenate([constant, [3.0]]), [1, -2, 3])
    assert np.array_equal(np.array([constant, constant]), [[1, -2]] * 2)
    with mg.no_grad():
        assert np.array_equal(np.where([True, False], x, 0.0), [1, 0])
    assert np.array_equal(np.asarray(x.detach()), x.numpy())


@pytest.mark.parametrize(
    "write",
    [
        lambda x: np.copyto(x, 0.0),
        lambda x: np.put(x, [0], [9.0]),
        lambda x: np.putmask(x, [True, False], 9.0),
        lambda x: np.place(x, [True, False], [9.0]),
        lambda x: np.put_along_axis(x, np.array([0]), 9.0, 0),
        lambda x: np.sum(np.ones((2, 2)), axis=0, out=x),
        lambda x: np.copyto(dst=x, src=np.zeros(2)),
        lambda x: np.nan_to_num(x, copy=False),
        lambda x: np.nan_to_num(x, False),
        lambda x: np.median(x, overwrite_input=True),
    ],
)
def test_no_function_writes_to_a_tensor_unseen(write):
    w, x = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([3.0, 4.0])
    y = (w * x).sum()
    with pytest.raises(mg.NumpyFunctionError, match=r"x\[\.\.\.\] = values"):
        write(x)
    assert mg.grad(y, w).tolist() == [3, 4]


def test_formats():
    x = mg.tensor(2.5, requires_grad=True)
    assert f"{x:.4f} {x * 2:8.1e} {mg.tensor(3):03d}" == "2.5000  5.0e+00 003"
    assert f"{x}" == str(x)
    with pytest.raises(mg.ShapeError, match=r"shape \(2,\)"):
        f"{mg.tensor([1.0, 2.0]):.2f}"


def test_a_computed_tensor_is_pickled_as_its_value():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = pickle.loads(pickle.dumps(mg.exp(x)))
    assert np.array_equal(y.data, np.exp(x.data))
    assert (y.requires_grad, y.is_leaf, y.grad) == (False, True, None)
    x.grad = np.ones(2, np.float32)
    for again in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert np.array_equal(again.data, x.data)
        assert np.array_equal(again.grad, x.grad)
        assert again.requires_grad
        assert not np.shares_memory(again.data, x.data)


def test_a_deep_copy_of_a_computed_tensor_is_refused_and_a_shallow_one_is_the_same_value():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(mg.GraphError, match=r"that exp computed.*detach"):
        copy.deepcopy(mg.exp(x))
    y = x * 3
    assert np.array_equal(mg.grad(copy.copy(y).sum(), x), [3, 3])


@pytest.mark.parametrize("dtype", [bool, int, np.int8, np.uint8, np.int64])
def test_a_gradient_ends_where_numbers_become_integers(dtype):
    x = mg.tensor([0.3, 1.7, 2.2], requires_grad=True)
    for cast in (x.astype(dtype), (x * 2).astype(dtype)):
        assert cast.dtype == dtype
        assert not cast.requires_grad
        assert np.array_equal(mg.grad((cast * x).sum(), x), cast.data.astype(np.float32))
    with pytest.raises(mg.DtypeError, match="complex"):
        x.astype(np.complex64)
