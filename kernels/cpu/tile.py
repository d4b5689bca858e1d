"""The inner tile of every matrix product here, written as LLVM vectors.

A tile keeps ROWS rows of one or two vectors of sums in registers and walks along the shared dimension of its two
operands. The left rows are read in place, with any strides; the right operand is a panel packed by `pack`.
It reaches the processor's peak, compiles in a tenth of a second, and starts no threads.
"""

from numba import types
from numba.extending import intrinsic

from minigan.kernels.cpu.runtime.vectors import BITS, INDEX, ROWS, Vectors


def register_tile(vectors, bits):
    """Make a tile of ROWS rows and `vectors` vectors; its lanes follow from the arrays' dtype."""

    @intrinsic
    def tile(typing, left, left_at, row_stride, depth_stride, panel, panel_at, out, out_at, out_stride,
             depth, rows, columns, accumulate):  # fmt: skip
        """out[:rows, :columns] (+)= left @ panel; places and strides in elements of flat arrays, depth >= 1.

        The panel's rows are as wide as the tile and lie one after the other; it writes 1 to ROWS rows of
        out, in the columns that exist.
        """

        def emit(context, builder, signature, arguments):
            v = Vectors(context, builder, left.dtype, bits)
            here, there = v.pointer(left, *arguments[0:2]), v.pointer(panel, *arguments[4:6])
            to = v.pointer(out, *arguments[6:8])
            (row_stride, depth_stride), (out_stride, depth, rows, columns, accumulate) = arguments[2:4], arguments[8:]
            left_rows = clamped_rows(builder, here, row_stride, rows)
            out_rows = clamped_rows(builder, to, out_stride, rows)

            lie_side_by_side = builder.icmp_signed("==", row_stride, INDEX(1))

            def ahead(k, left_at):
                # adjacent rows share cache lines, and only the last row of the next tile is certain to be on a new one
                in_turn = builder.add(builder.and_(k, INDEX(15)), INDEX(ROWS))
                row = builder.select(lie_side_by_side, INDEX(2 * ROWS - 1), in_turn)
                return builder.gep(here, [builder.add(left_at, builder.mul(row, row_stride))])

            depth = INDEX(1), INDEX(0), depth
            sums = walk(v, vectors, left_rows, depth_stride, there, INDEX(vectors * v.width), depth, ahead)
            store(v, vectors, sums, out_rows, columns, accumulate)
            return context.get_dummy_value()

        i, flag = types.intp, types.boolean
        return types.void(left, i, i, i, panel, i, out, i, i, i, i, i, flag), emit

    return tile


def gathering_tile(vectors, bits):
    """Make a tile whose left rows come in pieces at offsets from a table, as a convolution reads its image."""

    @intrinsic
    def tile(typing, left, left_at, table, table_at, depth_stride, pieces, piece_stride, length, panel, panel_at,
             panel_stride, out, out_at, out_stride, rows, columns, accumulate, bias, bias_at, slope):  # fmt: skip
        """Like the tile of `register_tile`, with depth pieces * length. If it does not accumulate,
        out = leaky_relu(left @ panel + bias, slope).

        Row i of left begins at left_at + table[table_at + i], and its next piece piece_stride further; the panel's
        rows are panel_stride apart. bias: as wide as the panel
        """

        def emit(context, builder, signature, arguments):
            v = Vectors(context, builder, left.dtype, bits)
            here, there = v.pointer(left, *arguments[:2]), v.pointer(panel, *arguments[8:10])
            numbers, to = v.pointer(table, *arguments[2:4]), v.pointer(out, *arguments[11:13])
            depth_stride, depth, panel_stride = arguments[4], arguments[5:8], arguments[10]
            out_stride, rows, columns, accumulate = arguments[13:17]
            shift, slope = v.pointer(bias, *arguments[17:19]), arguments[19]
            left_rows = [
                builder.gep(here, [builder.load(builder.gep(numbers, [number]))]) for number in clamped(builder, rows)
            ]
            out_rows = clamped_rows(builder, to, out_stride, rows)
            for row in out_rows:
                for j in range(vectors):
                    v.prefetch(builder.gep(row, [INDEX(j * v.width)]), for_writing=True)
            sums = walk(v, vectors, left_rows, depth_stride, there, panel_stride, depth)
            with builder.if_else(accumulate) as (add, finish):
                with add:
                    store(v, vectors, sums, out_rows, columns, True)
                with finish:
                    bend = v.leaky_relu(slope)
                    shifts = [v.load(shift, INDEX(j * v.width)) for j in range(vectors)]
                    finished = [[bend(builder.fadd(x, b)) for x, b in zip(row, shifts, strict=True)] for row in sums]
                    store(v, vectors, finished, out_rows, columns, False)
            return context.get_dummy_value()

        i, flag, number = types.intp, types.boolean, out.dtype
        return types.void(left, i, table, i, i, i, i, i, panel, i, i, out, i, i, i, i, flag, bias, i, number), emit

    return tile


def clamped(builder, rows):
    """The indices of ROWS rows. Indices past the last row are clamped to it: that row is computed and written several
    times, with equal values, so there are no branches and no access is out of bounds."""
    last = builder.sub(rows, INDEX(1))
    return [builder.select(builder.icmp_signed("<", INDEX(i), last), INDEX(i), last) for i in range(ROWS)]


def clamped_rows(builder, first, stride, rows):
    """The addresses of ROWS rows, those past the last clamped to it."""
    return [builder.gep(first, [builder.mul(stride, number)]) for number in clamped(builder, rows)]


def walk(v, vectors, left_rows, depth_stride, panel, panel_stride, depth, ahead=None):
    """The loop over depth: ROWS lists of `vectors` vectors of sums.

    depth: (pieces, stride between pieces of the left rows, elements per piece)
    ahead: a function of the step that gives an address in the rows of the next tile to prefetch, so that they are in
        the L2 cache when they are needed
    """
    builder = v.builder
    pieces, piece_stride, length = depth
    before = builder.block
    piece, step, piece_end, after = (
        builder.function.append_basic_block(name) for name in ("piece", "step", "piece_end", "store")
    )

    def carried(kind, start, block):
        value = builder.phi(kind)
        value.add_incoming(start, block)
        return value

    builder.branch(piece)
    builder.position_at_end(piece)
    done, piece_at, panel_start = (carried(INDEX, INDEX(0), before) for _ in range(3))
    starts = [[carried(v.vector, v.zeros, before) for _ in range(vectors)] for _ in range(ROWS)]
    builder.branch(step)

    builder.position_at_end(step)
    k, left_at, panel_at = (carried(INDEX, start, piece) for start in (INDEX(0), piece_at, panel_start))
    sums = [[carried(v.vector, start, piece) for start in row] for row in starts]
    if ahead:
        v.prefetch(ahead(k, left_at))
    right = [v.load(panel, builder.add(panel_at, INDEX(j * v.width))) for j in range(vectors)]
    next_sums = []
    for row, totals in zip(left_rows, sums, strict=True):
        factor = v.spread(builder.load(builder.gep(row, [left_at])))
        next_sums.append([v.multiply_add(factor, r, total) for r, total in zip(right, totals, strict=True)])
    next_k, next_panel = builder.add(k, INDEX(1)), builder.add(panel_at, panel_stride)
    k.add_incoming(next_k, step)
    left_at.add_incoming(builder.add(left_at, depth_stride), step)
    panel_at.add_incoming(next_panel, step)
    builder.cbranch(builder.icmp_signed("<", next_k, length), step, piece_end)

    builder.position_at_end(piece_end)
    next_done = builder.add(done, INDEX(1))
    done.add_incoming(next_done, piece_end)
    piece_at.add_incoming(builder.add(piece_at, piece_stride), piece_end)
    panel_start.add_incoming(next_panel, piece_end)
    for start, totals, values in zip(starts, sums, next_sums, strict=True):
        for first, total, value in zip(start, totals, values, strict=True):
            total.add_incoming(value, step)
            first.add_incoming(value, piece_end)
    builder.cbranch(builder.icmp_signed("<", next_done, pieces), piece, after)
    builder.position_at_end(after)
    return next_sums


def store(v, vectors, sums, out_rows, columns, accumulate):
    """Store the sums or add them to the present values: whole vectors, or masked ones at the right edge.

    accumulate: a flag in the generated code, or True or False if known at compile time

    All loads of a vector's column come before its stores, so that a row that appears several times is added once.
    """
    builder = v.builder
    whole = builder.icmp_signed(">=", columns, INDEX(vectors * v.width))
    for j in range(vectors):
        offset = INDEX(j * v.width)
        values = [row[j] for row in sums]
        mask = v.mask(builder.sub(columns, offset))

        def add(offset=offset, values=values, mask=mask):
            with builder.if_else(whole) as (then, otherwise):
                with then:
                    olds = [v.load(row, offset) for row in out_rows]
                    for row, old, value in zip(out_rows, olds, values, strict=True):
                        v.save(builder.fadd(old, value), row, offset)
                with otherwise:
                    olds = [v.load_some(row, offset, mask) for row in out_rows]
                    for row, old, value in zip(out_rows, olds, values, strict=True):
                        v.save_some(builder.fadd(old, value), row, offset, mask)

        def replace(offset=offset, values=values, mask=mask):
            with builder.if_else(whole) as (then, otherwise):
                with then:
                    for row, value in zip(out_rows, values, strict=True):
                        v.save(value, row, offset)
                with otherwise:
                    for row, value in zip(out_rows, values, strict=True):
                        v.save_some(value, row, offset, mask)

        if accumulate is True or accumulate is False:
            (add if accumulate else replace)()
        else:
            with builder.if_else(accumulate) as (then, otherwise):
                with then:
                    add()
                with otherwise:
                    replace()


wide_tile, single_tile, thin_tile = register_tile(2, BITS), register_tile(1, BITS), register_tile(1, BITS // 2)
wide_gathering, single_gathering, thin_gathering = (
    gathering_tile(2, BITS), gathering_tile(1, BITS), gathering_tile(1, BITS // 2)
)  # fmt: skip
