"""Operations of one's own: separate, joint and variadic rules, tuples, constants, and what is refused."""

import numpy as np
import pytest

import minigan as mg
from minigan.testing import check_grads


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@mg.primitive
def cube(x):
    return x**3


@cube.vjp(0)
def _(g, y, x):
    return g * 3 * x**2


def test_a_primitive_with_arrays_is_the_plain_function():
    out = cube(np.array([2.0]))
    assert type(out) is np.ndarray
    assert out == 8


def test_a_primitive_with_constant_tensors_gives_a_constant():
    out = cube(mg.tensor([2.0]))
    assert isinstance(out, mg.Tensor)
    assert not out.requires_grad


def test_one_rule_serves_every_order(rng):
    check_grads(cube, [rng.standard_normal(4)], order=4)


def test_a_primitive_keeps_its_name_and_docstring():
    @mg.primitive
    def halved(x):
        """Half of x."""
        return x / 2

    assert (halved.__name__, halved.__doc__) == ("halved", "Half of x.")


def test_a_joint_rule(rng):
    @mg.primitive
    def product(a, b):
        return a * b

    @product.vjp(0, 1)
    def _(g, y, a, b, *, wanted):
        return g * b if wanted[0] else None, g * a if wanted[1] else None

    check_grads(product, [rng.standard_normal(3), rng.standard_normal(3)])


def test_a_variadic_rule(rng):
    @mg.primitive
    def total(*xs, factor):
        return factor * sum(xs)

    @total.vjp(...)
    def _(g, y, *xs, factor, wanted):
        return tuple(g * factor if w else None for w in wanted)

    check_grads(lambda *xs: mg.square(total(*xs, factor=2.0)), [rng.standard_normal(3) for _ in range(3)])


@mg.primitive
def polar(x, y):
    """Radius and angle."""
    return np.hypot(x, y), np.arctan2(y, x)


@polar.vjp(...)
def _(g, out, x, y, *, wanted):
    r = out[0]
    g_r, g_a = (0.0 if part is None else part for part in g)
    return (g_r * x - g_a * y / r) / r, (g_r * y + g_a * x / r) / r


def test_a_tuple_of_outputs_is_differentiable_in_each(rng):
    args = [rng.uniform(0.5, 1.5, 3), rng.uniform(0.5, 1.5, 3)]
    check_grads(polar, args, order=3)
    check_grads(lambda x, y: polar(x, y)[0], args)
    check_grads(lambda x, y: polar(x, y)[1], args)


def test_an_output_of_a_tuple_is_a_value_of_its_own(rng):
    x, y = (mg.tensor(rng.uniform(0.5, 1.5, 3), requires_grad=True) for _ in range(2))
    r, a = polar(x, y)
    gr, ga = mg.grad((r * r * a).sum(), [r, a])
    assert np.allclose(gr, 2 * r.data * a.data)
    assert np.allclose(ga, r.data**2)
    with pytest.raises(mg.GraphError, match=r"does not depend on"):
        mg.grad(r.sum(), a)


def test_a_saved_output_carries_gradients_of_higher_order(rng):
    # the rule reads the radius: constant to it, it would be wrong from the second order on
    x, y = (mg.tensor(rng.uniform(0.5, 1.5, 3), requires_grad=True) for _ in range(2))
    r, _ = polar(x, y)
    g = mg.grad(r.sum(), x, create_graph=True)
    assert np.allclose(mg.grad(g.sum(), x, retain_graph=True), y.data**2 / r.data**3)
    assert np.allclose(mg.grad(g.sum(), r), -x.data / r.data**2)


def test_none_from_a_rule_is_a_gradient_of_zero():
    @mg.primitive
    def step(x):
        return (x > 0).astype(x.dtype)

    step.vjp(0)(lambda g, y, x: None)
    x = mg.tensor([1.0, -1.0], requires_grad=True)
    assert np.array_equal(mg.grad(step(x).sum(), x), [0, 0])
    assert np.array_equal(mg.grad((step(x) + x * 3).sum(), x), [3, 3])
    g = mg.grad(step(x).sum(), x, create_graph=True)
    assert np.array_equal(g.data, [0, 0])
    step(x).sum().backward()
    assert np.array_equal(x.grad, [0, 0])
    assert x.grad.dtype == np.float32


def test_none_is_a_gradient_of_zero_for_what_lies_further_back():
    @mg.primitive
    def step(x):
        return (x > 0).astype(x.dtype)

    step.vjp(0)(lambda g, y, x: None)
    x = mg.tensor([1.0, -1.0], requires_grad=True)
    z = x * 2
    gz, gx = mg.grad(step(z).sum(), [z, x])
    assert np.array_equal(gz, [0, 0])
    assert np.array_equal(gx, [0, 0])
    step(x * 2).sum().backward()
    assert np.array_equal(x.grad, [0, 0])


def test_a_missing_rule_is_an_error_that_says_how_to_add_one():
    @mg.primitive
    def odd(x, w):
        return x * w

    odd.vjp(0)(lambda g, y, x, w: g * w)
    x, w = (mg.tensor([2.0], requires_grad=True) for _ in range(2))
    assert mg.grad(odd(x, w), x) == 2
    with pytest.raises(mg.GraphError, match=r"odd has no rule for its argument 1; register one with @odd\.vjp\(1\)"):
        mg.grad(odd(x, w), w)


def test_a_tensor_in_a_keyword_is_an_error():
    @mg.primitive
    def scaled(x, *, factor):
        return x * factor

    with pytest.raises(mg.GraphError, match=r"scaled: a Tensor in the keyword 'factor' would be a constant"):
        scaled(mg.tensor([1.0]), factor=mg.tensor([2.0]))
    with pytest.raises(mg.GraphError, match=r"scaled: a Tensor in the keyword 'factor'"):
        scaled(mg.tensor([1.0]), factor=[mg.tensor([2.0])])


@pytest.mark.parametrize("wrap", [lambda t: [t], lambda t: (t, 1.0), lambda t: [[t]]])
def test_a_tensor_in_a_list_is_an_error(wrap):
    @mg.primitive
    def total(xs):
        return sum(xs)

    with pytest.raises(mg.GraphError, match=r"total: a Tensor in a list would be a constant"):
        total(wrap(mg.tensor([1.0], requires_grad=True)))


def test_a_tensor_in_a_keyword_is_an_error_without_any_tensor_elsewhere():
    @mg.primitive
    def scaled(x, *, factor):
        return x * factor

    with pytest.raises(mg.GraphError, match=r"a Tensor in the keyword 'factor'"):
        scaled(np.ones(1), factor=mg.tensor([2.0], requires_grad=True))


def test_constants_may_be_given_by_position():
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    assert mg.sum(x, 1).shape == (2,)
    assert mg.clip(x, 1.0, 2.0).data.max() == 2
    with pytest.raises(TypeError, match=r"sum takes 1 arrays and axis, keepdims, but got 4 positional arguments"):
        mg.sum(x, 1, True, 2)
    with pytest.raises(TypeError, match=r"sum takes 1 arrays"):
        mg.sum(x, 1, axis=1)


def test_saves_must_name_arguments():
    with pytest.raises(TypeError, match=r"saves names \['z'\], but its arguments are \['x'\]"):

        @mg.primitive(saves="z")
        def f(x):
            return x


def test_a_rule_that_reads_what_it_does_not_save_shows():
    @mg.primitive(saves="")
    def squared(x):
        return x * x

    squared.vjp(0)(lambda g, y, x: g * 2 * x)
    x = mg.tensor(np.ones(100_000), requires_grad=True)
    assert np.isnan(mg.grad(squared(x).sum(), x)).all()


def test_numpy_errors_become_shape_errors_that_name_the_call():
    a, b = mg.tensor(np.ones((2, 3))), mg.tensor(np.ones((4,)))
    with pytest.raises(mg.ShapeError, match=r"add: .*\(called with shapes \(2, 3\), \(4,\)\)"):
        a + b
    with pytest.raises(mg.ShapeError, match=r"matmul: .*\(called with shapes \(2, 3\), \(4,\)\)"):
        a @ b
    with pytest.raises(mg.ShapeError, match=r"take: .*\(called with shapes \(2, 3\)\)"):
        a[5]


def test_vjp_of_derives_a_joint_rule_of_every_order(rng):
    @mg.primitive
    def fused(x, w):
        return np.tanh(x * w) + x

    fused.vjp(...)(mg.vjp_of(lambda x, w: mg.tanh(x * w) + x))
    check_grads(fused, [rng.standard_normal(3), rng.standard_normal(3)], order=3)


def test_vjp_of_gives_partial_derivatives(rng):
    @mg.primitive
    def product(a, b):
        return a * b

    product.vjp(...)(mg.vjp_of(lambda a, b: a * b))
    check_grads(lambda x: product(x, x), [rng.standard_normal(3)], order=3)  # one value in two places
    check_grads(lambda x: product(x, mg.tanh(x)), [rng.standard_normal(3)], order=3)  # one argument from the other


def test_rules_registered_for_a_ufunc(rng):
    hypotenuse = mg.primitive(np.hypot)
    hypotenuse.vjp(0)(lambda g, y, a, b: g * a / y)
    hypotenuse.vjp(1)(lambda g, y, a, b: g * b / y)
    check_grads(hypotenuse, [rng.uniform(1, 2, 3), rng.uniform(1, 2, 3)], order=3)
