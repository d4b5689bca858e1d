"""The dtype of what operands of different dtypes give: float64 only where an array of float64 is among them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg

INTEGERS = [np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
BINARY = ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"]
OF_FLOATS = ["exp", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sigmoid", "softplus", "softmax", "log_softmax"]
OF_FLOATS += ["logsumexp", "relu", "leaky_relu", "mean", "var"]

NARROW = {  # what never widens float32
    "a Python integer": 2,
    "a Python float": 0.5,
    "a truth value": True,
    "a list": [1, 1, 2],
    "a NumPy float64": np.sqrt(2),
    "a NumPy int64": np.int64(3),
    "an array without dimensions": np.array(2.0),
    "a float64 Tensor without dimensions": mg.tensor(2.0, dtype=np.float64),
}
NARROW |= {f"an array of {dtype.__name__}": np.array([1, 1, 2]).astype(dtype) for dtype in INTEGERS}
NARROW |= {f"a Tensor of {dtype.__name__}": mg.tensor(np.array([1, 1, 2]).astype(dtype)) for dtype in INTEGERS}


@pytest.mark.parametrize("other", NARROW.values(), ids=NARROW)
@pytest.mark.parametrize("name", BINARY)
def test_numbers_masks_and_integers_never_widen(name, other):
    x = mg.tensor([0.5, 1.5, 2.5], requires_grad=True)
    values = other.numpy() if isinstance(other, mg.Tensor) else other
    for y, expected in (
        (getattr(mg, name)(x, other), getattr(np, name)(x.numpy().astype(float), values)),
        (getattr(mg, name)(other, x), getattr(np, name)(values, x.numpy().astype(float))),
    ):
        assert y.dtype == np.float32
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)
        assert mg.grad(y.sum(), x).dtype == np.float32


@pytest.mark.parametrize("name", BINARY)
def test_an_array_of_float64_widens_and_gradients_keep_their_dtype(name):
    x, wide = mg.tensor([0.5, 1.5], requires_grad=True), mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    inside = x * 1.0
    y = getattr(mg, name)(inside, wide)
    assert y.dtype == np.float64
    assert [g.dtype for g in mg.grad(y.sum(), [x, wide, inside])] == [np.float32, np.float64, np.float32]


def test_a_layer_before_a_wider_operand_gets_gradients():
    layer = mg.nn.Conv2d(1, 2, 3)
    y = layer(np.ones((1, 4, 4, 1), np.float32)) + np.ones((1, 2, 2, 2))
    gradients = mg.grad(y.sum(), layer.parameters())
    assert [g.dtype for g in gradients] == [np.float32, np.float32]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("wrapped", [mg.tensor, np.array], ids=["Tensor", "array"])
@pytest.mark.parametrize("name", OF_FLOATS)
def test_functions_of_floating_point_numbers_take_integers_as_float32(name, wrapped, dtype):
    x = np.array([0, 1, 1], dtype) if dtype is np.bool_ else np.array([1, 5, 50], dtype)
    with np.errstate(divide="ignore"):
        y, expected = (getattr(mg, name)(v) for v in (wrapped(x), x.astype(np.float64)))
    assert y.dtype == np.float32
    values = y.numpy() if isinstance(y, mg.Tensor) else y
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (1, 0.0), (True, 0.5)])
def test_where_of_numbers_is_float32(a, b):
    mask = np.array([True, False])
    for condition in (mask, mg.tensor(mask)):
        assert mg.where(condition, a, b).dtype == np.float32
    assert mg.where(mg.tensor(mask), 1, 0).dtype.kind == "i"


def test_joins_of_mixed_dtypes():
    x, mask = mg.tensor([1.0, 2.0], requires_grad=True), np.array([True, False])
    for y in (
        mg.concatenate([x, mask, np.array([3, 4])]),
        mg.stack([x, mask]),
        mg.stack([x[0], 1.0, np.float64(2), np.array(3.0), 4]),
    ):
        assert y.dtype == np.float32
        assert mg.grad(y.sum(), x, allow_unused=True).dtype == np.float32
    assert mg.concatenate([x, np.array([3.0])]).dtype == np.float64
    assert mg.stack([1.0, mg.tensor(2.0, dtype=np.float64)]).dtype == np.float64


def test_products_of_mixed_dtypes():
    x, integers = mg.tensor(np.eye(2), dtype=np.float32, requires_grad=True), np.arange(4).reshape(2, 2)
    for y in (x @ integers, integers @ x, mg.einsum("ij,jk->ik", x, integers), mg.linear(x, mg.tensor(integers))):
        assert y.dtype == np.float32
        assert np.array_equal(y.numpy(), integers)
        assert mg.grad(y.sum(), x).dtype == np.float32


def test_a_gradient_that_is_given_takes_the_dtype_of_its_value():
    layer, x = mg.nn.Conv2d(1, 1, 1), mg.tensor(np.ones((1, 2, 2, 1), np.float32), requires_grad=True)
    for g in (np.ones((1, 2, 2, 1)), mg.tensor(np.ones((1, 2, 2, 1)))):
        assert mg.grad(layer(x), x, g).dtype == np.float32


@pytest.mark.parametrize("other", [1j, np.ones(2, complex), np.array([1, 2], object)])
def test_what_has_no_gradient_is_refused(other):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    for call in (lambda: x * other, lambda: other + x, lambda: mg.grad(x * 1, x, np.broadcast_to(other, 2))):
        with pytest.raises(mg.DtypeError, match="real"):
            call()


@pytest.mark.parametrize("other", [[2.0, 3.0], [2, 3], [True, True], (2, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BINARY)
def test_a_list_is_an_array_that_its_owner_may_change_afterwards(name, dtype, other):
    x = mg.tensor(np.array([0.5, 1.5]), dtype=dtype, requires_grad=True)
    operation, array = getattr(mg, name), np.array(other)
    for call in (operation, lambda a, b: operation(b, a)):
        given = other if isinstance(other, tuple) else list(other)
        y, expected = call(x, given).sum(), call(x, array).sum()
        if isinstance(given, list):
            given[:] = [9, 9]
        assert y.dtype == dtype
        np.testing.assert_allclose(mg.grad(y, x), mg.grad(expected, x), rtol=1e-6)


@pytest.mark.parametrize(("low", "expected"), [(0.5, [0.5, 1]), (np.float64(0.5), [0.5, 1]), ([0.5, 0.0], [0.5, 1])])
def test_integers_between_floating_point_bounds_are_float32(low, expected):
    for x in (mg.tensor([0, 1]), mg.tensor([False, True])):
        y = mg.clip(x, low=low)
        assert (y.dtype, y.tolist()) == (np.float32, expected)


@given(st.lists(st.integers(10**9, 10**9 + 100), min_size=2, max_size=20), st.sampled_from([np.int64, np.uint32]))
def test_of_what_is_computed_from_integers_only_the_result_is_rounded(values, dtype):
    x = np.array(values, dtype)
    ratio = mg.divide(mg.tensor(x), x[::-1].copy())
    assert ratio.dtype == mg.var(mg.tensor(x)).dtype == np.float32
    assert np.array_equal(ratio.numpy(), (x / x[::-1]).astype(np.float32))
    np.testing.assert_allclose(mg.var(mg.tensor(x)).numpy(), x.astype(np.float64).var(), rtol=1e-6)


@pytest.mark.parametrize("hidden", [[True, False], [True, True]])
def test_what_a_mask_hides_is_never_computed_with(hidden):
    masked = np.ma.masked_array(np.float32([1, 2]), hidden)
    x = mg.tensor([3.0, 4.0], requires_grad=True)
    y = mg.tensor([3.0, 4.0])
    calls = [
        lambda: mg.linear(masked, np.ones((2, 1), np.float32)),
        lambda: mg.sum(masked),
        lambda: mg.grad(x * 1, x, masked),
    ]
    calls += [lambda: mg.tensor(masked), lambda: x * masked, lambda: x.detach() - masked, lambda: masked + x]
    for call in (*calls, lambda: y.__iadd__(masked), lambda: y.__setitem__(..., masked)):
        with pytest.raises(mg.DtypeError, match="fill"):
            call()
    assert y.tolist() == [3, 4]
    nothing = np.ma.masked_array(np.float32([1, 2]), False)
    for y in (mg.tensor(nothing), x.detach() * nothing):
        assert type(y.data) is np.ndarray


MATRICES = {  # as SciPy's sparse.todense() makes them: * multiplies them as matrices, and sums keep two axes
    "multiply": mg.multiply,
    "mean_squared_error": mg.mean_squared_error,
    "binary_cross_entropy_with_logits": mg.binary_cross_entropy_with_logits,
    "standard_normal_divergence": mg.standard_normal_divergence,
    "softmax": lambda x, y: mg.multiply(mg.softmax(y), mg.softmax(x)),
    "sum": lambda x, y: mg.divide(x, mg.sum(y, axis=0)),
    "expand_dims": lambda x, y: mg.add(x, mg.expand_dims(y, 0)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_is_an_array_of_two_axes(name):
    call, values = MATRICES[name], np.random.default_rng(0).random((3, 3), np.float32)
    matrix, plain = values.view(np.matrix), values.T.copy()
    for pair in ((matrix, plain), (plain, matrix), (matrix, matrix)):
        expected, result = call(*map(np.asarray, pair)), call(*pair)
        assert type(result) is type(expected)
        np.testing.assert_array_equal(result, expected)
    x, y = (mg.tensor(plain, requires_grad=True) for _ in range(2))
    mg.backward(mg.sum(call(x, matrix)))
    mg.backward(mg.sum(call(y, np.asarray(matrix))))
    np.testing.assert_array_equal(x.grad, y.grad)


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2"])
def test_a_tensor_has_the_byte_order_of_the_processor(dtype):
    x = mg.tensor(np.array([1, 2], dtype))
    assert x.dtype.isnative
    assert mg.relu(x).tolist() == [1, 2]


@pytest.mark.parametrize("low", [np.float64(1), np.ones(2), np.array(1.0), [1.0, 1.0], np.ones(2, int), 1])
def test_bounds_never_widen(low):
    x = mg.tensor([0.5, 1.5], requires_grad=True)
    for y in (mg.clip(x, low=low), x.clip(low, np.float64(9))):
        assert y.dtype == np.float32
        assert y.tolist() == [1, 1.5]
        assert mg.grad(y.sum(), x, retain_graph=True).tolist() == [0, 1]
    if np.ndim(low):
        low[:] = [9, 9]  # after the forward pass
        assert mg.grad(y.sum(), x).tolist() == [0, 1]


def test_dropout_of_integers_is_float32():
    y = mg.dropout(mg.tensor([1, 2, 3]), 0.5, np.random.default_rng(0))
    assert y.dtype == np.float32
    assert set(y.tolist()) <= {0, 2, 4, 6}


def test_stacks_of_numbers_are_float32():
    assert mg.stack(number for number in (1.0, 2.0)).dtype == np.float32
    assert mg.stack([[1.0, 2.0], np.float32([3, 4])]).dtype == np.float32
    assert mg.stack([0.1, mg.tensor(2.0, dtype=np.float64)]).tolist() == [0.1, 2.0]


def test_the_complement_is_numpys():
    assert (~mg.tensor([1, 2])).tolist() == [-2, -3]
    assert (~mg.tensor([True, False])).tolist() == [False, True]
    with pytest.raises(mg.DtypeError, match="invert"):
        ~mg.tensor([1.0])


def test_integers_among_themselves_stay_integers():
    x = mg.tensor([1, 2, 3], dtype=np.uint8)
    assert ((x + x).dtype, (x * 2).dtype, (x @ x).dtype) == (np.uint8,) * 3
    assert (x / 2).dtype == np.float32
    assert (1 - (x > 1)).dtype.kind == "i"
    for refused in (x, x > 1):
        with pytest.raises(mg.DtypeError, match="negative"):
            -refused


def test_losses_of_bytes_do_not_wrap():
    a, b = np.array([0, 250], np.uint8), np.array([10, 0], np.uint8)
    for x, y in ((a, b), (mg.tensor(a), mg.tensor(b))):
        assert float(mg.mean_squared_error(x, y)) == (100 + 62500) / 2
        assert float(mg.mean_absolute_error(x, y)) == 130


def test_a_scalar_loss_of_float64_stays_float64():
    loss = mg.tensor(np.ones(3), requires_grad=True).sum()
    for y in (loss * 0.5, loss + 1, loss + mg.tensor(1.0), loss / np.sqrt(2)):
        assert y.dtype == np.float64
    assert (mg.tensor(1.0) / np.sqrt(2)).dtype == np.float32


def test_stacks_on_a_device_take_numbers_along():
    x = mg.tensor([1.0, 2.0], device="sim")
    y = mg.stack([0.5, x[0], 2])
    assert (y.device, y.dtype, y.tolist()) == ("sim", np.float32, [0.5, 1, 2])
    assert np.shape(x) == (2,)
