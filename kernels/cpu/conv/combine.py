"""Linear combinations of a few runs of numbers with constant coefficients: the transforms of minimal filtering.

Each is a small matrix that is known when its code is compiled, so zeros cost nothing and ones no multiplication. The
code is written as LLVM vectors and compiled without Numba, within 20 ms when it is first needed; kernels call it by its
address.
"""

import hashlib

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from minigan.kernels.cpu.runtime.compile import machine_code, new_module
from minigan.kernels.cpu.runtime.vectors import BITS, INDEX, Vectors, for_each_vector

LONGEST = 256  # maximal elements per run if some inputs are out of bounds
REALS = {"float32": types.float32, "float64": types.float64}


def combination(matrix: np.ndarray, ending: str, dtype) -> int:
    """The address of compiled code for a matrix (outputs, inputs), which `combine` calls.

    ending: "store" the combinations; "add" them to `to`; "activate": store them after a bias and a leaky ReLU;
        "stream": store them past the caches, as whole vectors at multiples of their size
    """
    dtype = np.dtype(dtype).name
    key = f"{ending} {dtype} {BITS} {matrix.shape} {matrix.tolist()}"
    symbol = "combination_" + hashlib.sha256(key.encode()).hexdigest()[:16]
    return machine_code(symbol, lambda: _module(symbol, matrix, ending, REALS[dtype]))


# ------------------------------------------------------------------------------------------ calls


def _function_type(real):
    """(source, stride, step, low, high, to, to_stride, to_step, count, times, bias, slope)"""
    index, pointer = INDEX, real.as_pointer()
    return ir.FunctionType(ir.VoidType(), [pointer, *[index] * 4, pointer, *[index] * 4, pointer, real])


@intrinsic
def combine(typing, code, source, at, stride, step, low, high, to, to_at, to_stride, to_step, count, times):
    """to[i] = sum over j of matrix[i, j] * source[j], for runs of `count` elements of flat arrays.

    code: the combination's address; run j of source is at + j * stride, run i of to at to_at + i * to_stride. This is
    repeated `times` times, each time `step` further in source and `to_step` further in to.
    low, high: runs outside low <= j < high count as zeros; for "add", runs of to outside are not written
    """

    def emit(context, builder, signature, arguments):
        v = Vectors(context, builder, source.dtype, BITS)
        code, here, there = arguments[0], v.pointer(source, *arguments[1:3]), v.pointer(to, *arguments[7:9])
        real = v.vector.element
        function = builder.inttoptr(code, _function_type(real).as_pointer())
        nothing = [ir.Constant(real.as_pointer(), None), real(0.0)]
        builder.call(function, [here, *arguments[3:7], there, *arguments[9:], *nothing])
        return context.get_dummy_value()

    i = types.intp
    return types.void(types.int64, source, i, i, i, i, i, to, i, i, i, i, i), emit


@intrinsic
def combine_activated(
    typing, code, source, at, stride, step, bias, bias_at, slope, to, to_at, to_stride, to_step, count, times
):
    """to[i] = leaky_relu(bias + sum over j of matrix[i, j] * source[j], slope); otherwise like combine."""

    def emit(context, builder, signature, arguments):
        v = Vectors(context, builder, source.dtype, BITS)
        here, shift, there = (
            v.pointer(kind, *arguments[place : place + 2]) for kind, place in ((source, 1), (bias, 5), (to, 8))
        )
        function = builder.inttoptr(arguments[0], _function_type(v.vector.element).as_pointer())
        bounds = [INDEX(0), INDEX(0)]
        builder.call(function, [here, *arguments[3:5], *bounds, there, *arguments[10:], shift, arguments[7]])
        return context.get_dummy_value()

    i = types.intp
    return types.void(types.int64, source, i, i, i, bias, i, source.dtype, to, i, i, i, i, i), emit


# ------------------------------------------------------------------------------------------ code


def _module(symbol, matrix, ending, dtype):
    """The LLVM module of one combination."""
    module = new_module(symbol)
    function = ir.Function(module, _function_type(cpu_target.target_context.get_data_type(dtype)), symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    v = Vectors(cpu_target.target_context, builder, dtype, BITS)
    source, stride, step, low, high, to, to_stride, to_step, count, times, bias, slope = function.args
    put = _Endings(v, low, high, bias, slope, bounded_inputs=ending in ("store", "stream"))
    with cgutils.for_range(builder, times, intp=INDEX) as loop:
        first_in = builder.gep(source, [builder.mul(loop.index, step)])
        first_out = builder.gep(to, [builder.mul(loop.index, to_step)])
        inputs = [put.input(j, _run(builder, first_in, j, stride)) for j in range(matrix.shape[1])]
        outputs = [_run(builder, first_out, i, to_stride) for i in range(matrix.shape[0])]

        def body(offset, mask=None):
            values = [_load(v, run, offset, mask) for run in inputs]
            for i, row in enumerate(matrix):
                getattr(put, ending)(i, outputs[i], _weighted_sum(v, row, values), offset, mask)

        for_each_vector(v, count, body, body)
    builder.ret_void()
    return module


class _Endings:
    """How to store a vector of an output, and what to read for inputs that are out of bounds."""

    def __init__(self, v, low, high, bias, slope, bounded_inputs):
        self.v, self.low, self.high, self.bias = v, low, high, bias
        self.zeros = self._zeros() if bounded_inputs else None
        self.bend = v.leaky_relu(slope)

    def input(self, number, run):
        return self.v.builder.select(self._within(number), run, self.zeros) if self.zeros else run

    def store(self, number, run, value, offset, mask):
        _save(self.v, value, run, offset, mask)

    def stream(self, number, run, value, offset, mask):
        if mask is None:  # there are only whole vectors: the code for others is never reached
            self.v.save(value, run, offset, streamed=True)

    def add(self, number, run, value, offset, mask):
        with self.v.builder.if_then(self._within(number), likely=True):
            _save(self.v, self.v.builder.fadd(_load(self.v, run, offset, mask), value), run, offset, mask)

    def activate(self, number, run, value, offset, mask):
        value = self.v.builder.fadd(value, _load(self.v, self.bias, offset, mask))
        _save(self.v, self.bend(value), run, offset, mask)

    def _within(self, number):
        builder, number = self.v.builder, INDEX(number)
        return builder.and_(builder.icmp_signed("<=", self.low, number), builder.icmp_signed("<", number, self.high))

    def _zeros(self):
        """The address of LONGEST zeros."""
        kind = ir.ArrayType(self.v.vector.element, LONGEST)
        zeros = cgutils.global_constant(self.v.builder, "zeros", ir.Constant(kind, None))
        return self.v.builder.gep(zeros, [INDEX(0), INDEX(0)])


def _load(v, run, offset, mask):
    return v.load(run, offset) if mask is None else v.load_some(run, offset, mask)


def _save(v, value, run, offset, mask):
    if mask is None:
        v.save(value, run, offset)
    else:
        v.save_some(value, run, offset, mask)


def _run(builder, first, number, stride):
    return builder.gep(first, [builder.mul(stride, INDEX(number))])


def _weighted_sum(v, coefficients, values):
    """The sum of coefficient * value, without products by 1, -1 and 0."""
    builder = v.builder
    terms = [(c, value) for c, value in zip(coefficients, values, strict=True) if c]
    terms.sort(key=lambda term: (term[0] != 1, abs(term[0]) != 1))
    total = None
    for coefficient, value in terms:
        constant = ir.Constant(v.vector, [float(coefficient)] * v.width)
        if total is None:
            total = value if coefficient == 1 else builder.fmul(constant, value)
        elif coefficient == 1:
            total = builder.fadd(total, value)
        elif coefficient == -1:
            total = builder.fsub(total, value)
        else:
            total = v.multiply_add(constant, value, total)
    return v.zeros if total is None else total
