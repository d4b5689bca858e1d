"""Every algorithm of the convolutions computes the same three, and each stands where it is the quickest."""

import numpy as np
import pytest
from geometries import DTYPES, algorithm_geometries, assert_near, geometry, inner, makers
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.errors import ShapeError, UnknownNameError
from minigan.kernels import cpu, reference
from minigan.kernels.cpu import conv
from minigan.kernels.cpu.conv import toom_cook, winograd
from minigan.kernels.cpu.runtime import threads
from minigan.testing import check_grads

ALGORITHMS = pytest.mark.parametrize("algorithm", conv.ALGORITHMS)
# how much coarser than a plain sum a result may be: transforms round, the more the larger their numbers are
COARSENESS = {"winograd2": 4, "winograd3": 4, "winograd4": 8}


def cases(algorithm, **how):
    return algorithm_geometries(algorithm, **how)


def all_three(x, w, y, g, algorithm):
    return (
        cpu.conv2d(x, w, g, algorithm=algorithm),
        cpu.conv2d_transpose(y, w, g, algorithm=algorithm),
        cpu.conv2d_weight(x, y, g, algorithm=algorithm),
    )


def by_reference(x, w, y, g):
    return reference.conv2d(x, w, g), reference.conv2d_transpose(y, w, g), reference.conv2d_weight(x, y, g)


def terms(g):
    return g.KH * g.KW * max(g.C, g.K) + g.N * g.OH * g.OW


@ALGORITHMS
@given(data=st.data(), make=makers())
def test_every_algorithm_computes_the_references_convolutions(algorithm, data, make):
    g = data.draw(cases(algorithm))
    arrays = make(*g.image), make(*g.weight), make(*g.features)
    for actual, expected in zip(all_three(*arrays, g, algorithm), by_reference(*arrays, g), strict=True):
        assert_near(actual, expected, terms(g) * COARSENESS.get(algorithm, 1) ** 2)


@pytest.mark.parametrize("algorithm", [None, "im2col", "direct", "winograd2", "winograd4"])
@pytest.mark.parametrize("empty", ["N", "C", "K"])
def test_nothing_times_something_is_zero_by_every_algorithm(algorithm, empty):
    sizes = {"N": 2, "C": 3, "K": 4, empty: 0}
    axis = (6, 4, 3, 1, 1, 0, 0)
    g = geometry(sizes["N"], axis, axis, sizes["C"], sizes["K"], 1)
    x, w, y = np.ones(g.image), np.ones(g.weight), np.ones(g.features)
    for result, shape in zip(all_three(x, w, y, g, algorithm), (g.features, g.image, g.weight), strict=True):
        assert result.shape == shape
        assert not result.any()


@ALGORITHMS
@given(data=st.data(), make=makers(dtypes=st.just(np.float64)))
def test_the_three_are_adjoints_by_every_algorithm(algorithm, data, make):
    g = data.draw(cases(algorithm))
    x, w, y = make(*g.image), make(*g.weight), make(*g.features)
    features, images, weights = all_three(x, w, y, g, algorithm)
    near = pytest.approx(inner(features, y), abs=1e-11 * (1 + y.size * np.sqrt(terms(g))))
    assert inner(x, images) == near
    assert inner(w, weights) == near


@ALGORITHMS
@given(data=st.data(), make=makers(), slope=st.sampled_from([0.0, 0.2, 1.0]))
def test_bias_and_activation_join_every_algorithm(algorithm, data, make, slope):
    g = data.draw(cases(algorithm))
    x, w, y, bias, shift = make(*g.image), make(*g.weight), make(*g.features), make(g.K), make(g.C)
    error = terms(g) * COARSENESS.get(algorithm, 1) ** 2
    assert_near(cpu.conv2d(x, w, g, bias, slope, algorithm), reference.conv2d(x, w, g, bias, slope), error)
    actual = cpu.conv2d_transpose(y, w, g, shift, algorithm)
    assert_near(actual, reference.conv2d_transpose(y, w, g, shift), error)


@ALGORITHMS
@given(data=st.data(), make=makers())
def test_every_algorithm_leaves_its_arguments_as_they_were(algorithm, data, make):
    g = data.draw(cases(algorithm))
    arrays = make(*g.image), make(*g.weight), make(*g.features)
    before = [array.tobytes() for array in arrays]
    results = all_three(*arrays, g, algorithm)
    assert [array.tobytes() for array in arrays] == before
    assert all(not np.shares_memory(r, a) for r in results for a in arrays)


@ALGORITHMS
@given(data=st.data(), dtype=DTYPES)
def test_nan_reaches_what_reads_it_by_every_algorithm(algorithm, data, dtype):
    """Minimal filtering also carries it to the other outputs of its tile."""
    g = data.draw(cases(algorithm, images=st.integers(1, 2)))
    x, w = np.zeros(g.image, dtype), np.ones(g.weight, dtype)
    place = tuple(data.draw(st.integers(0, size - 1)) for size in g.image)
    x[place] = 1
    reads = reference.conv2d(x, w, g) != 0
    x[place] = np.nan
    assert np.isnan(cpu.conv2d(x, w, g, algorithm=algorithm))[reads].all()


SEVERAL = {  # several tasks, slabs, panels and pieces of each
    "product": geometry(70, (9, 9, 1, 1, 1, 0, 0), (8, 8, 1, 1, 1, 0, 0), 70, 90, 1),
    "im2col": geometry(9, (14, 7, 4, 2, 1, 1, 1), (14, 7, 4, 2, 1, 1, 1), 64, 48, 1),
    "direct": geometry(70, (28, 14, 4, 2, 1, 1, 1), (40, 20, 4, 2, 1, 1, 1), 3, 72, 1),
    "winograd2": geometry(9, (13, 13, 3, 1, 1, 1, 1), (12, 12, 3, 1, 1, 1, 1), 65, 70, 1),
    "winograd3": geometry(9, (26, 13, 5, 2, 1, 2, 1), (25, 12, 4, 2, 1, 1, 0), 65, 70, 1),
    "winograd4": geometry(9, (30, 15, 4, 2, 1, 1, 1), (32, 16, 5, 2, 1, 1, 2), 72, 70, 1),
}


@pytest.fixture
def small_slabs(monkeypatch):
    """So small that an image takes several."""
    monkeypatch.setattr(winograd, "SLAB", 1 << 16)
    winograd.slabs.cache_clear()
    yield
    winograd.slabs.cache_clear()


@ALGORITHMS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_several_pieces_every_algorithm_computes_the_references(algorithm, dtype, small_slabs):
    g = SEVERAL[algorithm]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in (g.image, g.weight, g.features)]
    if algorithm.startswith("winograd"):
        assert len(winograd.slabs(g, int(algorithm[-1]), arrays[0].itemsize * g.C)) > g.N
    for actual, expected in zip(all_three(*arrays, g, algorithm), by_reference(*arrays, g), strict=True):
        error = np.linalg.norm(actual - expected) / np.linalg.norm(expected)
        assert error < 8 * COARSENESS.get(algorithm, 1) * np.finfo(dtype).eps


@ALGORITHMS
def test_every_algorithm_gives_the_same_bits_for_any_number_of_threads(algorithm, monkeypatch):
    monkeypatch.setattr(threads, "WORTH_SHARING", 0)
    g, before = SEVERAL[algorithm], cpu.get_threads()
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in (g.image, g.weight, g.features)]
    results = []
    try:
        for count in (1, 2, 3):
            cpu.set_threads(count)
            results.append([array.tobytes() for array in all_three(*arrays, g, algorithm)])
    finally:
        cpu.set_threads(before)
    assert results[0] == results[1] == results[2]


@ALGORITHMS
def test_gradients_of_every_order_by_every_algorithm(algorithm):
    stride, padding, kernel, size = (1, 0, 1, 5) if algorithm == "product" else (2, ((1, 2), (1, 0)), (5, 3), 9)
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    rng = np.random.default_rng(0)
    x, w, bias = (rng.standard_normal(shape) for shape in ((2, size, size, 3), (*kernel, 3, 4), (4,)))
    how = {"stride": stride, "padding": padding, "algorithm": algorithm}
    check_grads(lambda x, w, bias: mg.conv2d(x, w, bias, **how), (x, w, bias), order=2)
    y = mg.conv2d(x, w, **how)
    check_grads(lambda y, w: mg.conv2d_transpose(y, w, output_size=(size, size), **how), (y, w), order=2)


def test_an_unknown_algorithm_is_answered_with_the_nearest():
    x, w = np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 2))
    with pytest.raises(UnknownNameError, match="did you mean winograd"):
        mg.conv2d(x, w, algorithm="winograd")


@pytest.mark.parametrize(
    ("algorithm", "how"),
    [("winograd4", {"dilation": 2}), ("winograd2", {"groups": 2}), ("direct", {"groups": 2}), ("product", {})],
)
def test_an_algorithm_that_cannot_do_a_convolution_says_what_it_is_for(algorithm, how):
    x, w = np.ones((1, 9, 9, 2)), np.ones((3, 3, 2 // how.get("groups", 1), 2))
    with pytest.raises(ShapeError, match=f"algorithm '{algorithm}' is for .*; im2col does every geometry"):
        mg.conv2d(x, w, algorithm=algorithm, **how)


def layer(images, size, kernel, stride, padding, channels, filters):
    out = (size + sum(padding) - kernel) // stride + 1
    axis = (size, out, kernel, stride, 1, *padding)
    return geometry(images, axis, axis, channels, filters, 1)


@pytest.mark.parametrize(
    ("g", "algorithm"),
    [
        (layer(128, 28, 4, 2, (1, 1), 1, 64), "direct"),
        (layer(128, 14, 4, 2, (1, 1), 64, 128), "winograd4"),
        (layer(64, 32, 5, 2, (1, 2), 64, 128), "winograd4"),
        (layer(64, 4, 4, 1, (0, 0), 512, 1), "product"),
        (layer(64, 32, 1, 1, (0, 0), 192, 64), "product"),
        (layer(2, 8, 3, 1, (1, 1), 64, 64), "im2col"),  # little work
        (layer(64, 32, 7, 2, (3, 3), 64, 64), "im2col"),  # more than three taps of a phase
    ],
)
def test_the_geometry_chooses(g, algorithm):
    assert conv.algorithm_for(g, np.float32) == algorithm
    assert not conv.algorithm_for(g, np.float64).startswith("winograd")


@pytest.mark.parametrize(("outputs", "longest"), toom_cook.POINTS)
@pytest.mark.parametrize("fewer", [0, 1])
def test_the_matrices_make_a_correlation_of_few_products(outputs, longest, fewer):
    taps = max(longest - fewer, 1)
    A, G, B = toom_cook.matrices(outputs, taps, longest)
    np.testing.assert_array_equal(A[:, 1:], toom_cook.matrices(outputs, longest)[0][:, 1 : A.shape[1]])  # shared points
    assert A.shape[1] == outputs + taps - 1
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(outputs + taps - 1), rng.standard_normal(taps)
    np.testing.assert_allclose(A @ ((G @ w) * (B @ x)), np.correlate(x, w), rtol=1e-12, atol=1e-12)


def test_an_algorithm_without_points_is_refused():
    with pytest.raises(ValueError, match=r"F\(5, 3\) is not among"):
        toom_cook.matrices(5, 3)
