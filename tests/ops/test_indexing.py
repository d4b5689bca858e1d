"""x[index] with NumPy's meaning, its gradient with repeats summed, and looking up rows."""

import numpy as np
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

import minigan as mg
from minigan.ops.shape import put, take
from minigan.testing import arrays, check_adjoint, check_grads, shapes


def checked(x, index):
    expected = x[index]
    assert np.array_equal(mg.tensor(x)[index].data, expected)
    check_grads(lambda x: mg.square(x[index]), [x])
    check_adjoint(
        lambda x: take(x, index=index), lambda g: put(g, index=index, shape=x.shape), x, np.ones_like(expected)
    )


@given(arrays(shapes(min_dims=1, min_side=0)), st.data())
def test_basic_indexing(x, data):
    checked(x, data.draw(numpy_strategies.basic_indices(x.shape, allow_newaxis=True)))


@given(arrays(shapes(min_dims=1)), st.data())
def test_integer_arrays_sum_repeats(x, data):
    result_shape = numpy_strategies.array_shapes(max_dims=2, max_side=4)
    checked(x, data.draw(numpy_strategies.integer_array_indices(x.shape, result_shape=result_shape)))


@given(arrays(shapes(min_dims=1)), st.data())
def test_integer_arrays_beside_slices(x, data):
    rows = data.draw(st.lists(st.integers(-x.shape[0], x.shape[0] - 1), max_size=4))
    rows = np.array(rows, int)
    checked(x, rows)
    checked(x, (rows, ...))
    checked(x, (rows, slice(None, None, -1)) if x.ndim > 1 else rows)
    checked(x.T, (..., rows))
    checked(x, (rows[:, None], np.zeros(2, int)) if x.ndim > 1 else rows[:, None])


@pytest.mark.parametrize("part", [lambda i: i, lambda i: (i, ...), lambda i: slice(i, None), lambda i: slice(None, i)])
@pytest.mark.parametrize("wrapped", [np.array, mg.tensor])
def test_an_index_may_be_counted_on_after_its_use(wrapped, part):
    x, i = mg.tensor(np.arange(4.0), requires_grad=True), wrapped(1)
    y, expected = x[part(i)].sum(), np.zeros(4)
    expected[part(1)] = 1
    i += 2
    assert np.array_equal(mg.grad(y, x), expected)


@given(arrays(shapes(min_dims=1)), st.data())
def test_truth_values(x, data):
    checked(x, x > 0)
    checked(x, np.array(data.draw(st.lists(st.booleans(), min_size=x.shape[0], max_size=x.shape[0]))))


PARTS = [
    np.array([0, 2, 0]),
    np.array([[1], [-1]]),
    np.array(2),
    np.array([True, False, True]),
    slice(None, None, -2),
    slice(1, None),
    None,
    ...,
    1,
    True,
]


@given(st.sampled_from([(6,), (3, 5, 4), (4, 3, 2, 5)]), st.lists(st.sampled_from(PARTS), min_size=1, max_size=4))
@example((3, 5, 4), [slice(1, None), np.array([0, 2, 0]), ..., 1])  # an ellipsis of no axes parts arrays too
@settings(max_examples=300)
def test_any_index_that_numpy_takes_sums_where_numpy_does(shape, parts):
    index, expected = tuple(parts), np.zeros(shape)
    try:
        g = np.arange(expected[index].size, dtype=float).reshape(expected[index].shape)
        np.add.at(expected, index, g)
    except IndexError:
        reject()
    np.testing.assert_array_equal(put(g, index=index, shape=shape), expected)


def test_no_rows_are_looked_up():
    x = mg.tensor(np.ones((3, 2)), requires_grad=True)
    assert x[[]].shape == (0, 2)
    assert not mg.grad(x[[]].sum(), x).any()


def test_the_gradient_of_other_numbers():
    for dtype in (np.float16, np.longdouble):
        x = mg.tensor(np.ones(3, dtype), requires_grad=True)
        g = mg.grad(x[[0, 0, 2]].sum(), x)
        assert (g.dtype, g.tolist()) == (dtype, [2, 0, 1])


def test_repeats_are_summed():
    x = mg.tensor(np.zeros(3), requires_grad=True)
    assert mg.grad(x[[0, 0, 2, 0]].sum(), x).tolist() == [3, 0, 1]
    assert mg.grad(x[np.array([[1, 1], [1, -1]])].sum(), x).tolist() == [0, 3, 1]


def test_tensors_are_part_of_an_index():
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    rows, mask = mg.tensor(np.array([1, 1])), x > 2
    assert x[rows].tolist() == [[3, 4, 5]] * 2
    assert x[rows, mg.tensor(np.array([0, 2]))].tolist() == [3, 5]
    assert x[mask].tolist() == [3, 4, 5]
    assert x[mg.tensor(np.array(1))].tolist() == [3, 4, 5]
    assert mg.grad(x[rows].sum(), x).tolist() == [[0, 0, 0], [2, 2, 2]]


def test_a_tensor_index_is_kept_as_it_was():
    x = mg.tensor(np.arange(3.0), requires_grad=True)
    index = mg.tensor(np.array([0, 1]))
    y = x[index].sum()
    index[:] = 2
    assert mg.grad(y, x).tolist() == [1, 1, 0]


def test_iteration_and_unpacking():
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    first, second = x
    assert mg.grad((first * second).sum(), x).tolist() == [[3, 4, 5], [0, 1, 2]]
    assert len(x) == 2
    assert [row.tolist() for row in x] == x.tolist()
    with pytest.raises(mg.ShapeError, match="no dimensions"):
        len(mg.tensor(1.0))


def test_an_index_out_of_range_is_an_error_with_the_shape():
    with pytest.raises(mg.ShapeError, match=r"index 3 is out of bounds.*shapes \(3,\)"):
        mg.tensor(np.zeros(3))[3]


@given(arrays((4, 3)), st.data())
def test_embedding_looks_up_rows(weight, data):
    shape = data.draw(shapes(min_side=0, max_dims=2))
    indices = data.draw(numpy_strategies.arrays(np.int64, shape, elements=st.integers(0, 3)))
    assert np.array_equal(mg.embedding(mg.tensor(weight), indices).data, weight[indices])
    check_grads(lambda w: mg.square(mg.embedding(w, indices)), [weight])


def test_embedding_refuses_what_is_no_row():
    weight = mg.tensor(np.zeros((4, 3)), requires_grad=True)
    for indices in ([4], [-1], [[0, 9]]):
        with pytest.raises(mg.ShapeError, match="but weight has rows 0 to 3"):
            mg.embedding(weight, indices)
    with pytest.raises(mg.MiniganError, match="indices are float64, but row numbers are integers"):
        mg.embedding(weight, [0.5])
    assert mg.embedding(weight, mg.tensor(np.array([1, 2]))).shape == (2, 3)


def test_tuples_within_an_index_repeat_as_lists_do():
    x = mg.tensor(np.arange(3.0), requires_grad=True)
    assert np.array_equal(mg.grad(x[(0, 0),].sum(), x), [2, 0, 0])


def test_indices_of_an_embedding_may_be_written_to_after_their_use():
    w = mg.tensor(np.arange(4.0).reshape(4, 1), requires_grad=True)
    rows = np.array([0, 1])
    y = mg.embedding(w, rows)
    rows[:] = 3
    assert np.array_equal(mg.grad(y.sum(), w).ravel(), [1, 1, 0, 0])


@pytest.mark.parametrize("kind", [np.array, mg.tensor, list])
@pytest.mark.parametrize("place", ["alone", "in a tuple"])
def test_an_index_may_be_changed_before_the_backward_pass(kind, place):
    x = mg.tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)
    for index, changed in (([0, 2, 2], [1, 1, 1]), ([True, False, False, True], [False] * 4)):
        part = kind(index)
        y = x[part] if place == "alone" else x[part, 1:]
        part[:] = changed
        rows = np.add.reduceat(np.ones(4), range(4)) * index if len(index) == 4 else [1, 0, 2, 0]
        columns = [1, 1, 1] if place == "alone" else [0, 1, 1]
        assert np.array_equal(mg.grad(y.sum(), x), np.outer(rows, columns))
