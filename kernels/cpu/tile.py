"""The inner tile of every matrix product here, and what surrounds it.

A tile keeps ROWS rows of one or two vectors of sums in registers and walks down the shared dimension of its two
operands. The left rows are read where they lie, with any strides; the right one is a panel that `pack` laid out.
It reaches the processor's peak, compiles in a tenth of a second and starts no thread.
"""

from numba import types
from numba.extending import intrinsic

from minigan.kernels.cpu.compile import kernel, outlined
from minigan.kernels.cpu.vectors import BITS, INDEX, ROWS, Vectors, clear_run, copy_run, transpose_square


def register_tile(vectors, bits):
    """Make a tile of ROWS rows and `vectors` vectors; its lanes follow from the arrays' dtype."""

    @intrinsic
    def tile(typing, left, left_at, row_stride, depth_stride, panel, panel_at, out, out_at, out_stride,
             depth, rows, columns, accumulate):  # fmt: skip
        """out[:rows, :columns] (+)= left @ panel; places and strides in elements of flat arrays, depth >= 1.

        The panel's rows are as wide as the tile and lie one after the other; 1 to ROWS rows of out, and as many of
        their columns as there are, are written.
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
                # rows that lie side by side share lines, and only the last of the next tile is surely on a new one
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
    """Make a tile whose left rows begin wherever a table says, and are in pieces: a convolution reads its image so."""

    @intrinsic
    def tile(typing, left, left_at, table, table_at, depth_stride, pieces, piece_stride, length, panel, panel_at,
             panel_stride, out, out_at, out_stride, rows, columns, accumulate, bias, bias_at, slope):  # fmt: skip
        """Like the tile of `register_tile`, with depth pieces * length; what does not accumulate is finished,
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
    """The numbers of ROWS rows. Those past the last are the last one again, which then is computed and written
    several times, with equal values: no branches and no stray access."""
    last = builder.sub(rows, INDEX(1))
    return [builder.select(builder.icmp_signed("<", INDEX(i), last), INDEX(i), last) for i in range(ROWS)]


def clamped_rows(builder, first, stride, rows):
    """The addresses of ROWS rows, those past the last clamped to it."""
    return [builder.gep(first, [builder.mul(stride, number)]) for number in clamped(builder, rows)]


def walk(v, vectors, left_rows, depth_stride, panel, panel_stride, depth, ahead=None):
    """The loop over depth: ROWS lists of `vectors` vectors of sums.

    depth: (pieces, from one piece of the left rows to the next, elements of a piece)
    ahead: a function of the step, the address in the rows of the next tile that is to be fetched then, so that they
        lie in the L2 cache when they are needed
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
    """Write the sums or add them to what is there: whole vectors, or masked ones at the right edge.

    accumulate: a flag of the code that is written, or True or False if that is known already

    All loads of a vector's column come before its stores: a row that is there several times is not added twice.
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
PEAK = 1e11  # floating point operations a second of one thread, about
SINGLE_BYTES, WIDE_BYTES = BITS // 8, BITS // 4  # a panel's row, in bytes: half a vector, one, or two


@kernel
def panel_width(columns, item):
    """Columns of the narrowest panel that holds `columns`, for items of `item` bytes; at most the wide tile's."""
    if columns * item > SINGLE_BYTES:
        return WIDE_BYTES // item
    if columns * item * 2 > SINGLE_BYTES:
        return SINGLE_BYTES // item
    return SINGLE_BYTES // item // 2


@kernel
def packed_size(depth, columns, item):
    """Elements of `columns` columns laid out as panels."""
    wide = WIDE_BYTES // item
    rest = columns % wide
    return depth * (columns - rest + (panel_width(rest, item) if rest else 0))


@outlined
def pack(source, at, row_stride, column_stride, depth, first, last, panels):
    """Lay columns first to last (first a multiple of the wide tile's width) of a matrix of `depth` rows out as panels.

    A panel is (depth, width) in one piece, padded with zeros; panel j starts at depth * j * wide. All panels are
    wide but the last, which is as narrow as its columns allow.
    """
    wide = WIDE_BYTES // panels.itemsize
    for start in range(first, last, wide):
        width = panel_width(last - start, panels.itemsize)
        here = panels[depth * start : depth * (start + width)]
        columns = min(width, last - start)
        origin = at + start * column_stride
        if column_stride == 1:
            for k in range(depth):
                copy_run(source, origin + k * row_stride, here, k * width, columns)
                if columns < width:
                    clear_run(here, k * width + columns, width - columns)
        else:
            pack_columns(source, origin, row_stride, column_stride, depth, columns, here, width)


@kernel
def pack_columns(source, origin, row_stride, column_stride, depth, columns, panel, width):
    """Fill one panel from columns that do not lie side by side: by squares where each column is in one piece."""
    side = SINGLE_BYTES // panel.itemsize
    whole_rows = depth // side * side if row_stride == 1 else 0
    whole_columns = columns // side * side
    for j in range(0, whole_columns, side):
        for k in range(0, whole_rows, side):
            transpose_square(source, origin + k + j * column_stride, column_stride, panel, k * width + j, width)
    for j in range(columns):
        column = origin + j * column_stride
        for k in range(whole_rows if j < whole_columns else 0, depth):
            panel[k * width + j] = source[column + k * row_stride]
    for j in range(columns, width):
        for k in range(depth):
            panel[k * width + j] = 0


@outlined
def multiply(left, left_at, row_stride, depth_stride, panels, panel_depth, from_depth, out, out_at, out_stride,
             rows, columns, depth, accumulate):  # fmt: skip
    """out[:rows, :columns] (+)= left @ right, right's rows from_depth to from_depth + depth of packed panels.

    left, out: flat arrays; element (i, k) of left is at left_at + i * row_stride + k * depth_stride, element (i, j)
    of out at out_at + i * out_stride + j. panel_depth: the depth the panels were packed with.
    """
    wide = WIDE_BYTES // panels.itemsize
    for i in range(0, rows, ROWS):  # rows of left stay in the L1 cache, all panels in the L2 cache
        here = left_at + i * row_stride
        for start in range(0, columns, wide):
            width, to = panel_width(columns - start, panels.itemsize), out_at + i * out_stride + start
            panel_at = panel_depth * start + from_depth * width
            if width == wide:
                wide_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                          depth, rows - i, columns - start, accumulate)  # fmt: skip
            elif width * 2 == wide:
                single_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                            depth, rows - i, columns - start, accumulate)  # fmt: skip
            else:
                thin_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                          depth, rows - i, columns - start, accumulate)  # fmt: skip


@outlined
def multiply_gathered(left, left_at, table, first_row, rows, depth_stride, pieces, piece_stride, length,
                      right, right_at, right_stride, out, out_at, out_stride, columns, accumulate, bias,
                      slope):  # fmt: skip
    """The same for left rows that begin at left_at + table[first_row + i] and have `pieces` pieces of `length`.

    right_stride: between rows of the right operand, which is read where it lies, whole panels wide; 0 for packed panels
    bias, slope: of what does not accumulate, out = leaky_relu(left @ right + bias, slope); bias is whole panels wide
    """
    wide = WIDE_BYTES // right.itemsize
    for i in range(0, rows, ROWS):
        for start in range(0, columns, wide):
            width = panel_width(columns - start, right.itemsize)
            stride = right_stride if right_stride else width
            panel_at = right_at + (start if right_stride else pieces * length * start)
            to, down, across = out_at + i * out_stride + start, rows - i, columns - start
            if width == wide:
                wide_gathering(left, left_at, table, first_row + i, depth_stride, pieces, piece_stride, length,
                               right, panel_at, stride, out, to, out_stride, down, across, accumulate,
                               bias, start, slope)  # fmt: skip
            elif width * 2 == wide:
                single_gathering(left, left_at, table, first_row + i, depth_stride, pieces, piece_stride, length,
                                 right, panel_at, stride, out, to, out_stride, down, across, accumulate,
                                 bias, start, slope)  # fmt: skip
            else:
                thin_gathering(left, left_at, table, first_row + i, depth_stride, pieces, piece_stride, length,
                               right, panel_at, stride, out, to, out_stride, down, across, accumulate,
                               bias, start, slope)  # fmt: skip
