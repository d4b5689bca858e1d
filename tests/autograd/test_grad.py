"""grad() and backward(): what they return, add up, refuse, and which values they can be asked about."""

import numpy as np
import pytest

import minigan as mg
from minigan.testing import check_grads


def leaf(*shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).uniform(0.5, 1.5, shape), requires_grad=True)


def test_a_single_x_gives_a_gradient_and_a_list_gives_a_list():
    x = leaf(3)
    assert np.array_equal(mg.grad((x * x).sum(), x), 2 * x.data)
    (only,) = mg.grad((x * x).sum(), [x])
    assert np.array_equal(only, 2 * x.data)


def test_gradient_with_respect_to_an_intermediate_value():
    x = leaf(3)
    z = x * x
    assert np.allclose(mg.grad(mg.exp(z).sum(), z), np.exp(z.data))


def test_second_order_gradient_with_respect_to_an_intermediate_value():
    x = leaf(3)
    z = x * x
    first = mg.grad(mg.exp(z).sum(), z, create_graph=True)
    assert np.allclose(mg.grad(first.sum(), z, retain_graph=True), np.exp(z.data))
    assert np.allclose(mg.grad(first.sum(), x), np.exp(z.data) * 2 * x.data)


def test_the_result_of_a_rule_is_the_same_value_as_the_users():
    # tanh's rule reads y: the second derivative goes through the user's own y as well
    x = leaf(3)
    y = mg.tanh(x)
    g = mg.grad(y.sum(), x, create_graph=True)  # 1 - y^2
    assert np.allclose(mg.grad(g.sum(), y), -2 * y.data)


def test_gradient_with_respect_to_ys_itself_is_the_upstream_gradient():
    x = leaf(2)
    y = x * 3
    g = np.array([5.0, 7.0])
    gy, gx = mg.grad(y, [y, x], g)
    assert np.array_equal(gy, g)
    assert np.array_equal(gx, 3 * g)
    assert not np.shares_memory(gy, g)


def test_several_ys_add_up():
    x = leaf(3)
    a, b = x * 2, x * x
    assert np.allclose(mg.grad([a, b], x, [np.ones(3), np.full(3, 10.0)]), 2 + 20 * x.data)


def test_the_same_y_twice_counts_twice():
    x = leaf()
    y = x * x
    assert np.allclose(mg.grad([y, y], x), 4 * x.data)


def test_the_same_x_twice_gives_two_arrays():
    x = leaf(3)
    a, b = mg.grad((x * x).sum(), [x, x])
    assert np.array_equal(a, b)
    assert not np.shares_memory(a, b)


def test_an_x_that_ys_does_not_depend_on_is_an_error_or_none():
    x, other = leaf(3), leaf(2)
    with pytest.raises(mg.GraphError, match=r"does not depend on xs\[1\], a tensor of shape \(2,\).*allow_unused=True"):
        mg.grad((x * x).sum(), [x, other])
    assert mg.grad((x * x).sum(), [other, x], allow_unused=True)[0] is None


def test_an_x_that_requires_no_gradients_is_named_as_such():
    x = leaf(3)
    with pytest.raises(mg.GraphError, match="does not require gradients"):
        mg.grad((x * x).sum(), mg.tensor(np.ones(3)))


def test_a_descendant_of_y_is_not_something_y_depends_on():
    x = leaf(3)
    y = x * x
    later = y * 2
    assert mg.grad(y.sum(), later, allow_unused=True) is None


def test_a_constant_y_is_an_error():
    with pytest.raises(mg.GraphError, match="depends on nothing that requires gradients"):
        mg.grad(mg.tensor(1.0), leaf(1))
    with pytest.raises(mg.GraphError, match="depends on nothing that requires gradients"):
        mg.tensor(1.0).backward()


def test_a_y_that_is_no_scalar_needs_its_gradient():
    x = leaf(3)
    with pytest.raises(mg.ShapeError, match=r"y has shape \(3,\); sum it to a scalar or pass its gradient"):
        (x * x).backward()
    with pytest.raises(mg.ShapeError, match=r"shape \(3,\), but the gradient given for it has \(2,\)"):
        (x * x).backward(np.ones(2))


def test_xs_must_be_tensors():
    with pytest.raises(mg.GraphError, match="xs holds a ndarray"):
        mg.grad(leaf(), [np.ones(3)])


def test_backward_accumulates_into_grad():
    x = leaf(3)
    (x * x).sum().backward()
    once = x.grad.copy()
    (x * x).sum().backward()
    assert type(x.grad) is np.ndarray
    assert np.array_equal(x.grad, 2 * once)


def test_backward_reaches_leaves_only():
    x = leaf(3)
    z = x * x
    z.sum().backward()
    assert z.grad is None
    assert x.grad is not None


def test_backward_leaves_alone_what_grad_asks_for():
    x = leaf(3)
    mg.grad((x * x).sum(), x)
    assert x.grad is None


def test_a_leaf_that_is_its_own_y():
    x = leaf()
    x.backward()
    assert x.grad == 1
    assert mg.grad(x, x) == 1


def test_a_second_backward_says_what_to_do():
    x = leaf(3)
    y = mg.exp(x).sum()
    y.backward()
    with pytest.raises(mg.GraphError, match=r"backward through (exp|sum) a second time.*retain_graph=True.*detach\(\)"):
        y.backward()


def test_retain_graph_allows_a_second_backward():
    x = leaf(3)
    y = mg.exp(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert np.allclose(x.grad, 2 * np.exp(x.data))


def test_create_graph_retains_the_graph():
    x = leaf(3)
    y = mg.exp(x).sum()
    mg.grad(y, x, create_graph=True)
    y.backward()
    assert np.allclose(x.grad, np.exp(x.data))


def test_create_graph_returns_tensors_that_can_be_differentiated():
    x = leaf()
    g = x * x * x * x
    for factor, power in ((4, 3), (12, 2), (24, 1)):
        g = mg.grad(g, x, create_graph=True)
        assert isinstance(g, mg.Tensor)
        assert np.allclose(g.data, factor * x.data**power)


def test_no_grad_records_nothing():
    x = leaf(3)
    with mg.no_grad():
        assert not mg.is_recording()
        assert not (x * x).requires_grad
    assert mg.is_recording()
    assert not mg.no_grad()(lambda: x * x)().requires_grad
    assert (x * x).requires_grad


def test_no_grad_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), mg.no_grad():
        1 / 0
    assert mg.is_recording()


def test_grad_works_inside_no_grad_on_what_was_recorded_before():
    x = leaf(3)
    y = (x * x).sum()
    with mg.no_grad():
        g = mg.grad(y, x, create_graph=True)
    assert g.requires_grad


def test_detach_shares_memory_and_stops_gradients():
    x = leaf(3)
    y = x * x
    assert np.shares_memory(y.detach().data, y.data)
    assert np.allclose(mg.grad((y.detach() * x).sum(), x), y.data)


def test_value_and_grad_takes_arrays_and_returns_arrays():
    value, (ga, gb) = mg.value_and_grad(lambda a, b: (a * b).sum(), (0, 1))(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert value.item() == 11
    assert not value.requires_grad
    assert np.array_equal(ga, [3, 4])
    assert np.array_equal(gb, [1, 2])
    with pytest.raises(mg.DtypeError, match="argument 0 is int64"):
        mg.value_and_grad(lambda a: a)(np.array(3))


def test_value_and_grad_works_inside_no_grad():
    with mg.no_grad():
        assert mg.value_and_grad(lambda a: a * a)(np.array(3.0))[1] == 6


def test_integers_cannot_require_gradients():
    with pytest.raises(mg.DtypeError, match="int64 has no gradients"):
        mg.tensor([1, 2], requires_grad=True)


def test_a_gradient_penalty_is_right_to_the_second_order():
    def penalty(x, w):
        score = mg.tanh(x @ w).sum()
        g = mg.grad(score, x if x.requires_grad else x * 1.0, create_graph=True)
        return mg.square(mg.sqrt(mg.square(g).sum(axis=1)) - 1).sum()

    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    check_grads(lambda w: penalty(x, w), [rng.standard_normal((3, 4))], float32=False)
