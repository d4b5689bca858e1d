"""Matrix products and einsum: NumPy's values, gradients of every order, batches, vectors."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import kernels
from minigan.errors import ShapeError
from minigan.testing import arrays, broadcastable_shapes, check_grads
from minigan.testing.strategies import LAYOUTS, laid_out


@st.composite
def products(draw):
    """Operands of a matrix product: vectors, matrices and batches that broadcast."""
    rows, inner, columns = (draw(st.integers(0, 3)) for _ in range(3))
    left, right = draw(broadcastable_shapes(2, max_dims=2, min_side=0))
    a = draw(st.sampled_from([(inner,), (rows, inner), (*left, rows, inner)]))
    b = draw(st.sampled_from([(inner,), (inner, columns), (*right, inner, columns)]))
    return draw(arrays(a)), draw(arrays(b))


@given(products())
def test_matmul(case):
    a, b = case
    assert np.allclose((mg.tensor(a) @ mg.tensor(b)).data, a @ b)
    check_grads(mg.matmul, [a, b])


PRODUCTS = {
    "matmul": mg.matmul,
    "linear": mg.linear,
    "einsum": lambda a, b: mg.einsum("ij,jk->ik", a, b),
    "einsum of three": lambda a, b: mg.einsum("ij,jk,->ik", a, b, np.ones((), a.dtype)),
    "kernel": lambda a, b: kernels.of(a).matmul(a, b),
}


@pytest.mark.parametrize("name", PRODUCTS)
@given(
    st.tuples(*[st.sampled_from([1, 2, 3, 8])] * 3),
    st.sampled_from([np.nan, np.inf]),
    st.sampled_from(LAYOUTS),
    st.booleans(),
)
def test_zero_times_what_is_not_finite_is_nan_in_products_of_every_size(name, sides, bad, layout, right):
    rows, inner, columns = sides
    a, b = np.ones((rows, inner)), np.zeros((inner, columns))
    a[rows // 2, inner // 2] = bad
    hit = np.zeros((rows, columns), bool)
    hit[rows // 2] = True
    a, b, hit = (b.T, a.T, hit.T) if right else (a, b, hit)
    with np.errstate(invalid="ignore"):
        product = PRODUCTS[name](laid_out(a, layout), laid_out(b, layout))
    assert np.array_equal(np.isnan(product), hit)


def test_matmul_large_enough_for_the_kernels():
    rng = np.random.default_rng(0)
    for shape in ((70, 64), (2, 35, 64)):
        a, b = rng.standard_normal(shape), rng.standard_normal((64, 65))
        assert np.allclose(mg.matmul(a, b), np.matmul(a, b), rtol=1e-12)
        check_grads(mg.matmul, [a, b])
        assert np.allclose(mg.matmul(a[..., ::-1], b.T.copy().T), np.matmul(a[..., ::-1], b), rtol=1e-12)


@pytest.mark.parametrize("shape", [(5, 7, 6), (70, 64, 65)])
@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_gradients_of_transposed_matrices_are_right_and_lie_in_memory_as_the_matrices(shape, first, second):
    """What lies otherwise is slow to add to other gradients."""
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    a = rng.standard_normal((inner, rows) if first else (rows, inner))
    b = rng.standard_normal((columns, inner) if second else (inner, columns))

    def product(a, b):
        return mg.matmul(a.T if first else a, b.T if second else b)

    check_grads(product, [a, b])
    x, y = (mg.tensor(array, requires_grad=True) for array in (a, b))
    gradients = mg.grad((product(x, y) ** 2).sum(), [x, y])
    assert all(gradient.flags.c_contiguous for gradient in gradients)
    gradients = mg.grad((product(x, y) ** 2).sum(), [x, y], create_graph=True)
    assert all(gradient.numpy().flags.c_contiguous for gradient in gradients)


def test_the_gradient_of_a_slopes_norm_lies_as_the_weight():
    """Through `linear` and back, as R1 and the gradient penalty have it."""
    rng = np.random.default_rng(0)
    x, w = (mg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((3, 8), (8, 5)))
    (slopes,) = mg.grad((mg.linear(x, w) ** 3).sum(), [x], create_graph=True)
    (gradient,) = mg.grad((slopes**2).sum(), [w])
    assert gradient.flags.c_contiguous


@st.composite
def affine_maps(draw):
    """Arguments of `linear`: a vector, rows or batches of them, weights, and a bias or none."""
    inputs, outputs = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    shape = (*draw(st.sampled_from([(), (0,), (4,), (2, 3)])), inputs)
    bias = draw(st.sampled_from([(), ((outputs,),)]))
    return [draw(arrays(s)) for s in (shape, (inputs, outputs), *bias)]


def composed(x, w, bias=None, slope=1.0):
    y = x @ w if bias is None else x @ w + bias
    return mg.leaky_relu(y, slope=slope)


@given(affine_maps(), st.sampled_from([0.0, 0.2, 1.5]))
def test_linear(case, slope):
    assert np.allclose(mg.linear(*case), composed(*case))
    assert np.allclose(mg.activated_linear(*case, slope=slope), composed(*case, slope=slope))
    check_grads(mg.linear, case)


@pytest.mark.parametrize("shape", [(7, 5), (5,), (2, 3, 5), (70, 64), (2, 35, 64)])
@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("biased", [True, False])
def test_activated_linear(shape, slope, biased):
    rng = np.random.default_rng(0)
    args = [rng.standard_normal(s) for s in (shape, (shape[-1], 65), (65,))[: 2 + biased]]
    check_grads(lambda *args: mg.activated_linear(*args, slope=slope), args)
    check_grads(mg.linear, args)
    tensors = [mg.tensor(a, requires_grad=True) for a in args]
    fused, plain = mg.activated_linear(*tensors, slope=slope), composed(*tensors, slope=slope)
    g = rng.standard_normal(fused.shape)
    for ours, theirs in zip(mg.grad(fused, tensors, g), mg.grad(plain, tensors, g), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-12)


def test_linear_of_several_dtypes_is_as_numpy_has_it():
    x, w, bias = np.arange(6).reshape(2, 3), np.ones((3, 4), np.float32), np.ones(4)
    y = mg.activated_linear(x - 9, w, bias, slope=0.5)
    assert y.dtype == np.float64
    assert np.array_equal(y, ((x - 9) @ w + bias) * 0.5)


@pytest.mark.parametrize("shapes", [((2, 3), (4, 5)), ((2, 3), (3, 4), (3,)), ((2, 3), (3, 4), (2, 4)), ((), (3, 4))])
def test_linear_says_which_shapes_do_not_fit(shapes):
    with pytest.raises(ShapeError, match=r"linear: x has shape .* \(\.\.\., K\), \(K, N\) and \(N,\)"):
        mg.linear(*(np.ones(shape) for shape in shapes))


def test_activated_linear_refuses_a_negative_slope():
    with pytest.raises(ShapeError, match=r"slope is -0\.1"):
        mg.activated_linear(np.ones((2, 3)), np.ones((3, 4)), slope=-0.1)


@st.composite
def contractions(draw):
    """(subscripts, operands) of einsum with repeated, summed, outer and batch indices."""
    sizes = dict(zip("abcd", draw(st.tuples(*[st.integers(1, 3)] * 4)), strict=True))
    batch = draw(st.sampled_from([(), (2,)]))
    terms, operands = [], []
    for _ in range(draw(st.integers(1, 3))):
        indices = "".join(draw(st.lists(st.sampled_from("abcd"), max_size=3)))
        dots = bool(batch) and draw(st.booleans())
        terms.append("..." * dots + indices)
        operands.append(draw(arrays((*(batch if dots else ()), *(sizes[i] for i in indices)))))
    present = sorted(set("".join(terms)) & set(string.ascii_letters))
    output = "".join(draw(st.permutations(present)))[: draw(st.integers(0, len(present)))]
    dots = "..." if any("..." in t for t in terms) else ""
    return ",".join(terms) + draw(st.sampled_from([f"->{dots}{output}", ""])), operands


@given(contractions())
def test_einsum(case):
    subscripts, operands = case
    expected = np.einsum(subscripts, *operands)
    assert np.allclose(mg.einsum(subscripts, *map(mg.tensor, operands)).data, expected)
    check_grads(lambda *xs: mg.einsum(subscripts, *xs), operands)


@pytest.mark.parametrize(
    ("subscripts", "count", "message"),
    [
        ("ij,jk->ik", 1, "names 2 operands, but 1 were given"),
        ("ijk", 1, "gives operand 0 the axes 'ijk', but it has 2"),
        ("ij->ii", 1, "a result index that repeats or that no operand has"),
        ("ij->k", 1, "a result index that repeats or that no operand has"),
        ("ii", 1, "index 'i' stands for both 2 and 3"),
        ("ij,ij", 2, "index 'i' stands for both 2 and 3"),
    ],
)
def test_einsum_says_what_does_not_fit(subscripts, count, message):
    operands = [mg.tensor(np.ones((2, 3))), mg.tensor(np.ones((3, 2)))][:count]
    with pytest.raises(mg.ShapeError, match=f"einsum: .*{message}"):
        mg.einsum(subscripts, *operands)
