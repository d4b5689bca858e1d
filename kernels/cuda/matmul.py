"""The matrix product, matmul.cu."""

from minigan.kernels.cuda.launch import contiguous, empty, run
from minigan.kernels.cuda.tiling import in_parts, numbers_for, plan


def matmul(a, b, bias=None, slope=1.0, how=None):
    """leaky_relu(a @ b + bias, slope): (M, N) from (M, K), (K, N) and (N,).

    how: a Plan; by default chosen by the sizes and `kernels.precision`
    """
    (m, depth), n = a.shape, b.shape[1]
    if not m * n:
        return empty((m, n), a)
    a, a_row, a_depth = flat_with_strides(a)
    b, b_depth, b_column = flat_with_strides(b)
    a, b, bias = contiguous(a, b, bias)
    how = how or plan(m, n, depth, numbers=numbers_for(a))

    sizes = m, n, depth, a_row, a_depth, b_depth, b_column

    def launch(out, *last_pass):
        arrays = (a, b) if depth else (out, out)  # without depth, the kernel reads neither
        bias, biased, slope = last_pass
        run("matmul.cu", f"matmul_{how.shape}", how.grid(m, n), *arrays, bias, out, *sizes, biased, slope, how.parts)

    return in_parts(launch, how, (m, n), a, bias, slope)


def flat_with_strides(array):
    """(the array in C order, row stride, column stride) of a matrix; copies it unless it is in C or Fortran order."""
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        return array.T, 1, array.shape[0]
    if not array.flags.c_contiguous:
        array = array.copy()
    return array, array.shape[1], 1
