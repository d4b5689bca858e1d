"""Only the rules between ys and xs run: what nobody asked for costs nothing."""

from collections import Counter

import numpy as np
import pytest

import minigan as mg


class Counted:
    """A matrix product whose rules count how often they run, and see what they get."""

    def __init__(self):
        self.runs = Counter()

        @mg.primitive
        def matmul(a, b):
            return a @ b

        @matmul.vjp(0)
        def _(g, y, a, b):
            self.runs["a"] += 1
            return g @ b.T

        @matmul.vjp(1)
        def _(g, y, a, b):
            self.runs["b"] += 1
            return a.T @ g

        self.matmul = matmul


@pytest.fixture
def counted():
    return Counted()


def leaf(rows, columns, requires_grad=True):
    return mg.tensor(np.random.default_rng(rows).standard_normal((rows, columns)), requires_grad=requires_grad)


def test_a_first_layer_computes_no_input_gradient(counted):
    x, w = leaf(2, 3, requires_grad=False), leaf(3, 4)
    counted.matmul(x, w).sum().backward()
    assert counted.runs == {"b": 1}


def test_a_frozen_discriminator_computes_no_weight_gradient(counted):
    fake, w1, w2 = leaf(2, 3), leaf(3, 4, requires_grad=False), leaf(4, 1, requires_grad=False)
    counted.matmul(mg.tanh(counted.matmul(fake, w1)), w2).sum().backward()
    assert counted.runs == {"a": 2}


def test_the_inner_gradient_of_a_penalty_computes_no_weight_gradient(counted):
    x, w1, w2 = leaf(2, 3), leaf(3, 4), leaf(4, 1)
    score = counted.matmul(mg.tanh(counted.matmul(x, w1)), w2).sum()
    mg.grad(score, x, create_graph=True)
    assert counted.runs == {"a": 2}


def test_grad_stops_at_an_intermediate_value(counted):
    x, w1, w2 = leaf(2, 3), leaf(3, 4), leaf(4, 1)
    hidden = counted.matmul(x, w1)
    mg.grad(counted.matmul(hidden, w2).sum(), hidden)
    assert counted.runs == {"a": 1}


def test_backward_into_unused_branches_runs_no_rule(counted):
    x, w = leaf(2, 3), leaf(3, 4)
    counted.matmul(x, w)  # a branch that y does not use
    (x * x).sum().backward()
    assert not counted.runs


def test_each_rule_runs_once_however_often_its_result_is_used(counted):
    x, w = leaf(2, 3), leaf(3, 4)
    y = counted.matmul(x, w)
    (y * y + y + mg.tanh(y)).sum().backward()
    assert counted.runs == {"a": 1, "b": 1}


def test_a_joint_rule_is_told_what_is_wanted():
    asked = []

    @mg.primitive
    def scaled(x, w, b):
        return x * w + b

    @scaled.vjp(...)
    def _(g, y, x, w, b, *, wanted):
        asked.append(wanted)
        return tuple(part if w_ else None for part, w_ in zip((g * w, g * x, g * 1), wanted, strict=True))

    x, w = leaf(2, 2, requires_grad=False), leaf(2, 2)
    scaled(x, w, 1.0).sum().backward()
    assert asked == [(False, True, False)]


def test_a_joint_rule_for_some_positions_runs_only_for_those():
    runs = []

    @mg.primitive
    def scaled(x, w, b):
        return x * w + b

    @scaled.vjp(0, 1)
    def _(g, y, x, w, b, *, wanted):
        runs.append("joint")
        return g * w, g * x, None

    @scaled.vjp(2)
    def _(g, y, x, w, b):
        runs.append("b")
        return g * 1

    x, w, b = leaf(2, 2, requires_grad=False), leaf(2, 2, requires_grad=False), leaf(2, 2)
    mg.grad(scaled(x, w, b).sum(), b)
    assert runs == ["b"]
    x, w = leaf(2, 2), leaf(2, 2)
    gx, gb = mg.grad(scaled(x, w, b).sum(), [x, b])
    assert runs == ["b", "joint", "b"]
    assert np.array_equal(gx, w.data)
    assert np.array_equal(gb, np.ones((2, 2)))


def test_convolution_into_a_leaf_image_computes_no_kernel_gradient(monkeypatch):
    calls = []
    rule = mg.conv2d.rules[1]
    monkeypatch.setitem(mg.conv2d.rules, 1, lambda *a, **k: calls.append(1) or rule(*a, **k))
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((1, 4, 4, 2)), requires_grad=True)
    w = mg.tensor(rng.standard_normal((3, 3, 2, 2)), requires_grad=True)
    mg.grad(mg.conv2d(x, w).sum(), x)
    assert not calls
    mg.grad(mg.conv2d(x, w).sum(), w)
    assert calls
