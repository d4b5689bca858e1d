"""Writing in place: refused where a gradient would be lost or wrong, allowed where no rule reads the value."""

import gc

import numpy as np
import pytest

import minigan as mg
from minigan.autograd import memory


def leaf(*shape):
    return mg.tensor(np.random.default_rng(0).uniform(0.5, 1.5, shape or (3,)), requires_grad=True)


def write(x, number=2.0):
    with mg.no_grad():
        x *= number


READERS = {
    "multiply": lambda x: x * x,
    "matmul": lambda x: x @ x,
    "divide": lambda x: 1.0 / x,
    "max": lambda x: mg.max(x),
    "logsumexp": lambda x: mg.logsumexp(x),
    "power": lambda x: x**3,
}


@pytest.mark.parametrize("name", READERS)
def test_a_write_to_an_argument_that_a_rule_reads_is_an_error(name):
    x = leaf()
    y = READERS[name](x).sum()
    write(x)
    with pytest.raises(mg.GraphError, match=rf"backward through {name}: its argument ., of shape \(3,\), was written"):
        y.backward()


def test_a_write_to_a_result_that_a_rule_reads_is_an_error():
    x = leaf()
    y = mg.exp(x)
    write(y)
    with pytest.raises(mg.GraphError, match=r"backward through exp: its result, of shape \(3,\), was written in place"):
        y.sum().backward()


def test_the_error_says_what_to_do():
    x = leaf()
    y = (x * x).sum()
    write(x)
    with pytest.raises(mg.GraphError, match=r"take the step after backward\(\), or give the forward pass a copy"):
        y.backward()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + 1.0,
        lambda x: x - 1.0,
        lambda x: -x,
        lambda x: x.sum(),
        lambda x: x.reshape(1, 3),
        lambda x: x[::2],
        lambda x: mg.exp(x),
        lambda x: x.T,
        lambda x: mg.pad(x, widths=((1, 1),)),
    ],
)
def test_a_write_to_a_value_that_no_rule_reads_is_allowed(f):
    x = leaf()
    expected = mg.grad(f(x).sum(), x)
    y = f(x).sum()
    write(x)
    assert np.array_equal(mg.grad(y, x), expected)


def test_a_write_before_the_use_is_allowed():
    x = leaf()
    write(x)
    assert np.allclose(mg.grad((x * x).sum(), x), 2 * x.data)


def test_a_write_after_backward_is_a_step():
    x = leaf()
    (x * x).sum().backward()
    with mg.no_grad():
        x -= 0.1 * x.grad
    assert np.allclose(mg.grad((x * x).sum(), x), 2 * x.data)


def test_a_write_between_two_passes_over_one_graph_is_an_error():
    x = leaf()
    y = (x * x).sum()
    y.backward(retain_graph=True)
    write(x)
    with pytest.raises(mg.GraphError, match=r"backward through multiply"):
        y.backward()


@pytest.mark.parametrize("view", [lambda x: x[1:], lambda x: x.reshape(3, 1), lambda x: x.T, lambda x: x.detach()])
def test_a_write_through_a_view_is_a_write_to_its_owner(view):
    x = leaf()
    y = (x * x).sum()
    with mg.no_grad():
        part = view(x)
        part += 1.0
    with pytest.raises(mg.GraphError, match=r"backward through multiply"):
        y.backward()


def test_a_write_to_the_owner_is_a_write_to_its_views():
    x = leaf()
    y = (x[1:] * x[1:]).sum()
    write(x)
    with pytest.raises(mg.GraphError, match=r"backward through multiply"):
        y.backward()


def test_a_write_to_something_else_is_no_error():
    x, other = leaf(), leaf()
    y = (x * x).sum()
    write(other)
    assert np.allclose(mg.grad(y, x), 2 * x.data)


def test_setitem_counts_as_a_write():
    x = leaf()
    y = (x * x).sum()
    with mg.no_grad():
        x[0] = 5.0
    assert x.data[0] == 5.0
    with pytest.raises(mg.GraphError, match=r"written in place"):
        y.backward()


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.__iadd__(1.0),
        lambda x: x.__isub__(1.0),
        lambda x: x.__imul__(2.0),
        lambda x: x.__itruediv__(2.0),
        lambda x: x.__setitem__(0, 1.0),
    ],
)
def test_a_tensor_in_the_graph_is_not_written_while_recording(write):
    x = leaf()
    before = x.data.copy()
    for t in (x, x * 1.0):
        with pytest.raises(mg.GraphError, match=r"cannot be changed in place.*x = x \+ y.*no_grad"):
            write(t)
    assert np.array_equal(x.data, before)


def test_a_gradient_is_not_lost_on_the_right_side():
    constant, x = mg.tensor(np.ones(3)), leaf()
    with pytest.raises(mg.GraphError, match=r"would lose the gradient of its right side"):
        constant += x
    with pytest.raises(mg.GraphError, match=r"would lose the gradient of y"):
        constant[0] = x[0]
    assert np.array_equal(constant.data, np.ones(3))


def test_in_place_operators_keep_the_tensor_its_memory_and_its_dtype():
    x = mg.tensor(np.ones(3, np.float32))
    same, memory = x, x.data
    x += 1.5
    x *= np.float64(2.0)
    x /= mg.tensor(np.full(3, 5.0))
    x -= 1
    assert x is same
    assert x.data is memory
    assert x.dtype == np.float32
    assert np.array_equal(x.data, np.zeros(3))


def test_shapes_that_do_not_fit_in_place_are_an_error():
    x = mg.tensor(np.ones(3))
    with pytest.raises(mg.ShapeError, match=r"add in place"):
        x += np.ones((2, 3))
    with pytest.raises((mg.ShapeError, ValueError)):
        x[0] = np.ones(5)


def test_what_was_written_is_forgotten_with_the_array():
    before = len(memory._written)
    for _ in range(10):
        x = mg.tensor(np.ones(3))
        x += 1.0
    del x
    gc.collect()
    assert len(memory._written) <= before
