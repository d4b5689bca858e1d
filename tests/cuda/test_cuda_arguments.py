"""What a kernel is given is what it declares, or an error says which argument is not, and why."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.errors import DtypeError, UnknownNameError
from minigan.kernels.cuda import SimArray, Simulator, SimulatorError

TYPES = {
    **{
        "signed char": "i1",
        "unsigned char": "u1",
        "short": "i2",
        "unsigned short": "u2",
        "int": "i4",
        "unsigned": "u4",
    },
    **{"long long": "i8", "unsigned long": "u8", "float": "f4", "double": "f8", "bool": "?"},
}
NAMES = {words: words.replace(" ", "_") for words in TYPES}
SOURCE = (
    "".join(
        f"__global__ void value_{name}({words} v, {words} *to) {{ *to = v; }}\n"
        f"__global__ void copy_{name}(const {words} *v, {words} *to, int n) {{\n"
        "    for (int i = 0; i < n; i++) to[i] = v[i];\n}\n"
        for words, name in NAMES.items()
    )
    + """
struct Pair { int a; float b; };
__global__ void pair(Pair p, Pair *to) { *to = p; }
__global__ void twice(float *x, float *y) { x[threadIdx.x] *= 2; y[threadIdx.x] += 1; }
__global__ void where(int *x) { if (blockIdx.x + blockIdx.y + threadIdx.x == 0) x[0] = gridDim.y * blockDim.x; }
template <int N> __global__ void filled(int *x) { x[threadIdx.x] = N; }
"""
)
PAIR = np.dtype([("a", "i4"), ("b", "f4")])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("arguments") / "types.cu"
    path.write_text(SOURCE)
    return str(path)


@pytest.fixture(scope="module")
def run(source):
    def run(kernel, *arguments, blocks=1, threads=1, **settings):
        Simulator().run(source, kernel, "float", blocks, threads, list(arguments), **settings)

    return run


def device(values, dtype="f4"):
    return np.array(values, dtype).view(SimArray)


def fits(number, dtype):
    """Whether a type holds a number, in words that are not the simulator's."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return abs(number) <= np.finfo(dtype).max
    if isinstance(number, float):
        return False
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return low <= number <= high


EDGES = sorted(
    {sign * (1 << bits) + by for bits in (0, 7, 8, 15, 16, 31, 32, 63, 64) for by in (-1, 0, 1) for sign in (1, -1)}
)


@given(st.sampled_from(sorted(TYPES)), st.sampled_from([*EDGES, 0.5, -2.0, 3e38, 3.5e38, -1e300, 10**400]))
def test_a_number_arrives_as_it_is_or_is_refused(run, words, number):
    to = device([0], TYPES[words])
    if fits(number, TYPES[words]):
        run(f"value_{NAMES[words]}", number, to)
        assert to[0] == np.array(number).astype(TYPES[words])
    else:
        with pytest.raises(DtypeError, match=rf"value_{NAMES[words]}: argument 1, .* v, (holds|is)"):
            run(f"value_{NAMES[words]}", number, to)
        assert to[0] == 0


@given(st.sampled_from(sorted(TYPES)), st.sampled_from([*TYPES.values(), "c8", "S4", ">f4", ">i4"]))
def test_an_array_is_of_the_type_that_the_pointer_says_or_is_refused(run, words, dtype):
    values, to = device([1, 0, 1], dtype), device([0, 0, 0], TYPES[words])
    bytes_ = {"i1", "u1", "?"}
    if dtype == TYPES[words] or {dtype, TYPES[words]} <= bytes_:
        run(f"copy_{NAMES[words]}", values, to, 3)
        assert to.tolist() == [1, 0, 1]
    else:
        with pytest.raises(DtypeError, match=rf"copy_{NAMES[words]}: argument 1, const .*\* v, was given an array"):
            run(f"copy_{NAMES[words]}", values, to, 3)


READ_ONLY = device([1.0])
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "takes 2 arguments, and was given 0"),
        ((device([1]),), "takes 2 arguments, and was given 1"),
        ((device([1]), device([1]), 3), "takes 2 arguments, and was given 3"),
        ((np.ones(1, "f4"), device([1])), r"argument 1, float\* x, was given an array of the CPU.*devices\.move"),
        ((device([1]), [1.0]), r"argument 2, float\* y, was given \[1\.0\]"),
        ((device([1]), None), r"argument 2, float\* y, was given None"),
        ((device([1]), 140000000000000), r"argument 2, float\* y, was given 140000000000000"),
        ((device(np.ones((2, 2)))[:, 0], device([1])), "not contiguous"),
        ((device([1]), READ_ONLY), "read-only"),
        ((np.zeros(9, "u1")[1:5].view("f4").view(SimArray), device([1])), "not aligned"),
    ],
)
def test_arguments_that_are_not_what_is_declared(run, arguments, words):
    with pytest.raises(DtypeError, match=rf"^twice.*{words}"):
        run("twice", *arguments)


@pytest.mark.parametrize("value", [device([1]), np.ones(1), np.ones((2, 2)), "1", None, 1j, [1]])
@pytest.mark.parametrize("kernel", ["value_int", "value_float"])
def test_a_single_value_is_no_array_and_no_word(run, kernel, value):
    with pytest.raises(DtypeError, match=rf"{kernel}: argument 1"):
        run(kernel, value, device([0], "i4" if "int" in kernel else "f4"))


def test_records_go_by_value(run):
    to = np.zeros(1, PAIR).view(SimArray)
    run("pair", np.array((3, 0.5), PAIR), to)
    assert to.tolist() == [(3, 0.5)]
    assert repr(to) == "SimArray([(3, 0.5)], dtype=[('a', '<i4'), ('b', '<f4')])"
    assert str(to) == "[(3, 0.5)]"
    with pytest.raises(DtypeError, match=r"argument 1, Pair p, has 8 bytes, but was given .*3"):
        run("pair", np.int32(3), to)


def test_one_array_may_be_given_twice_and_views_of_one_array_overlap(run):
    x = device([1, 2, 3, 4])
    run("twice", x, x, threads=4)
    assert x.tolist() == [3, 5, 7, 9]
    run("twice", x[:3], x[2:], threads=2)
    assert x.tolist() == [6, 10, 8, 10]


@pytest.mark.parametrize(
    ("blocks", "threads"),
    [
        *[
            (0, 1),
            (1, 0),
            (-1, 1),
            (1, -3),
            (1.0, 1),
            (1, 2.5),
            ("1", 1),
            ((), 1),
            ((1,) * 4, 1),
            (None, 1),
            (1, (1, None)),
        ],
        *[(1, 1025), (1, (32, 33)), (1, (1, 1, 65)), ((1, 65536), 1), (1 << 31, 1), (1 << 64, 1), (1, 1 << 64)],
    ],
)
def test_shapes_that_no_gpu_launches(run, blocks, threads):
    x = device([0], "i4")
    with pytest.raises(SimulatorError, match=r"where: (a grid of .* cannot be launched|\w+ are one to three integers)"):
        run("where", x, blocks=blocks, threads=threads)
    assert x[0] == 0


@pytest.mark.parametrize("blocks", [(2, 3), [2, 3], np.array([2, 3]), (np.int64(2), np.uint8(3), 1)])
def test_shapes_in_any_form(run, blocks):
    x = device([0], "i4")
    run("where", x, blocks=blocks, threads=np.int32(5))
    assert x[0] == 15


def test_names_that_are_not_there(run, source):
    with pytest.raises(UnknownNameError, match=r"no kernel of types\.cu is called 'twise'; did you mean twice"):
        run("twise", device([1]), device([1]))
    for kernel, words in (("filled", "filled<...>"), ("twice<3>", "no template")):
        with pytest.raises(SimulatorError, match=words):
            run(kernel, device([1], "i4"))
    with pytest.raises(SimulatorError, match=r"there is no file nowhere\.cu"):
        Simulator().run("nowhere.cu", "twice", "float", 1, 1, [])
    with pytest.raises(SimulatorError, match="'float' or 'double', not 'half'"):
        Simulator().run(source, "twice", "half", 1, 1, [])
    with pytest.raises(SimulatorError, match="bytes of shared memory, not -1"):
        run("twice", device([1]), device([1]), shared=-1)
