"""Gradients own their memory: no gradient is another, an input, the upstream gradient or a view of one."""

import itertools

import numpy as np
import pytest

import minigan as mg


def leaves(count, shape=(2, 3)):
    rng = np.random.default_rng(0)
    return [mg.tensor(rng.standard_normal(shape), requires_grad=True) for _ in range(count)]


CASES = {
    "one seed for both sides of a sum": lambda a, b: a + b,
    "a value and itself": lambda a, b: a + a + b,
    "a sum and its parts": lambda a, b: (a + b) + (b + a),
    "views of the upstream gradient": lambda a, b: mg.concatenate([a, b]),
    "transposed views": lambda a, b: a.T + b.T,
    "reshaped views": lambda a, b: a.reshape(6) + b.reshape(6),
    "a broadcast view": lambda a, b: a.sum() + b.sum(),
    "slices": lambda a, b: a[:, 1:] + b[:, :2],
    "flips": lambda a, b: mg.flip(a) + mg.flip(b),
    "identity through where": lambda a, b: mg.where(True, a, b) + b,
    "identity through clip": lambda a, b: mg.clip(a, low=-9.0, high=9.0) + b,
    "identity through astype": lambda a, b: a.astype(np.float64) + b,
    "stacks": lambda a, b: mg.stack([a, b, a]),
}


@pytest.mark.parametrize("f", CASES.values(), ids=CASES.keys())
def test_no_gradient_shares_memory(f):
    a, b = leaves(2)
    y = f(a, b)
    upstream = np.random.default_rng(1).standard_normal(y.shape)
    before = upstream.copy()
    gradients = mg.grad(y, [a, b, y], upstream)
    arrays = [*gradients, upstream, a.data, b.data, y.data]
    for i, (one, other) in enumerate(itertools.combinations(arrays[:4], 2)):
        assert not np.shares_memory(one, other), i
    for g, owned in itertools.product(gradients, arrays[3:]):
        assert not np.shares_memory(g, owned)
        assert g.flags.writeable
    assert np.array_equal(upstream, before)


@pytest.mark.parametrize("f", CASES.values(), ids=CASES.keys())
def test_no_grad_attribute_shares_memory(f):
    a, b = leaves(2)
    y = f(a, b)
    upstream = np.ones(y.shape)
    y.backward(upstream)
    a.grad += 100.0
    assert b.grad.max() < 50
    assert upstream.max() == 1
    assert a.data.max() < 50


def test_accumulating_does_not_change_what_was_handed_in_or_out():
    a, b = leaves(2)
    y = a + b
    upstream = np.ones(y.shape)
    y.backward(upstream)
    kept = b.grad
    (a + b).backward(upstream)
    assert np.array_equal(upstream, np.ones(y.shape))
    assert np.array_equal(kept, np.full(y.shape, 2.0))  # .grad is added up in place, as documented
    assert not np.shares_memory(a.grad, b.grad)


def test_adding_up_in_place_never_changes_a_gradient_that_another_value_holds():
    # the gradient of z goes on unchanged to x and to w; x then receives a second one
    x, w = leaves(2)
    z = x + w
    y = (z + x * 2 + x * 3).sum()
    gx, gw = mg.grad(y, [x, w])
    assert np.array_equal(gx, np.full(x.shape, 6.0))
    assert np.array_equal(gw, np.ones(x.shape))


def test_a_rule_may_return_its_argument():
    @mg.primitive
    def weighted(x, w):
        return x * w

    weighted.vjp(0)(lambda g, y, x, w: w)  # right for g = 1, and an array of the caller's
    x, w = leaves(2)
    w = w.detach()
    before = w.data.copy()
    y = weighted(x, w).sum() + (x * 2).sum() + (x * 3).sum()
    g = mg.grad(y, x)
    assert np.array_equal(w.data, before)
    assert np.allclose(g, before + 5)


def test_a_rule_may_return_the_same_array_for_two_arguments():
    @mg.primitive
    def together(a, b):
        return a + b

    @together.vjp(...)
    def _(g, y, a, b, *, wanted):
        fresh = g * 1.0
        return fresh, fresh

    a, b = leaves(2)
    y = together(a, b) + a * 2
    ga, gb = mg.grad(y.sum(), [a, b])
    assert np.array_equal(ga, np.full(a.shape, 3.0))
    assert np.array_equal(gb, np.ones(a.shape))


def test_a_rule_may_keep_what_it_returns():
    kept = {}

    @mg.primitive
    def twice(x):
        return x * 2

    @twice.vjp(0)
    def _(g, y, x):
        kept.setdefault("g", g * 2)
        return kept["g"].view()

    (x,) = leaves(1)
    mg.grad((twice(x) + x).sum(), x)
    assert np.array_equal(kept["g"], np.full(x.shape, 2.0))


def test_one_array_for_two_arguments_belongs_to_neither():
    @mg.primitive
    def twice(a, b):
        return a + b

    @twice.vjp(...)
    def _(g, y, a, b, wanted):
        both = g * 1
        return both, both

    a, b = (mg.tensor(np.ones(3), requires_grad=True) for _ in range(2))
    y = twice(a, b)
    # a's own share is added to what the rule gave, which must not show in b's
    ga, gb = mg.grad((y + a * 10).sum(), [a, b], retain_graph=True)
    assert np.array_equal(ga, [11, 11, 11])
    assert np.array_equal(gb, [1, 1, 1])
    ga, gb = mg.grad((a * 10 + y).sum(), [a, b])
    assert np.array_equal(ga, [11, 11, 11])
    assert np.array_equal(gb, [1, 1, 1])


def test_an_array_that_a_rule_keeps_is_not_added_to_or_given_away():
    kept = np.array([1.0, 2.0, 3.0])

    @mg.primitive
    def dot(a):
        return np.asarray((a * kept).sum())

    dot.vjp(0)(lambda g, y, a: kept)
    t = mg.tensor(np.ones(3), requires_grad=True)
    for _ in range(2):
        assert np.array_equal(mg.grad(dot(t) + dot(t), t), [2, 4, 6])
    g = mg.grad(dot(t), t)
    g += 1
    assert np.array_equal(kept, [1, 2, 3])


def test_a_gradient_of_another_shape_is_refused():
    @mg.primitive
    def odd(a):
        return a * 1

    odd.vjp(0)(lambda g, y, a: np.ones(7))
    t = mg.tensor(np.ones(3), requires_grad=True)
    with pytest.raises(mg.GraphError, match=r"shape \(7,\) to a value of shape \(3,\)"):
        mg.grad(odd(t).sum(), t)


def test_a_gradient_that_overlaps_itself_is_added_to_apart():
    @mg.primitive(saves="x")
    def total(x):
        return np.asarray(x.sum())

    @total.vjp(0)
    def _(g, y, x):
        return np.ndarray(x.shape, x.dtype, np.array([float(g)], x.dtype), strides=(0,))

    x = mg.tensor(np.arange(1.0, 5.0), requires_grad=True)
    assert mg.grad(mg.sum(x * x) + total(x), x).tolist() == [3, 5, 7, 9]
    g = mg.grad(total(x), x)
    g[0] = 100
    assert g.tolist() == [100, 1, 1, 1]
