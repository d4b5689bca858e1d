"""Updates in CUDA are the reference's, in place, for any list of parameters."""

import mmap
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import DTYPES, SEEDS, assert_close, on_device, ordered, plain, sim_only

from minigan.errors import DtypeError, ShapeError
from minigan.kernels import cuda as package
from minigan.kernels import reference
from minigan.kernels.cuda import optim as cuda

OPTIMISERS = {
    "sgd": (1, lambda k, *lists: k.sgd_update(*lists, 0.1, weight_decay=0.01)),
    "momentum": (1, lambda k, *lists: k.sgd_update(*lists, 0.1, 0.9, False, 0.01)),
    "nesterov": (1, lambda k, *lists: k.sgd_update(*lists, 0.1, 0.9, True, 0.01)),
    "rmsprop": (1, lambda k, *lists: k.rmsprop_update(*lists, 0.1, 0.9, 1e-8, 0.01)),
    "adam": (2, lambda k, *lists: k.adam_update(*lists, 0.1, 0.5, 0.999, 1e-8, 0.01, False, 3)),
    "adamw": (2, lambda k, *lists: k.adam_update(*lists, 0.1, 0.5, 0.999, 1e-8, 0.01, True, 3)),
}
SHAPES = st.one_of(
    st.lists(st.integers(0, 9), max_size=3),
    st.sampled_from([[cuda.BLOCK - 1], [cuda.BLOCK], [cuda.BLOCK + 1], [3, cuda.BLOCK + 7]]),
)
SKIPPED = st.one_of(st.just((0, 0, 0, 0)), st.tuples(*[st.integers(0, 3)] * 4))


def lists_of(shapes, dtype, states, skipped=(0, 0, 0, 0)):
    """[parameters, gradients, states...], where the arrays of a list begin so many numbers after a boundary."""
    rng, lists = np.random.default_rng(len(shapes)), []
    for power, skip in list(zip((1, 1, 2, 2), skipped, strict=True))[: 2 + states]:  # a square is not negative
        flat = [rng.standard_normal(skip + int(np.prod(shape))).astype(dtype) ** power for shape in shapes]
        lists.append([on_device(array)[skip:].reshape(shape) for array, shape in zip(flat, shapes, strict=True)])
    return lists


def on_cpu(lists):
    return [[plain(array) for array in arrays] for arrays in lists]


@pytest.mark.parametrize("name", OPTIMISERS)
@settings(max_examples=16)
@given(st.lists(SHAPES, min_size=1, max_size=6), DTYPES, SKIPPED, SEEDS)
def test_optimisers_change_parameters_and_states_in_place(name, shapes, dtype, skipped, seed):
    count, update = OPTIMISERS[name]
    lists = lists_of(shapes, dtype, count, skipped)
    expected, before = on_cpu(lists), on_cpu(lists)
    with ordered(seed):
        update(cuda, *lists)
    update(reference, *expected)
    for array, same in zip(chain(*lists), chain(*expected), strict=True):
        assert_close(array, same, 10)
    for array, same in zip(lists[1], before[1], strict=True):
        np.testing.assert_array_equal(plain(array), same)


@settings(max_examples=10)
@given(st.lists(st.integers(0, 3 * cuda.BLOCK), min_size=1, max_size=40), SEEDS)
def test_each_element_is_updated_once(sizes, seed):
    ps, gs, velocities = lists_of([(size,) for size in sizes], np.float32, 1)
    expected = [plain(p - np.float32(0.5) * g) for p, g in zip(ps, gs, strict=True)]
    with ordered(seed):
        cuda.sgd_update(ps, gs, velocities, 0.5)
    for p, same in zip(ps, expected, strict=True):
        np.testing.assert_array_equal(plain(p), same)


@sim_only
def test_gradients_are_not_written_to():
    """They lie where nothing may be: an access ends the process. (mmap's numbers are zeros.)"""
    size = cuda.BLOCK + 3
    g = np.frombuffer(mmap.mmap(-1, 4 * size, prot=mmap.PROT_READ), np.float32).view(package.SimArray)
    ps, states, squares = (on_device(np.ones(size, np.float32)) for _ in range(3))
    for name, (count, update) in OPTIMISERS.items():
        before = plain(ps)
        update(cuda, [ps], [g], *([states], [squares])[:count])
        assert (plain(ps) != before).all(), name


def test_velocities_are_not_looked_at_without_momentum():
    ps, gs, velocities = lists_of([(5,)], np.float32, 1)
    velocities[0].fill(np.nan)
    expected = plain(ps[0] - np.float32(0.1) * gs[0])
    cuda.sgd_update(ps, gs, velocities, 0.1)
    np.testing.assert_allclose(plain(ps[0]), expected, rtol=1e-6)
    assert np.isnan(plain(velocities[0])).all()


def test_adam_first_step_is_the_learning_rate():
    """With both moments corrected, the first step is lr in the direction of the gradient's sign."""
    p, g, mean, square = (on_device(a) for a in (np.zeros(3), np.array([5.0, -0.01, 2e3]), np.zeros(3), np.zeros(3)))
    cuda.adam_update([p], [g], [mean], [square], 0.1, 0.9, 0.999, 1e-12, 0.0, False, 1)
    np.testing.assert_allclose(plain(p), -0.1 * np.sign(plain(g)), rtol=1e-9)


def test_gradients_of_any_layout_and_nan_in_them():
    p, g = on_device(np.ones((4, 6))), on_device(np.arange(24.0).reshape(6, 4)).T
    g[1, 2] = np.nan
    expected = np.ones((4, 6)) - 0.1 * plain(g)
    cuda.sgd_update([p], [g], [p], 0.1)
    np.testing.assert_allclose(plain(p), expected, atol=np.finfo(float).eps)  # a GPU rounds once, 1 - 0.1 * 10 is not 0


@sim_only
def test_one_launch_for_all_parameters(monkeypatch):
    launches = []
    run = package.Simulator.run
    monkeypatch.setattr(package.Simulator, "run", lambda *args: (launches.append(args[2]), run(*args)))
    ps, gs, means, squares = lists_of([(3, 4), (0,), (cuda.BLOCK * 2,)], np.float32, 2)
    cuda.adam_update(ps, gs, means, squares, 0.1, 0.5, 0.999, 1e-8, 0.0, False, 1)
    assert launches == ["adam"]
    cuda.sgd_update([], [], [], 0.1)
    cuda.sgd_update(ps[1:2], gs[1:2], means[1:2], 0.1)
    assert launches == ["adam"]


def test_what_cannot_be_updated_is_refused():
    p, g, wide = (on_device(np.ones((4, 4), dtype)) for dtype in ("float32", "float32", "float64"))
    with pytest.raises(ValueError, match="contiguous"):
        cuda.sgd_update([p[:, ::2]], [g[:, ::2]], [None], 0.1)
    with pytest.raises(DtypeError, match="gradients' dtype, float32, but one is float64"):
        cuda.sgd_update([p], [g], [wide], 0.1, 0.9)
    with pytest.raises(ShapeError, match=r"shape \(4, 4\), what belongs to it \(4,\)"):
        cuda.sgd_update([p], [g[0]], [p], 0.1)
    with pytest.raises(DtypeError, match="move it with"):
        cuda.sgd_update([np.ones((4, 4), np.float32)], [g], [p], 0.1)
