"""Tensor as NumPy users know arrays: operators on either side, conversions, and what it refuses."""

import operator

import numpy as np
import pytest

import minigan as mg

A, B = np.array([[1.5, 2.0], [3.0, 0.5]]), np.array([[2.0, 1.0], [0.5, 3.0]])
OPERATORS = ["add", "sub", "mul", "truediv", "pow", "matmul", "eq", "ne", "lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("right", [B, np.float64(1.5), 2, 0.5], ids=["array", "NumPy number", "int", "float"])
def test_operators_on_either_side(name, right):
    f = getattr(operator, name)
    if name == "matmul":
        right = B
    for expected, result in (
        (f(A, right), f(mg.tensor(A), right)),
        (f(right, A), f(right, mg.tensor(A))),
        (f(A, A), f(mg.tensor(A), mg.tensor(A))),
    ):
        assert isinstance(result, mg.Tensor)
        assert result.dtype == expected.dtype
        assert np.allclose(result.data, expected, rtol=1e-15)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow", "matmul"])
def test_gradients_reach_a_tensor_on_either_side(name):
    f = getattr(operator, name)
    for g in (
        mg.value_and_grad(lambda a: f(a, B).sum())(A)[1],
        mg.value_and_grad(lambda a: f(B, a).sum())(A)[1],
    ):
        assert g.shape == A.shape
        assert np.isfinite(g).all()


def test_unary_operators():
    x = mg.tensor(A)
    assert np.array_equal((-x).data, -A)
    assert np.array_equal((+x).data, A)
    assert np.array_equal(abs(-x).data, A)


def test_tensor_owns_a_copy():
    array = np.ones(3)
    x = mg.tensor(array)
    array[0] = 5
    assert x.tolist() == [1, 1, 1]
    assert not np.shares_memory(mg.tensor(x).data, x.data)


def test_dtypes_of_new_tensors():
    assert mg.tensor(1.5).dtype == np.float32
    assert mg.tensor([[1.0, 2.0]]).dtype == np.float32
    assert mg.tensor(np.ones(2)).dtype == np.float64
    assert mg.tensor([1, 2]).dtype == np.int64
    assert mg.tensor(np.ones(2), dtype=np.float32).dtype == np.float32
    assert mg.tensor(mg.tensor(np.ones(2))).dtype == np.float64
    with pytest.raises(mg.DtypeError, match="not numeric"):
        mg.tensor([object()])


def test_conversions():
    x = mg.tensor(A, requires_grad=True)
    assert x.numpy() is x.data
    assert np.array_equal(np.asarray(x.detach()), A)
    assert np.array_equal(np.asarray(x.detach(), np.float32), A.astype(np.float32))
    assert not np.shares_memory(np.array(x.detach()), x.data)
    assert x.tolist() == A.tolist()
    assert np.sum(np.asarray((x * 2).detach())) == 14
    assert mg.tensor([[2.5]]).item() == 2.5
    assert float(mg.tensor(2.5)) == 2.5
    assert int(mg.tensor(2.5)) == 2
    assert [10, 20][mg.tensor(1)] == 20
    assert bool(mg.tensor(1.0))
    assert not bool(mg.tensor([0.0]))


def test_what_takes_one_element_refuses_more():
    x = mg.tensor(np.ones((2, 3)))
    with pytest.raises(mg.ShapeError, match=r"item: the tensor has shape \(2, 3\)"):
        x.item()
    with pytest.raises(mg.ShapeError, match=r"bool: the tensor has shape \(2, 3\); use .numpy\(\).any\(\)"):
        bool(x == 1)


def test_properties():
    x = mg.tensor(A, requires_grad=True)
    assert (x.shape, x.ndim, x.size, x.is_leaf, x.grad) == ((2, 2), 2, 4, True, None)
    assert not (x * 2).is_leaf


def test_repr_says_where_a_value_is_from():
    assert repr(mg.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert repr(mg.tensor(np.ones(1), requires_grad=True)) == "tensor([1.], dtype=float64, requires_grad=True)"
    assert repr(mg.tanh(mg.tensor([0.0], requires_grad=True))) == "tensor([0.], of=tanh)"


def test_tensors_hash_by_identity():
    x, y = mg.tensor(1.0), mg.tensor(1.0)
    assert len({x, y, x}) == 2


def test_integer_tensors_compute_as_numpys():
    x = mg.tensor([1, 2, 3])
    assert (x + 1).tolist() == [2, 3, 4]
    assert (x / 2).tolist() == [0.5, 1, 1.5]
    assert x.sum().item() == 6
