"""The simulator reads a source as the compiler does: what is in comments, strings and other branches does not count."""

import numpy as np
import pytest

from minigan.kernels.cuda import SimArray, Simulator, check
from minigan.kernels.cuda.sim.sources import code_of, for_compiler, has_barriers, kernels_of

pytestmark = pytest.mark.slow  # the simulator itself

SOURCE = r"""
// __global__ void in_a_comment(float *x) { __syncthreads(); } \
   __global__ void in_its_next_line(float *x) {}
/* __global__ void in_another(float *x) {} */
const char *words = "__global__ void in_a_string(float *x) {} // \" /*";
const char bracket = '{', quote = '"';
#define OTHER __global__ void in_a_macro(float *x)
#if 0
__global__ void gone(float *x) { x[0] = nothing; }
#endif
#ifdef NOWHERE
__global__ void chosen(float *x, int n) {}
#else
__global__ void chosen(float *x) { x[0] = 5; }
#endif
#ifndef NOWHERE
__global__ void first(float *x) { x[0] = 4; }
#else
__global__ void first(float *x, int n) {}
#endif
__global__ void declared(float *x);
namespace inner { __global__ void within(float *x) { x[0] = 6; } }
extern "C" { __global__ void linked(float *x /* , int n */) { x[0] = '}' - '}' + 7; } }
__global__
static void
__launch_bounds__(256, (1 + 1))
spread(float *__restrict__ x, // ) {
       const int (*pairs)[2], int n = 3) { x[0] = n; }
extern __shared__ float file[];
namespace inner { extern __shared__ float pairs[][2]; static __constant__ float eleven = 11; }
__global__ void outer(float *x) { file[0] = 10; x[0] = file[0]; }
__global__ void paired(float *x) { inner::pairs[1][1] = inner::eleven; x[0] = file[3]; }
template <class T, int N> __global__ void made(T *x) { x[0] = N; }
__global__ void index(float *x) { x[0] = 8; }
__global__ void declared(float *x) { x[0] = 9; }
"""
PARAMETERS = {
    **{
        name: ("x",)
        for name in ("gone", "first", "chosen", "within", "linked", "outer", "paired", "made", "index", "declared")
    },
    "spread": ("x", "pairs", "n"),
}
# Names that C's library, or the simulator, has already
NAMES = [
    "time",
    "div",
    "remove",
    "wait",
    "signal",
    "clock",
    "rand",
    "copy",
    "fill",
    "scan",
    "reduce",
    "exp",
    "y0",
    "add",
    "max",
    "launch",
    "send",
    "read",
    "lane",
    "print",
]


def test_kernels_are_found_where_the_compiler_finds_them():
    found = kernels_of(SOURCE)
    assert found.keys() == PARAMETERS.keys()
    assert {name for name, kernel in found.items() if kernel.template} == {"made"}
    for name, kernel in found.items():
        if name not in ("first", "spread"):  # another branch's parameters; a pointer to arrays
            assert kernel.parameters == PARAMETERS[name]


def test_all_stays_in_its_place():
    code = code_of(SOURCE)
    assert len(code) == len(SOURCE)
    assert [i for i, letter in enumerate(code) if letter == "\n"] == [i for i, c in enumerate(SOURCE) if c == "\n"]
    assert not has_barriers(SOURCE)
    assert has_barriers(SOURCE.replace("x[0] = 8;", "__syncthreads();"))
    assert for_compiler(SOURCE, "a.cu").partition("\n")[2].rstrip().count("\n") == SOURCE.rstrip().count("\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sources") / "odd #1 $x 'q\" é"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kernel", "expected"),
    {
        "first": 4,
        "chosen": 5,
        "within": 6,
        "linked": 7,
        "index": 8,
        "declared": 9,
        "outer": 10,
        "paired": 11,
        "made<float, 4>": 4,
    }.items(),
)
def test_each_kernel_runs(folder, kernel, expected):
    (folder / "source.cu").write_text(SOURCE)
    x = np.zeros(1, np.float32).view(SimArray)
    Simulator().run(str(folder / "source.cu"), kernel, "float", 1, 1, [x], shared=16)
    assert x[0] == expected


def test_names_are_the_kernel_s_own(folder):
    """Of kernels, of macros, of folders and headers."""
    macros = [
        "SHARED",
        "KERNEL",
        "PLACE",
        "EXPORT",
        "ATOMIC",
        "NAMED",
        "N",
        "T",
        "P",
        "I",
        "name",
        "text",
        "what",
        "kernel",
        "lines",
        "here",
    ]
    (folder / "it's #.h").write_text("".join(f"#define {name} {number}\n" for number, name in enumerate(macros, 1)))
    body = (
        "{ __shared__ int s[SHARED + 7]; s[threadIdx.x] = P; __syncthreads(); atomicAdd(x, s[threadIdx.x] + KERNEL); }"
    )
    kernels = "".join(f"__global__ void {kernel}(int *x, int count) {body}\n" for kernel in NAMES)
    (folder / "names.cu").write_text(f'#include "it\'s #.h"\n{kernels}')
    for kernel in NAMES:
        x = np.zeros(1, np.int32).view(SimArray)
        Simulator().run(str(folder / "names.cu"), kernel, "float", 1, 8, [x, 1])
        assert x[0] == 8 * (1 + macros.index("P") + 2)


def test_bytes_that_are_no_utf_8_and_other_line_ends(folder):
    path = folder / "bytes.cu"
    path.write_bytes(b"// caf\xe9\r\n__global__ void k(float *x) {\r\n  x[0] = 1; // \xe9\r\n  x[9] = 2;\r\n}\r\n")
    verdict = check(path, "k", 1, 1, np.zeros(4, np.float32))
    assert (verdict.kind, verdict.lines) == ("bounds", (4,))
    assert "bytes.cu:4: x[9] = 2;" in str(verdict)
