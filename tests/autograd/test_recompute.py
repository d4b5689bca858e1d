"""A recomputed segment gives what it gives without, keeps less, and draws its random numbers once."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import minigan as mg
from minigan.testing import check_grads

SIZE = (3, 4)


def segment(x):
    return mg.tanh(x * x) / (1 + mg.exp(x))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def leaf(rng, shape=SIZE):
    return mg.tensor(rng.standard_normal(shape), requires_grad=True)


def test_it_equals_the_plain_segment(rng):
    x, g = leaf(rng), rng.standard_normal(SIZE)
    plain, again = segment(x), mg.recompute(segment, x)
    assert np.array_equal(again.data, plain.data)
    assert np.array_equal(mg.grad(again, x, g), mg.grad(plain, x, g))


def test_gradients_of_every_order_are_right(rng):
    check_grads(lambda x: mg.recompute(segment, x), [rng.standard_normal(SIZE)], order=3)


def test_second_order_equals_the_plain_segment(rng):
    x = leaf(rng)

    def second(f):
        g = mg.grad(f(x).sum(), x, create_graph=True)
        return mg.grad(mg.square(g).sum(), x)

    assert np.allclose(second(lambda x: mg.recompute(segment, x)), second(segment), rtol=1e-12)


def test_gradients_reach_parameters_it_closes_over(rng):
    x, w = leaf(rng), leaf(rng, (4, 4))
    f = lambda x: mg.tanh(x @ w)  # noqa: E731
    plain = mg.grad(f(x).sum(), [x, w])
    again = mg.grad(mg.recompute(f, x).sum(), [x, w])
    for a, b in zip(plain, again, strict=True):
        assert np.array_equal(a, b)
    mg.recompute(f, x).sum().backward()
    assert np.array_equal(w.grad, plain[1])


def test_gradients_of_every_order_reach_parameters_it_closes_over(rng):
    x0 = rng.standard_normal(SIZE)
    check_grads(
        lambda w: mg.recompute(lambda x: mg.tanh(x @ w), mg.tensor(x0)), [rng.standard_normal((4, 4))], float32=False
    )


def test_a_parameter_alone_makes_it_differentiable(rng):
    x, w = mg.tensor(rng.standard_normal(SIZE)), leaf(rng, (4, 4))
    g = mg.grad(mg.recompute(lambda x: mg.tanh(x @ w), x).sum(), w)
    assert np.array_equal(g, mg.grad(mg.tanh(x @ w).sum(), w))


def test_intermediate_values_it_closes_over(rng):
    x = leaf(rng)
    z = mg.exp(x)
    f = lambda x: x * z  # noqa: E731
    plain = mg.grad(f(x).sum(), [x, z], retain_graph=True)
    again = mg.grad(mg.recompute(f, x).sum(), [x, z])
    for a, b in zip(plain, again, strict=True):
        assert np.allclose(a, b, rtol=1e-14)


def test_one_argument_computed_from_another(rng):
    check_grads(lambda x: mg.recompute(lambda a, b: a * b, x, mg.tanh(x)), [rng.standard_normal(SIZE)], order=2)


def test_the_same_argument_twice(rng):
    check_grads(lambda x: mg.recompute(lambda a, b: a * mg.exp(b), x, x), [rng.standard_normal(SIZE)], order=2)


def test_segments_nest(rng):
    inner = lambda x: mg.recompute(segment, mg.sin(x))  # noqa: E731
    check_grads(lambda x: mg.recompute(lambda x: inner(x) + inner(2 * x), x), [rng.standard_normal(SIZE)], order=2)


def test_segments_follow_one_another(rng):
    check_grads(lambda x: mg.recompute(segment, mg.recompute(segment, x)) * x, [rng.standard_normal(SIZE)], order=2)


def test_a_tuple_of_results(rng):
    f = lambda x: (mg.tanh(x), mg.exp(x), x.detach())  # noqa: E731
    x = leaf(rng)
    a, b, constant = mg.recompute(f, x)
    assert not constant.requires_grad
    assert np.array_equal(a.data, np.tanh(x.data))
    check_grads(lambda x: mg.recompute(f, x)[:2], [rng.standard_normal(SIZE)])
    assert np.allclose(mg.grad(b.sum(), x), np.exp(x.data))  # only one of them used


def test_results_that_are_what_went_in(rng):
    x = leaf(rng)
    a, b = mg.recompute(lambda x: (x, x * 2), x)
    assert np.array_equal(mg.grad((a + b).sum(), x), np.full(SIZE, 3.0))


def test_without_gradients_it_is_the_plain_call(rng):
    x = mg.tensor(rng.standard_normal(SIZE))
    assert not mg.recompute(segment, x).requires_grad
    with mg.no_grad():
        assert not mg.recompute(segment, leaf(rng)).requires_grad


def test_dropout_draws_once(rng):
    x = leaf(rng, (50, 40))
    generator = np.random.default_rng(7)
    y = mg.recompute(lambda x: mg.dropout(mg.tanh(x), 0.5, generator) * 2, x)
    state = generator.bit_generator.state
    g = mg.grad(y.sum(), x)
    assert generator.bit_generator.state == state
    kept = y.data != 0
    assert np.allclose(g, np.where(kept, 4 * (1 - np.tanh(x.data) ** 2), 0))


def test_dropout_draws_once_in_nested_segments_and_through_two_passes(rng):
    x = leaf(rng, (30, 20))
    generator = np.random.default_rng(7)
    drop = lambda x: mg.dropout(x, 0.5, generator)  # noqa: E731
    y = mg.recompute(lambda x: drop(mg.recompute(lambda x: drop(mg.tanh(x)), x)), x)
    state = generator.bit_generator.state
    first = mg.grad(y.sum(), x, retain_graph=True)
    second = mg.grad(y.sum(), x)
    assert generator.bit_generator.state == state
    assert np.array_equal(first, second)
    assert np.array_equal(first != 0, y.data != 0)


def test_running_statistics_change_once(rng):
    norm = mg.nn.BatchNorm(4).astype(np.float64)
    x = leaf(rng, (8, 4))
    y = mg.recompute(norm, x)
    after_forward = {name: array.copy() for name, array in norm.state_dict().items()}
    y.sum().backward()
    for name, array in norm.state_dict().items():
        assert np.array_equal(array, after_forward[name]), name


def test_what_lies_between_is_freed(rng):
    inside = []

    def long(x):
        for _ in range(4):
            x = mg.tanh(x)
            inside.append(weakref.ref(x.data))
        return x + 0.0

    gc.disable()
    try:
        x = leaf(rng)
        y = mg.recompute(long, x)
        assert all(ref() is None for ref in inside)
        count = len(inside)
        y.sum().backward()
        assert len(inside) == 2 * count
        assert all(ref() is None for ref in inside)
    finally:
        gc.enable()


def test_it_needs_less_memory_than_keeping_everything(rng):
    x = leaf(rng, (64, 1024))

    def deep(x):
        for _ in range(20):
            x = mg.tanh(x)
        return x

    def kept_by(f):
        tracemalloc.start()
        y = f(x)
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert y.requires_grad
        return kept

    assert kept_by(lambda x: mg.recompute(deep, x)) < 2.5 * x.data.nbytes
    assert kept_by(deep) > 15 * x.data.nbytes


def test_a_write_to_what_it_reads_is_an_error(rng):
    x = leaf(rng)
    y = mg.recompute(segment, x).sum()
    with mg.no_grad():
        x *= 2.0
    with pytest.raises(mg.GraphError, match=r"backward through recompute: .*was written in place"):
        y.backward()


def test_a_second_backward_says_what_to_do(rng):
    x = leaf(rng)
    y = mg.recompute(segment, x).sum()
    y.backward()
    with pytest.raises(mg.GraphError, match=r"a second time.*retain_graph=True"):
        y.backward()


def test_a_constant_that_is_written_to_before_the_second_run_is_noticed():
    w, c = mg.tensor(np.ones(3), requires_grad=True), mg.tensor(np.ones(3))
    z = mg.recompute(lambda c: (w * c) ** 2, c).sum()
    c[...] = 5.0
    with pytest.raises(mg.GraphError, match=r"recompute.*written in place"):
        mg.grad(z, w)


def test_a_large_value_that_no_rule_reads_is_noticed_too():
    w = mg.tensor(np.ones(20_000), requires_grad=True)
    h = w * 1.0
    z = mg.recompute(lambda h: (h + 1.0) ** 2, h).sum()
    with mg.no_grad():
        h += 10.0
    with pytest.raises(mg.GraphError, match=r"recompute.*written in place"):
        mg.grad(z, w)
