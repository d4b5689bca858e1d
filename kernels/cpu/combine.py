"""Linear combinations of a few runs of numbers with constant coefficients: the transforms of minimal filtering.

Each is a small matrix known when the kernel is compiled, so its zeros cost nothing and its ones no multiplication. Of
a family of matrices one is chosen by number at run time, and all are compiled into one function.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minigan.kernels.cpu.vectors import BITS, INDEX, Vectors, for_each_vector

LONGEST = 256  # elements of a run of which some input lies outside the bounds


def combination(matrices):
    """Make an intrinsic for matrices: a dict, number -> matrix (outputs, inputs)."""

    @intrinsic
    def combine(typing, which, source, at, stride, step, low, high, to, to_at, to_stride, to_step, count, times):
        """to[i] = sum over j of matrix[which][i, j] * source[j], for runs of `count` elements of flat arrays.

        Run j of source is at + j * stride, and zeros unless low <= j < high; run i of to is at to_at + i * to_stride.
        All of it is done `times` times, each time step further in source and to_step in to.
        """

        def emit(context, builder, signature, arguments):
            v = Vectors(context, builder, source.dtype, BITS)
            which, here, (stride, step) = arguments[0], v.pointer(source, *arguments[1:3]), arguments[3:5]
            low, high, there = *arguments[5:7], v.pointer(to, *arguments[7:9])
            to_stride, to_step, count, times = arguments[9:]
            zeros = _zeros(builder, v)

            def inputs_at(first, number):
                runs = [_run(builder, first, j, stride) for j in range(number)]
                return [builder.select(_within(builder, j, low, high), run, zeros) for j, run in enumerate(runs)]

            def outputs_at(first, number):
                return [_run(builder, first, i, to_stride) for i in range(number)]

            def put(output, value, offset, mask):
                if mask is None:
                    v.save(value, output, offset)
                else:
                    v.save_some(value, output, offset, mask)

            _repeat(v, matrices, which, here, step, inputs_at, there, to_step, outputs_at, put, count, times)
            return context.get_dummy_value()

        i = types.intp
        return types.void(i, source, i, i, i, i, i, to, i, i, i, i, i), emit

    return combine


def addition(matrices):
    """Make an intrinsic that adds to what is there."""

    @intrinsic
    def add_combination(
        typing, which, source, at, stride, step, low, high, to, to_at, to_stride, to_step, count, times
    ):
        """to[i] += sum over j of matrix[which][i, j] * source[j], for low <= i < high only; otherwise like combine."""

        def emit(context, builder, signature, arguments):
            v = Vectors(context, builder, source.dtype, BITS)
            which, here, (stride, step) = arguments[0], v.pointer(source, *arguments[1:3]), arguments[3:5]
            low, high, there = *arguments[5:7], v.pointer(to, *arguments[7:9])
            to_stride, to_step, count, times = arguments[9:]

            def inputs_at(first, number):
                return [_run(builder, first, j, stride) for j in range(number)]

            def outputs_at(first, number):
                return [(_run(builder, first, i, to_stride), _within(builder, i, low, high)) for i in range(number)]

            def put(output, value, offset, mask):
                pointer, inside = output
                with builder.if_then(inside, likely=True):
                    if mask is None:
                        v.save(builder.fadd(v.load(pointer, offset), value), pointer, offset)
                    else:
                        v.save_some(builder.fadd(v.load_some(pointer, offset, mask), value), pointer, offset, mask)

            _repeat(v, matrices, which, here, step, inputs_at, there, to_step, outputs_at, put, count, times)
            return context.get_dummy_value()

        i = types.intp
        return types.void(i, source, i, i, i, i, i, to, i, i, i, i, i), emit

    return add_combination


def activation(matrices):
    """Make an intrinsic that adds a bias and ends with a leaky ReLU."""

    @intrinsic
    def activate_combination(
        typing, which, source, at, stride, step, bias, bias_at, slope, to, to_at, to_stride, to_step, count, times
    ):
        """to[i] = leaky_relu(bias + sum over j of matrix[which][i, j] * source[j], slope); otherwise like combine."""

        def emit(context, builder, signature, arguments):
            v = Vectors(context, builder, source.dtype, BITS)
            which, here, (stride, step) = arguments[0], v.pointer(source, *arguments[1:3]), arguments[3:5]
            shift, slope, there = v.pointer(bias, *arguments[5:7]), arguments[7], v.pointer(to, *arguments[8:10])
            to_stride, to_step, count, times = arguments[10:]
            flat = v.spread(builder.fcmp_ordered("==", slope, slope.type(0.0)), v.flags)
            slope = v.spread(slope)

            def inputs_at(first, number):
                return [_run(builder, first, j, stride) for j in range(number)]

            def outputs_at(first, number):
                return [_run(builder, first, i, to_stride) for i in range(number)]

            def bend(value):
                number = builder.fcmp_ordered("ord", value, value)  # 0 * -inf would be NaN; a NaN itself must pass
                below = builder.select(builder.and_(flat, number), v.zeros, builder.fmul(slope, value))
                return builder.select(builder.fcmp_ordered(">", value, v.zeros), value, below)

            def put(output, value, offset, mask):
                if mask is None:
                    v.save(bend(builder.fadd(value, v.load(shift, offset))), output, offset)
                else:
                    v.save_some(bend(builder.fadd(value, v.load_some(shift, offset, mask))), output, offset, mask)

            _repeat(v, matrices, which, here, step, inputs_at, there, to_step, outputs_at, put, count, times)
            return context.get_dummy_value()

        i = types.intp
        return types.void(i, source, i, i, i, bias, i, source.dtype, to, i, i, i, i, i), emit

    return activate_combination


def _repeat(v, matrices, which, here, step, inputs_at, there, to_step, outputs_at, put, count, times):
    """For the matrix whose number is `which` (nothing for any other): its rows' combinations, over and over."""
    builder = v.builder
    after = builder.append_basic_block("combined")
    choice = builder.switch(which, after)
    for number, matrix in matrices.items():
        block = builder.append_basic_block(f"matrix{number}")
        choice.add_case(INDEX(number), block)
        builder.position_at_end(block)
        with cgutils.for_range(builder, times, intp=INDEX) as loop:
            inputs = inputs_at(builder.gep(here, [builder.mul(loop.index, step)]), matrix.shape[1])
            outputs = outputs_at(builder.gep(there, [builder.mul(loop.index, to_step)]), matrix.shape[0])

            def whole(offset, matrix=matrix, inputs=inputs, outputs=outputs):
                values = [v.load(pointer, offset) for pointer in inputs]
                for row, output in zip(matrix, outputs, strict=True):
                    put(output, _weighted_sum(v, row, values), offset, None)

            def some(offset, mask, matrix=matrix, inputs=inputs, outputs=outputs):
                values = [v.load_some(pointer, offset, mask) for pointer in inputs]
                for row, output in zip(matrix, outputs, strict=True):
                    put(output, _weighted_sum(v, row, values), offset, mask)

            for_each_vector(v, count, whole, some)
        builder.branch(after)
    builder.position_at_end(after)


def _run(builder, first, number, stride):
    return builder.gep(first, [builder.mul(stride, INDEX(number))])


def _within(builder, number, low, high):
    number = INDEX(number)
    return builder.and_(builder.icmp_signed("<=", low, number), builder.icmp_signed("<", number, high))


def _zeros(builder, v):
    """The address of as many zeros as the longest run has."""
    kind = ir.ArrayType(v.vector.element, LONGEST)
    zeros = cgutils.global_constant(builder, f"zeros{8 * v.bytes}", ir.Constant(kind, None))
    return builder.gep(zeros, [INDEX(0), INDEX(0)])


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
