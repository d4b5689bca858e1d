"""Each operation and its gradient is PyTorch's, in float64 to a relative 1e-10, over random geometry.

PyTorch's layouts are converted at the border: images (N, C, H, W) there, kernels (K, C // groups, KH, KW) for a
convolution and for the transposed one too, K being the channels that go into it.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.testing import arrays, conv_cases, pool_cases, shapes

TOLERANCE = 1e-10


def agree(ours, theirs, args):
    """Value and gradients of ours(*args) and theirs(*args) are one, for an upstream gradient drawn at random."""
    a = [mg.tensor(x, requires_grad=True) for x in args]
    b = [torch.from_numpy(np.array(x)).requires_grad_() for x in args]
    y, z = ours(*a), theirs(*b)
    close(y.data, z.detach().numpy(), "value")
    upstream = np.random.default_rng(0).standard_normal(y.shape)
    gradients = torch.autograd.grad(z, b, torch.from_numpy(upstream))
    for number, (g, h) in enumerate(zip(mg.grad(y, a, upstream), gradients, strict=True)):
        close(g, h.numpy(), f"gradient {number}")


def close(ours, theirs, what):
    size = np.abs(theirs).max(initial=0)
    assert ours.shape == theirs.shape, what
    assert (np.abs(ours - theirs) <= TOLERANCE * np.abs(theirs) + TOLERANCE * size).all(), what


def first(x):
    """Channels first, as PyTorch has images."""
    return x.permute(0, 3, 1, 2)


def last(x):
    return x.permute(0, 2, 3, 1)


def kernels(w):
    """(KH, KW, C // groups, K) as (K, C // groups, KH, KW)."""
    return w.permute(3, 2, 0, 1).contiguous()


# ------------------------------------------------------------------------------------------- elementwise

UNARY = [
    (mg.exp, torch.exp, {}),
    (mg.log, torch.log, {"low": 0.2}),
    (mg.log1p, torch.log1p, {"low": -0.8}),
    (mg.sqrt, torch.sqrt, {"low": 0.2}),
    (mg.sin, torch.sin, {}),
    (mg.cos, torch.cos, {}),
    (mg.tanh, torch.tanh, {}),
    (mg.abs, torch.abs, {}),
    (mg.square, torch.square, {}),
    (mg.sigmoid, torch.sigmoid, {}),
    (mg.softplus, F.softplus, {}),
    (mg.relu, F.relu, {}),
    (lambda x: mg.leaky_relu(x, slope=0.2), lambda x: F.leaky_relu(x, 0.2), {}),
    (lambda x: mg.clip(x, low=-0.5, high=1.0), lambda x: torch.clamp(x, -0.5, 1.0), {}),
    (lambda x: x**3, lambda x: x**3, {}),
    (lambda x: 1 / x, lambda x: 1 / x, {}),
    (lambda x: 2.0**x, lambda x: 2.0**x, {}),
]


@pytest.mark.parametrize(("ours", "theirs", "domain"), UNARY)
@given(st.data())
def test_functions_of_one_element(ours, theirs, domain, data):
    agree(ours, theirs, [data.draw(arrays(shapes(), **domain))])


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum"])
@given(st.data())
def test_functions_of_two_elements(name, data):
    a, b = data.draw(arrays((2, 1, 3))), data.draw(arrays((4, 1)))
    agree(getattr(mg, name), getattr(torch, name), [a, b])


@given(arrays((3, 4), low=0.2), arrays((4,)))
def test_power(x, exponent):
    agree(mg.power, torch.pow, [x, exponent])


TIES = np.array([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (mg.abs, torch.abs),
        (mg.relu, F.relu),
        (lambda x: mg.leaky_relu(x, slope=0.2), lambda x: F.leaky_relu(x, 0.2)),
        (lambda x: mg.clip(x, low=-1.0, high=1.0), lambda x: torch.clamp(x, -1.0, 1.0)),
        (lambda x: mg.maximum(x, mg.tensor(-TIES)), lambda x: torch.maximum(x, torch.from_numpy(-TIES))),
        (lambda x: mg.minimum(x, mg.tensor(-TIES)), lambda x: torch.minimum(x, torch.from_numpy(-TIES))),
        (lambda x: mg.max(mg.abs(x)), lambda x: torch.amax(torch.abs(x))),
        (lambda x: mg.min(mg.square(x)), lambda x: torch.amin(torch.square(x))),
        (lambda x: x**2, lambda x: x**2),
        (lambda x: x**0, lambda x: x**0),
    ],
)
def test_subgradients_at_kinks_and_ties(ours, theirs):
    agree(ours, theirs, [TIES])


def test_a_tie_in_a_pooling_window_goes_to_the_same_pixel():
    x = np.ones((2, 6, 6, 3))
    agree(lambda x: mg.max_pool2d(x, 3, stride=2), lambda x: last(F.max_pool2d(first(x), 3, 2)), [x])


# ------------------------------------------------------------------------ reductions, shapes and products


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: mg.sum(x, axis=(0, 2)), lambda x: x.sum(dim=(0, 2))),
        (lambda x: mg.mean(x, axis=1, keepdims=True), lambda x: x.mean(dim=1, keepdim=True)),
        (lambda x: mg.var(x, axis=2), lambda x: x.var(dim=2, correction=0)),
        (lambda x: mg.var(x, axis=(0, 1), ddof=1), lambda x: x.var(dim=(0, 1))),
        (lambda x: mg.max(x, axis=1), lambda x: torch.amax(x, dim=1)),
        (lambda x: mg.min(x, axis=(0, 1)), lambda x: torch.amin(x, dim=(0, 1))),
        (lambda x: mg.logsumexp(x, axis=(1, 2)), lambda x: torch.logsumexp(x, dim=(1, 2))),
        (lambda x: mg.softmax(x, axis=1), lambda x: F.softmax(x, dim=1)),
        (mg.log_softmax, lambda x: F.log_softmax(x, dim=-1)),
        (lambda x: mg.flip(x, (0, 2)), lambda x: torch.flip(x, (0, 2))),
        (lambda x: mg.pad(x, widths=((0, 0), (1, 2), (2, 0))), lambda x: F.pad(x, (2, 0, 1, 2))),
        (lambda x: mg.transpose(x, axes=(2, 0, 1)), lambda x: x.permute(2, 0, 1)),
        (lambda x: x[:, [0, 0, 1], 1:], lambda x: x[:, [0, 0, 1], 1:]),
        (lambda x: mg.stack([x, x * x], axis=1), lambda x: torch.stack([x, x * x], dim=1)),
        (lambda x: mg.concatenate([x, x * x], axis=2), lambda x: torch.cat([x, x * x], dim=2)),
        (lambda x: mg.einsum("ijk,ljk->il", x, x), lambda x: torch.einsum("ijk,ljk->il", x, x)),
        (lambda x: x @ mg.swapaxes(x, 1, 2), lambda x: x @ x.transpose(1, 2)),
    ],
)
@given(x=arrays((3, 2, 4), distinct=True))
def test_reductions_shapes_and_products(ours, theirs, x):
    agree(ours, theirs, [x])


def test_embedding():
    indices = np.array([[0, 2, 2], [1, 0, 2]])
    theirs = lambda w: F.embedding(torch.from_numpy(indices), w)  # noqa: E731
    agree(lambda w: mg.embedding(w, indices), theirs, [np.random.default_rng(0).standard_normal((4, 3))])


# ---------------------------------------------------------------------------------------------- losses


@given(arrays((4, 3)), arrays((4, 3), low=0.1, high=1.0))
def test_losses(x, targets):
    t = torch.from_numpy(np.array(targets))
    labels = np.array([0, 2, 1, 2])
    agree(
        lambda x: mg.binary_cross_entropy_with_logits(x, targets),
        lambda x: F.binary_cross_entropy_with_logits(x, t),
        [40 * x],
    )
    agree(lambda x: mg.cross_entropy(x, labels), lambda x: F.cross_entropy(x, torch.from_numpy(labels)), [40 * x])
    agree(mg.mean_squared_error, F.mse_loss, [x, targets])
    agree(mg.mean_absolute_error, F.l1_loss, [x, targets])


# ------------------------------------------------------------------------------- convolutions and pooling


def sides(case, how):
    """((top, bottom), (left, right)) of padding as numbers."""
    geometry = mg.kernels.geometry.ConvGeometry.of_conv(
        (case.batch, *case.size, case.channels), (*case.kernel, case.channels // how["groups"], case.maps), **how
    )
    return (geometry.PT, geometry.PB), (geometry.PL, geometry.PR)


def sliding(how):
    return {name: how[name] for name in ("stride", "dilation", "groups")}


@given(conv_cases(min_batch=1))
def test_conv2d(case):
    x, w, _, how = case.draw_arrays()
    (top, bottom), (left, right) = sides(case, how)

    def theirs(x, w):
        return last(F.conv2d(F.pad(first(x), (left, right, top, bottom)), kernels(w), **sliding(how)))

    agree(lambda x, w: mg.conv2d(x, w, **how), theirs, [x, w])


@given(conv_cases(min_batch=1))
def test_conv2d_transpose_with_any_padding(case):
    _, w, y, how = case.draw_arrays()
    (top, _), (left, _) = sides(case, how)
    (H, W) = case.size

    def theirs(y, w):
        whole = F.conv_transpose2d(first(y), kernels(w), **sliding(how))
        whole = F.pad(whole, (0, max(left + W - whole.shape[3], 0), 0, max(top + H - whole.shape[2], 0)))
        return last(whole[:, :, top : top + H, left : left + W])

    agree(lambda y, w: mg.conv2d_transpose(y, w, output_size=case.size, **how), theirs, [y, w])


@given(conv_cases(min_batch=1, kinds=("valid",)), st.integers(0, 1))
def test_conv2d_transpose_with_output_padding(case, padding):
    _, w, y, how = case.draw_arrays()
    smallest = min(size - rest for size, rest in zip(case.size, case.remainder, strict=True))
    how = {**how, "padding": min(padding, (smallest - 1) // 2)}
    agree(
        lambda y, w: mg.conv2d_transpose(y, w, output_padding=case.remainder, **how),
        lambda y, w: last(F.conv_transpose2d(first(y), kernels(w), output_padding=case.remainder, **how)),
        [y, w],
    )


@given(conv_cases(min_batch=1))
def test_conv2d_weight_is_the_gradient_of_the_kernels(case):
    x, w, y, how = case.draw_arrays()
    (top, bottom), (left, right) = sides(case, how)
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    images = first(torch.from_numpy(padded))
    weights = torch.from_numpy(np.array(w)).requires_grad_()
    z = last(F.conv2d(images, kernels(weights), **sliding(how)))
    (expected,) = torch.autograd.grad(z, weights, torch.from_numpy(np.array(y)))
    close(mg.conv2d_weight(x, y, kernel_size=case.kernel, **how), expected.numpy(), "kernels")


@given(conv_cases(min_batch=1))
def test_im2col_is_unfold(case):
    x, _, _, how = case.draw_arrays()
    (top, bottom), (left, right) = sides(case, how)

    def theirs(x):
        padded = F.pad(first(x), (left, right, top, bottom))
        columns = F.unfold(padded, case.kernel, dilation=how["dilation"], stride=how["stride"])
        rows = columns.reshape(case.batch, case.channels, case.kernel[0] * case.kernel[1], -1)
        return rows.permute(0, 3, 2, 1).reshape(case.batch * rows.shape[3], -1)

    window = {name: how[name] for name in ("stride", "padding", "dilation")}
    agree(lambda x: mg.im2col(x, kernel_size=case.kernel, **window), theirs, [x])


@given(pool_cases())
def test_max_and_avg_pool(case):
    x, kernel_size, how = case
    pads = how["padding"] if not isinstance(how["padding"], int) else (how["padding"],) * 2
    (top, bottom), (left, right) = ((p, p) if isinstance(p, int) else p for p in pads)
    around = (left, right, top, bottom)
    if x.shape[0] == 0:
        x = np.ones((1, *x.shape[1:])) * np.arange(x.shape[1])[:, None, None]  # PyTorch has no empty pooling
    agree(
        lambda x: mg.max_pool2d(x, kernel_size, **how),
        lambda x: last(F.max_pool2d(F.pad(first(x), around, value=-torch.inf), kernel_size, how["stride"])),
        [x],
    )
    agree(
        lambda x: mg.avg_pool2d(x, kernel_size, **how),
        lambda x: last(F.avg_pool2d(F.pad(first(x), around), kernel_size, how["stride"])),
        [x],
    )


@given(pool_cases(), st.integers(0, 2))
def test_unpooling_where_windows_do_not_overlap(case, padding):
    """Where they do, PyTorch leaves open which of the values that meet stays."""
    x, kernel_size, _ = case
    kernel = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    padding = min(padding, *(k // 2 for k in kernel))
    x = np.random.default_rng(len(x)).permutation(2 * 12 * 11 * 3).reshape(2, 12, 11, 3) / 100

    def ours(x):
        y, indices = mg.max_pool2d_with_indices(x, kernel, padding=padding)
        return mg.nn.MaxUnpool2d(kernel, padding=padding)(y * y, indices, x.shape[1:3])

    def theirs(x):
        y, indices = torch.nn.MaxPool2d(kernel, padding=padding, return_indices=True)(first(x))
        return last(torch.nn.MaxUnpool2d(kernel, padding=padding)(y * y, indices, (12, 11)))

    agree(ours, theirs, [x])
    found = mg.max_pool2d_with_indices(x, kernel, padding=padding)[1]
    expected = F.max_pool2d_with_indices(first(torch.from_numpy(x)), kernel, padding=padding)[1]
    assert np.array_equal(found, last(expected).numpy())


@given(arrays((2, 5, 6, 3)), st.integers(0, 2))
def test_avg_pool_without_counting_padding(x, padding):
    agree(
        lambda x: mg.avg_pool2d(x, 4, stride=2, padding=padding, count_padding=False),
        lambda x: last(F.avg_pool2d(first(x), 4, 2, padding, count_include_pad=False)),
        [x],
    )


@given(arrays(shapes(min_dims=4, max_dims=4)), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_resize(x, size):
    agree(lambda x: mg.resize(x, size), lambda x: last(F.interpolate(first(x), size, mode="nearest")), [x])
    agree(
        lambda x: mg.resize(x, size, mode="bilinear"),
        lambda x: last(F.interpolate(first(x), size, mode="bilinear", align_corners=False)),
        [x],
    )


# --------------------------------------------------------------------------------------- normalisation


@given(arrays((3, 4, 2, 4), distinct=True), arrays((4,), low=0.5), arrays((4,)))
def test_normalisation(x, scale, shift):
    args = [x, scale, shift]
    batch = lambda x, w, b: last(F.batch_norm(first(x), None, None, w, b, training=True))  # noqa: E731
    agree(lambda *a: mg.batch_norm(*a)[0], batch, args)
    agree(mg.layer_norm, lambda x, w, b: F.layer_norm(x, (4,), w, b), args)
    agree(lambda *a: mg.group_norm(*a, groups=2), lambda x, w, b: last(F.group_norm(first(x), 2, w, b)), args)
    agree(mg.instance_norm, lambda x, w, b: last(F.instance_norm(first(x), None, None, w, b)), args)
    mean, variance = np.array(shift) * 0.5, np.array(scale)
    given_statistics = lambda x, w, b: last(  # noqa: E731
        F.batch_norm(first(x), torch.from_numpy(mean), torch.from_numpy(variance), w, b, training=False)
    )
    agree(lambda *a: mg.fixed_norm(*a, mean, variance), given_statistics, args)


def test_the_third_derivative_of_batch_norm_is_right_where_pytorchs_is_not():
    """PyTorch's double backward takes the saved statistics for constants from the third order on."""
    rng = np.random.default_rng(0)
    x, scale, shift = rng.standard_normal((6, 2)), rng.uniform(0.5, 1.5, 2), rng.standard_normal(2)
    directions = rng.standard_normal((3, 6, 2))

    def ours(x, order):
        x = mg.tensor(x, requires_grad=True)
        S = mg.square(mg.tanh(mg.batch_norm(x, scale, shift)[0])).sum()
        for v in directions[:order]:
            S = (mg.grad(S, x, create_graph=True) * v).sum()
        return S.item()

    def theirs(x, order):
        x = torch.from_numpy(x).requires_grad_()
        w, b = torch.from_numpy(scale), torch.from_numpy(shift)
        S = torch.square(torch.tanh(F.batch_norm(x, None, None, w, b, training=True))).sum()
        for v in directions[:order]:
            (g,) = torch.autograd.grad(S, x, create_graph=True)
            S = (g * torch.from_numpy(v)).sum()
        return S.item()

    for order in (0, 1, 2):
        assert ours(x, order) == pytest.approx(theirs(x, order), rel=1e-9)
    step = 1e-5
    numeric = (ours(x + step * directions[2], 2) - ours(x - step * directions[2], 2)) / (2 * step)
    assert ours(x, 3) == pytest.approx(numeric, rel=1e-7)
    assert abs(theirs(x, 3) - numeric) > 1e-3 * abs(numeric)


# ---------------------------------------------------------------------------------------------- infinity

ENDS = np.array([-np.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf, np.nan])
INFINITE = {
    "softmax": (mg.softmax, lambda x: torch.softmax(x, -1)),
    "log_softmax": (mg.log_softmax, lambda x: torch.log_softmax(x, -1)),
    "logsumexp": (mg.logsumexp, lambda x: torch.logsumexp(x, -1)),
    "max": (mg.max, torch.amax),
    "min": (mg.min, torch.amin),
    "maximum": (lambda x: mg.maximum(x, mg.flip(x.detach())), lambda x: torch.maximum(x, x.detach().flip(0))),
    "minimum": (lambda x: mg.minimum(x, mg.flip(x.detach())), lambda x: torch.minimum(x, x.detach().flip(0))),
    "clip": (lambda x: mg.clip(x, low=-1.0, high=1.0), lambda x: torch.clamp(x, -1.0, 1.0)),
    "power 0": (lambda x: x**0.0, lambda x: x**0.0),
    "power 1": (lambda x: x**1, lambda x: x**1),
    "power 2": (lambda x: x**2, lambda x: x**2),
    "power of zero": (lambda x: mg.power(0.0, x), lambda x: torch.pow(0.0, x)),
    "sigmoid": (mg.sigmoid, torch.sigmoid),
    "tanh": (mg.tanh, torch.tanh),
}


@pytest.mark.parametrize("name", INFINITE)
@given(st.lists(st.sampled_from(ENDS.tolist()), min_size=1, max_size=4))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_and_gradients_at_infinity(name, values):
    ours, theirs = INFINITE[name]
    values = [*values, 0.5]  # of -inf alone, logsumexp's gradient is 0 here and NaN there
    x = mg.tensor(np.array(values), requires_grad=True)
    t = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    y, z = ours(x), theirs(t)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-12)
    upstream = np.ones(y.shape)
    expected = torch.autograd.grad(z, t, torch.from_numpy(upstream))[0]
    np.testing.assert_allclose(mg.grad(y, x, upstream), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("stride", "dilation", "output_padding"), [((3, 2), 4, (2, 3)), (1, 3, 2), (2, (1, 3), (1, 2))]
)
def test_conv2d_transpose_with_output_padding_below_the_dilation(rng, stride, dilation, output_padding):
    how = {"stride": stride, "padding": 1, "output_padding": output_padding, "dilation": dilation}
    agree(
        lambda y, w: mg.conv2d_transpose(y, w, **how),
        lambda y, w: last(F.conv_transpose2d(first(y), kernels(w), **how)),
        [rng.standard_normal((2, 3, 4, 2)), rng.standard_normal((3, 2, 3, 2))],
    )
