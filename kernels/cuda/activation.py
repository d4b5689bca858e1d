"""Activations and their gradients: activation.cu."""

from minigan.kernels.cuda.launch import contiguous, each, empty, run

RUN_BYTES = 16  # bytes per thread, as in runs.h


def leaky_relu(x, slope):
    (x,) = contiguous(x)
    return each_run("leaky_relu", (x,), float(slope))


def leaky_relu_vjp(g, x, slope):
    return each_run("leaky_relu_vjp", contiguous(g, x), float(slope))


def tanh_vjp(g, y):
    return each_run("tanh_vjp", contiguous(g, y))


def each_run(kernel, arrays, *numbers):
    """Run an elementwise kernel on arrays of one shape. Returns its result."""
    result = empty(arrays[0].shape, arrays[0])
    if result.size:
        shape = each(-(-result.nbytes // RUN_BYTES))
        run("activation.cu", kernel, shape, *arrays, result, *numbers, result.size)
    return result
