"""The checks that prove operations have to fail for operations that are wrong."""

import numpy as np
import pytest
from hypothesis import given

import minigan as mg
from minigan.kernels.geometry import ConvGeometry
from minigan.testing import arrays, broadcastable_shapes, check_adjoint, check_grads, conv_cases, inner, pool_cases


def operation(forward, *rules):
    """A primitive with a rule for each argument."""
    made = mg.primitive(forward)
    for position, rule in enumerate(rules):
        made.vjp(position)(rule)
    return made


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(0.5, 1.5, (2, 3))


def fails(f, args, match, **how):
    with pytest.raises(AssertionError, match=match):
        check_grads(f, args, **how)


def test_a_wrong_factor_is_found_and_told(x):
    wrong = operation(lambda x: x**3, lambda g, y, x: g * 3.001 * x**2)
    fails(wrong, [x], r"order 1 gradient with respect to argument 0, of shape \(2, 3\): exact -?\d.*, numeric -?\d")


def test_a_single_wrong_element_is_found(x):
    def rule(g, y, x):
        out = g * 1.0
        out[0, 0] = 0.0
        return out

    fails(operation(lambda x: x.copy(), rule), [x], "order 1 gradient")


@pytest.mark.parametrize("element", [(0, 0), (1, 2)])
@pytest.mark.parametrize(
    "around", [lambda f: f, lambda f: lambda x: mg.tanh(f(mg.sin(x))), lambda f: lambda x: f(x * 1) + f(x)]
)
def test_the_operation_and_its_worst_element_are_named(x, element, around):
    def rule(g, y, x):
        factor = np.ones(x.shape)
        factor[element] = 0.5
        return g * 2 * factor

    def doubled(x):
        return x * 2

    wrong = operation(doubled, rule)
    row, column = element
    fails(
        around(wrong), [x], rf"worst at element \({row}, {column}\): .* a ratio of .*; the rules? .* doubled", order=1
    )


def test_the_argument_is_named(x):
    wrong = operation(lambda a, b: a * b, lambda g, y, a, b: g * b, lambda g, y, a, b: g * b)
    fails(wrong, [x, x + 1], "order 1 gradient with respect to argument 1,")


def test_places_of_constants_count(x):
    wrong = operation(lambda x: x * 2, lambda g, y, x: g * 3)
    fails(lambda n, x: wrong(x), [3, x], "with respect to argument 1,")


def test_a_constant_where_a_value_should_be_is_found_at_the_second_order(x):
    def rule(g, y, x):
        return g * 3 * (x.detach() if isinstance(x, mg.Tensor) else x) ** 2

    constant = operation(lambda x: x**3, rule)
    check_grads(constant, [x], order=1)
    fails(constant, [x], "order 2 gradient with respect to argument 0,", order=2)


def test_a_wrong_gradient_of_the_upstream_gradient_is_found(x):
    backward = operation(lambda g, x: g * x, lambda gg, y, g, x: gg * x * 2, lambda gg, y, g, x: gg * g)
    half = operation(lambda x: x * x / 2, lambda g, y, x: backward(g, x))
    check_grads(half, [x], order=1)
    fails(half, [x], "order 2 gradient with respect to upstream gradient 0,", order=2)


def test_a_shared_gradient_is_found(x):
    f = lambda a, b: a + b  # noqa: E731
    check_grads(f, [x, x])
    shared = operation(lambda x: x * 1, lambda g, y, x: g)
    check_grads(shared, [x])  # the pass copies what a rule hands on


def test_a_changed_input_is_found(x):
    def forward(x):
        x *= 1.0 + 1e-14
        return x.copy()

    fails(operation(forward, lambda g, y, x: g), [x], "argument 0 was changed by computing with it")


def test_a_widened_dtype_is_found(x):
    wide = operation(lambda x: x * np.ones(3), lambda g, y, x: g)
    fails(wide, [x], "with float32 arguments, result 0 is float64")
    check_grads(wide, [x], float32=False)


def test_a_joint_rule_wrong_when_asked_for_one_is_found(x):
    product = mg.primitive(lambda a, b: a * b)

    @product.vjp(...)
    def _(g, y, a, b, *, wanted):
        return (g * b, g * a) if all(wanted) else (g * 2 * b, g * 2 * a)

    fails(product, [x, x], "order 1 gradient with respect to argument 0: requested alone")


def test_a_result_without_gradients_is_an_error(x):
    fails(lambda x: x.detach(), [x], "does not depend on its arguments in a differentiable way")
    fails(lambda x: mg.tensor(1.0), [np.arange(3)], "no argument is a floating point array")
    fails(lambda x: x.data, [x], "must return a Tensor")


def test_a_nan_is_never_within_the_tolerance(x):
    fails(operation(lambda x: x * 1, lambda g, y, x: g * np.nan), [x], "gradient")


def test_linear_constant_and_empty_functions_pass(x):
    check_grads(lambda x: x.sum(), [x], order=3)
    check_grads(lambda x: x * 0.0, [x], order=3)
    check_grads(mg.exp, [np.zeros((0, 3))], order=3)
    check_grads(mg.exp, [np.array(0.3)], order=3)


def test_a_wrong_adjoint_is_found():
    rng = np.random.default_rng(0)
    A, x, y = rng.standard_normal((3, 4)), rng.standard_normal(4), rng.standard_normal(3)
    check_adjoint(lambda x: A @ x, lambda y: A.T @ y, x, y)
    with pytest.raises(AssertionError, match=r"<forward\(x\), y> = .* but <x, adjoint\(y\)> ="):
        check_adjoint(lambda x: A @ x, lambda y: A.T @ y * (1 + 1e-9), x, y)
    with pytest.raises(AssertionError, match="must map the shape"):
        check_adjoint(lambda x: A @ x, lambda y: np.append(A.T @ y, 0), x, y)
    with pytest.raises(AssertionError, match=r"shapes \(3,\) and \(4,\) differ"):
        inner(y, x)


@given(arrays((3, 4)), arrays((5,), low=0.5, high=1.0), arrays((7, 3), distinct=True))
def test_arrays_stay_where_they_should(a, positive, distinct):
    assert a.shape == (3, 4)
    assert np.abs(a).min() >= 0.05
    assert np.abs(a).max() <= 2
    assert positive.min() >= 0.5
    assert np.diff(np.sort(distinct.ravel())).min() > 0.1


@given(broadcastable_shapes(3))
def test_broadcastable_shapes_broadcast(shapes):
    assert np.broadcast_shapes(*shapes) is not None
    assert len(shapes) == 3


@given(conv_cases())
def test_conv_cases_are_valid(case):
    x, w, y, how = case.draw_arrays()
    geometry = ConvGeometry.of_conv(x.shape, w.shape, **how)
    assert geometry.features == y.shape
    assert ConvGeometry.of_transpose(y.shape, w.shape, output_size=case.size, **how) == geometry
    if case.remainder is not None:
        assert ConvGeometry.of_transpose(y.shape, w.shape, output_padding=case.remainder, **how) == geometry


@given(pool_cases())
def test_pool_cases_are_valid(case):
    x, kernel_size, how = case
    assert mg.max_pool2d(x, kernel_size, **how).ndim == 4
