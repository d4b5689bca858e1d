"""The three convolutions and im2col over the whole geometry: values, adjointness, gradients of every order."""

import numpy as np
import pytest
from hypothesis import given

import minigan as mg
from minigan import kernels
from minigan.testing import check_adjoint, check_grads, conv_cases, inner

conv2d, transpose, weight = mg.conv2d, mg.conv2d_transpose, mg.conv2d_weight


def approx(expected, *factors):
    """Equal to rounding, for sums whose terms are no larger than these factors' norms."""
    return pytest.approx(expected, rel=1e-12, abs=1e-13 * np.prod([np.linalg.norm(f) for f in factors]))


def window(how):
    """The keywords of a convolution that say how a window slides."""
    return {name: how[name] for name in ("stride", "padding", "dilation")}


@given(conv_cases())
def test_transpose_is_the_adjoint_of_conv(case):
    x, w, y, how = case.draw_arrays()
    adjoint = lambda y: transpose(y, w, output_size=case.size, **how)  # noqa: E731
    check_adjoint(lambda x: conv2d(x, w, **how), adjoint, x, y)


@given(conv_cases())
def test_weight_is_the_adjoint_of_conv_in_its_kernels(case):
    x, w, y, how = case.draw_arrays()
    check_adjoint(lambda w: conv2d(x, w, **how), lambda y: weight(x, y, kernel_size=case.kernel, **how), w, y)


@given(conv_cases())
def test_the_three_are_contractions_of_one_trilinear_form(case):
    x, w, y, how = case.draw_arrays()
    form = inner(conv2d(x, w, **how), y)
    assert inner(x, transpose(y, w, output_size=case.size, **how)) == approx(form, x, w, y)
    assert inner(w, weight(x, y, kernel_size=case.kernel, **how)) == approx(form, x, w, y)


@given(conv_cases(min_batch=1))
def test_conv_is_the_sum_that_defines_it(case):
    x, w, _, how = case.draw_arrays()
    y = conv2d(x, w, **how)
    assert y.shape == (case.batch, *case.features, case.maps)
    (SH, SW), (DH, DW) = ((v, v) if isinstance(v, int) else v for v in (how["stride"], how["dilation"]))
    top, left = _before(case, how)
    per_group = case.channels // how["groups"], case.maps // how["groups"]
    rng = np.random.default_rng(case.seed)
    for _ in range(4):
        n, i, j, k = (int(rng.integers(m)) for m in y.shape)
        group = k // per_group[1]
        total = 0.0
        for kh, kw in np.ndindex(*case.kernel):
            h, w_ = i * SH + kh * DH - top, j * SW + kw * DW - left
            if 0 <= h < case.size[0] and 0 <= w_ < case.size[1]:
                channels = slice(group * per_group[0], (group + 1) * per_group[0])
                total += x[n, h, w_, channels] @ w[kh, kw, :, k]
        assert y[n, i, j, k] == pytest.approx(total, rel=1e-12, abs=1e-13)


def _before(case, how):
    """Padding at the top and the left."""
    padding = how["padding"]
    if padding == "same":
        totals = []
        for axis in range(2):
            stride, dilation = (v if isinstance(v, int) else v[axis] for v in (how["stride"], how["dilation"]))
            reach = dilation * (case.kernel[axis] - 1) + 1
            totals.append(max((case.features[axis] - 1) * stride + reach - case.size[axis], 0))
        return [total // 2 for total in totals]
    if padding == "valid":
        return 0, 0
    pair = (padding, padding) if isinstance(padding, int) else padding
    return [p if isinstance(p, int) else p[0] for p in pair]


@given(conv_cases(max_groups=1))
def test_conv_is_one_matrix_product_with_im2col(case):
    x, w, y, how = case.draw_arrays()
    product = mg.im2col(x, kernel_size=case.kernel, **window(how)) @ w.reshape(-1, case.maps)
    assert np.allclose(product.reshape(y.shape), conv2d(x, w, **how), rtol=1e-12, atol=1e-13)


@given(conv_cases())
def test_col2im_is_the_adjoint_of_im2col(case):
    x, _, _, how = case.draw_arrays()
    args = {"kernel_size": case.kernel, **window(how)}
    columns = np.random.default_rng(0).standard_normal(mg.im2col(x, **args).shape)
    check_adjoint(lambda x: mg.im2col(x, **args), lambda c: mg.col2im(c, image_shape=x.shape, **args), x, columns)


@given(conv_cases(kinds=("numbers", "valid")))
def test_output_padding_says_the_same_as_output_size(case):
    _, w, y, how = case.draw_arrays()
    by_size = transpose(y, w, output_size=case.size, **how)
    assert np.array_equal(transpose(y, w, output_padding=case.remainder, **how), by_size)


@given(conv_cases(largest=2, max_groups=2))
def test_gradients_of_conv(case):
    x, w, _, how = case.draw_arrays()
    check_grads(lambda x, w: conv2d(x, w, **how), [x, w], order=3)


@given(conv_cases(largest=2, max_groups=2))
def test_gradients_of_transpose(case):
    _, w, y, how = case.draw_arrays()
    check_grads(lambda y, w: transpose(y, w, output_size=case.size, **how), [y, w], order=3)


@given(conv_cases(largest=2, max_groups=2))
def test_gradients_of_weight(case):
    x, _, y, how = case.draw_arrays()
    check_grads(lambda x, y: weight(x, y, kernel_size=case.kernel, **how), [x, y], order=3)


@given(conv_cases(largest=2))
def test_gradients_of_im2col_and_col2im(case):
    x, _, _, how = case.draw_arrays()
    args = {"kernel_size": case.kernel, **window(how)}
    columns = np.random.default_rng(0).standard_normal(mg.im2col(x, **args).shape)
    check_grads(lambda x: mg.square(mg.im2col(x, **args)), [x])
    check_grads(lambda c: mg.square(mg.col2im(c, image_shape=x.shape, **args)), [columns])


def test_gradients_through_two_layers_with_a_kink_between():
    rng = np.random.default_rng(0)
    x, w, v = (rng.uniform(-1, 1, shape) for shape in ((2, 5, 6, 2), (3, 3, 2, 3), (4, 4, 1, 3)))

    def network(x, w, v):
        hidden = mg.leaky_relu(conv2d(x, w, stride=2, padding="same"), slope=0.2)
        return mg.tanh(transpose(hidden, v, stride=2, padding=1))

    check_grads(network, [x, w, v], order=3)


@given(conv_cases())
def test_every_implementation_gives_the_same_gradients(case):
    x, w, y, how = case.draw_arrays()

    def gradients():
        xs = [mg.tensor(a, requires_grad=True) for a in (x, w)]
        return mg.grad(conv2d(*xs, **how), xs, y)

    with kernels.using("reference"):
        expected = gradients()
    for a, b in zip(gradients(), expected, strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12)


def test_same_pads_more_at_the_bottom_and_the_right():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    w = np.zeros((2, 2, 1, 1))
    w[1, 1] = 1  # reads the pixel below and to the right
    y = conv2d(x, w, padding="same")[0, :, :, 0]
    assert np.array_equal(y[:3, :3], x[0, 1:, 1:, 0])
    assert not y[3].any()
    assert not y[:, 3].any()


def test_same_transposed_depends_on_the_size_asked_for():
    y, w = np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 1))
    assert transpose(y, w, stride=2, padding="same").shape == (1, 8, 8, 1)
    for size in (7, 8):
        out = transpose(y, w, stride=2, padding="same", output_size=size)
        assert out.shape == (1, size, size, 1)
        assert conv2d(out, w, stride=2, padding="same").shape == y.shape
        x = np.random.default_rng(0).standard_normal(out.shape)
        assert inner(out, x) == pytest.approx(inner(y, conv2d(x, w, stride=2, padding="same")))


def test_valid_transposed_reaches_as_far_as_the_kernel():
    y, w = np.ones((1, 3, 3, 1)), np.ones((2, 4, 1, 1))
    assert transpose(y, w, stride=3, dilation=2, padding="valid").shape == (1, 2 * 3 + 3, 2 * 3 + 7, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    rng = np.random.default_rng(0)
    x, w = (mg.tensor(rng.standard_normal(s).astype(dtype), requires_grad=True) for s in ((1, 5, 5, 2), (3, 3, 2, 4)))
    y = conv2d(x, w, stride=2)
    assert y.dtype == dtype
    for g in mg.grad(mg.square(y).sum(), [x, w]):
        assert g.dtype == dtype


BEYOND = [
    ({"stride": (3, 2), "dilation": 4, "padding": ((1, 1), (2, 2))}, (2, 3)),
    ({"dilation": 3, "padding": ((0, 0), (0, 0))}, (0, 2)),
    ({"dilation": 3, "padding": ((1, 1), (1, 1))}, (2, 1)),
    ({"dilation": 4, "padding": ((0, 2), (3, 1))}, (3, 3)),
]


@pytest.mark.parametrize(("how", "output_padding"), BEYOND)
def test_output_padding_below_the_dilation(how, output_padding):
    rng = np.random.default_rng(0)
    y, w, bias = (rng.standard_normal(shape) for shape in [(2, 3, 4, 2), (2, 3, 3, 2), 3])
    x = mg.conv2d_transpose(y, w, bias, output_padding=output_padding, **how)
    smallest = mg.conv2d_transpose(y, w, bias, **how)
    (top, _), (left, _) = how["padding"]
    assert x.shape[1:3] == tuple(np.add(smallest.shape[1:3], output_padding))
    whole = mg.conv2d_transpose(y, w, bias, **{**how, "padding": 0})
    whole = whole[:, top : top + x.shape[1], left : left + x.shape[2]]
    assert np.array_equal(x[:, : whole.shape[1], : whole.shape[2]], whole)
    assert np.array_equal(x[:, whole.shape[1] :], np.broadcast_to(bias, x[:, whole.shape[1] :].shape))
    check_grads(lambda *args: mg.conv2d_transpose(*args, output_padding=output_padding, **how), [y, w, bias])
