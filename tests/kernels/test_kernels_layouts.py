"""Arrays of any layout, class or size given straight to kernels: the result of the plain array, or an error of ours."""

import mmap

import numpy as np
import pytest
from geometries import geometry
from guarded import CALLS, UPDATES, near
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.errors import DtypeError, ShapeError
from minigan.kernels import cpu, reference


class Subclass(np.ndarray):
    pass


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)[1:]
    copy = np.ndarray(array.shape, array.dtype, memory)
    copy[...] = array
    return copy


def mapped(array):
    copy = np.frombuffer(mmap.mmap(-1, max(array.nbytes, 1)), array.dtype, array.size).reshape(array.shape)
    copy[...] = array
    return copy


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "unaligned": unaligned,
    "unaligned and read-only": lambda array: read_only(unaligned(array)) if array.ndim else array,
    "read-only": read_only,
    "mapped": mapped,
    "of a subclass": lambda array: array.view(Subclass),
    "a matrix": lambda array: array.view(np.matrix) if array.ndim == 2 else array,
    "Fortran order": np.asfortranarray,
    "reversed": lambda array: np.ascontiguousarray(array[..., ::-1])[..., ::-1],
    "every second": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
}
NAMES = sorted(CALLS)


def drawn_arrays(data, name, dtype):
    strategy, shapes, _ = CALLS[name]
    case = data.draw(strategy)
    rng = np.random.default_rng(0)
    return case, [np.array(rng.standard_normal(shape), dtype) for shape in shapes(case)]


@settings(max_examples=80)
@given(st.data(), st.sampled_from(NAMES), st.sampled_from([np.float32, np.float64]), st.sampled_from(list(LAYOUTS)))
def test_layouts_do_not_change_results(data, name, dtype, layout):
    case, arrays = drawn_arrays(data, name, dtype)
    call = CALLS[name][2]
    near(call(cpu, case, *map(LAYOUTS[layout], arrays)), call(reference, case, *arrays), dtype)


BY_NUMPY = {"binary_cross_entropy_sum", "binary_cross_entropy_excess", "matmul"}  # where there is little to do
BY_NUMPY |= {"bias_sum", "sum_over", "moments_over", "segment_sum"}
DRAWN = {"standard_normal", "uniform"}
WINDOWS = [name for name in NAMES if name.startswith(("im2", "col2", "max_p", "pool", "window"))]


@pytest.mark.parametrize("kind", ["foreign bytes", "masked", "of integers"])
@given(data=st.data(), name=st.sampled_from([name for name in NAMES if name not in BY_NUMPY | DRAWN]))
def test_what_kernels_cannot_read_is_refused(kind, data, name):
    case, arrays = drawn_arrays(data, name, np.float32)
    place = 1 if name == "pool_scatter" else 0  # its first array says where the others go
    arrays[place] = {
        "foreign bytes": lambda array: array.astype(array.dtype.newbyteorder()),
        "masked": np.ma.masked_array,
        "of integers": lambda array: array.astype(np.int32),
    }[kind](arrays[place])
    with pytest.raises(DtypeError, match=r"kernels take arrays of|a masked array hides"):
        CALLS[name][2](cpu, case, *arrays)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_of_nothing(shape, dtype):
    x, row = np.zeros(shape, dtype), np.ones(shape[1], dtype)
    y, mean, inverse = cpu.batch_norm(x, row, row, 1e-5)
    gx, gscale, gshift = cpu.batch_norm_vjp(x, x, row, row, row, row)
    assert y.shape == gx.shape == shape
    assert np.isnan([*mean, *inverse]).all()
    assert not np.any([*gscale, *gshift])
    gx, sums = cpu.leaky_relu_vjp_sum(x, x, 0.2)
    assert gx.shape == shape
    for found in (sums, cpu.bias_sum(x)):
        assert found.shape == shape[1:]
        assert found.dtype == dtype
        assert not found.any()


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("empty", ["N", "C"])
def test_windows_of_nothing(name, empty):
    axis = (6, 4, 3, 1, 1, 0, 0)
    images, channels = (0, 3) if empty == "N" else (2, 0)
    g = geometry(images, axis, axis, channels, channels, 1)
    _, shapes, call = CALLS[name]
    arrays = [np.zeros(shape, np.float32) for shape in shapes(g)]
    assert np.shape(call(cpu, g, *arrays)) == np.shape(call(reference, g, *arrays))


WRONG = {  # arrays that do not fit together, of which a kernel would read past the end
    "leaky_relu_vjp": lambda one, other: cpu.leaky_relu_vjp(one, other, 0.2),
    "leaky_relu_vjp_sum": lambda one, other: cpu.leaky_relu_vjp_sum(one, other, 0.2),
    "tanh_vjp": cpu.tanh_vjp,
    "batch_norm": lambda one, other: cpu.batch_norm(other, one[0], one[0], 1e-5),
    "batch_norm_vjp": lambda one, other: cpu.batch_norm_vjp(one, other, *[other[0]] * 4),
    "matmul": lambda one, other: cpu.matmul(np.resize(one, (300, 100)), np.resize(other, (90, 300))),
    "a bias": lambda one, other: cpu.matmul(np.resize(one, (300, 90)), np.resize(other, (90, 300)), one[0]),
    "segment_sum": lambda one, other: cpu.segment_sum(one, np.zeros(len(one) + 1, int), 2),
    "an update": lambda one, other: cpu.sgd_update([other], [one], [other], 0.1, 0.9),
    "an update's dtypes": lambda one, other: cpu.sgd_update([one.astype(np.float64)], [one], [one], 0.1, 0.9),
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_that_do_not_fit_together_are_refused(name):
    one, other = np.ones((2, 3), np.float32), np.ones((5000, 7), np.float32)
    with pytest.raises(ShapeError, match=r"do not fit together|of one kind"):
        WRONG[name](one, other)


@given(data=st.data(), name=st.sampled_from([n for n in NAMES if n.startswith(("conv", "im2", "col", "max", "win"))]))
def test_arrays_that_a_geometry_does_not_have_are_refused(data, name):
    case, arrays = drawn_arrays(data, name, np.float32)
    with pytest.raises(ShapeError, match="do not fit together"):
        CALLS[name][2](cpu, case, np.concatenate([arrays[0], arrays[0][:1]]) if len(arrays[0]) else arrays[0][..., :-1],
                       *arrays[1:])  # fmt: skip


def test_segments_that_are_not_there_are_refused():
    for segment in (-1, 2):
        with pytest.raises(IndexError, match="segments go from"):
            cpu.segment_sum(np.ones((2, 3), np.float32), [0, segment], 2)


@pytest.mark.parametrize("fill", [cpu.standard_normal, cpu.uniform])
@pytest.mark.parametrize("out", [np.ones(9), np.ones((3, 4), np.float32)[:, ::2], read_only(np.ones(9, np.float32))])
def test_random_numbers_fill_plain_arrays_only(fill, out):
    with pytest.raises(DtypeError, match="contiguous, aligned and writable"):
        fill(out, 1, 2)


@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.parametrize("layout", ["unaligned", "read-only", "Fortran order"])
def test_what_cannot_be_updated_in_place_is_refused(name, layout):
    states, call = UPDATES[name]
    lists = [[np.ones((3, 4), np.float32)] for _ in range(2 + states)]
    lists[0] = [LAYOUTS[layout](lists[0][0])]
    with pytest.raises(ValueError, match="contiguous"):
        call(cpu, *lists)
