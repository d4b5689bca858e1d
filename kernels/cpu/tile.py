"""The inner tile of every matrix product here, written as LLVM vectors.

A tile keeps `rows` x `vectors` vectors of sums in registers and walks down the shared dimension of its two operands.
The left rows are read where they lie, with any strides; the right one is a panel that `pack` laid out. It reaches
the processor's peak, compiles in a tenth of a second and starts no thread.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minigan.kernels.cpu.compile import kernel

INDEX, LANE = ir.IntType(64), ir.IntType(32)


def vector_registers():
    """(bits of a vector, rows of a tile) that suit this processor: two vectors a row, and room for the operands."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 512, 8
    if features.get("avx2") and features.get("fma"):
        return 256, 6
    if features.get("neon") or features.get("asimd"):
        return 128, 8
    return 128, 6


BITS, ROWS = vector_registers()


def register_tile(vectors, bits):
    """Make a tile of ROWS rows and `vectors` vectors; its lanes follow from the arrays' dtype."""

    @intrinsic
    def tile(typing, left, left_at, row_stride, depth_stride, panel, panel_at, out, out_at, out_stride,
             depth, rows, columns, accumulate):  # fmt: skip
        """out[:rows, :columns] (+)= left @ panel; places and strides in elements of flat arrays, depth >= 1.

        The panel's rows are as wide as the tile and lie one after the other; 1 to ROWS rows of out, and as many of
        their columns as there are, are written.

        Rows past the last are the last one again, reading and writing the same: no branches, no stray access.
        """
        width = bits // left.dtype.bitwidth

        def emit(context, builder, signature, arguments):
            return _Emitter(context, builder, signature, arguments, vectors, width).emit()

        i, flag = types.intp, types.boolean
        return types.void(left, i, i, i, panel, i, out, i, i, i, i, i, flag), emit

    return tile


class _Emitter:
    """Writes one tile's instructions. Each step is a basic block: set up, walk, store whole or by masks."""

    def __init__(self, context, builder, signature, arguments, vectors, width):
        self.context, self.builder, self.vectors, self.width = context, builder, vectors, width
        (_, _, self.row_stride, self.depth_stride, _, _, _, _, self.out_stride,
         self.depth, self.rows, self.columns, self.accumulate) = arguments  # fmt: skip

        def pointer(place):
            array = context.make_array(signature.args[place])(context, builder, arguments[place])
            return builder.gep(array.data, [arguments[place + 1]])

        self.left, self.panel, self.out = pointer(0), pointer(4), pointer(6)
        dtype = signature.args[0].dtype
        self.bytes = dtype.bitwidth // 8
        self.vector = ir.VectorType(context.get_data_type(dtype), width)

    def emit(self):
        left_rows, out_rows = self._clamped_rows()
        sums = self._walk(left_rows)
        builder = self.builder
        whole = builder.icmp_signed(">=", self.columns, INDEX(self.vectors * self.width))
        with builder.if_else(whole) as (then, otherwise):
            with then, builder.if_else(self.accumulate) as (add, replace):
                with add:
                    self._store(out_rows, sums, self._load, self._save)
                with replace:
                    self._store(out_rows, sums, None, self._save)
            with otherwise:
                self._store(out_rows, sums, self._load_some, self._save_some)
        return self.context.get_dummy_value()

    def _clamped_rows(self):
        builder = self.builder
        last = builder.sub(self.rows, INDEX(1))
        left_rows, out_rows = [], []
        for i in range(ROWS):
            row = builder.select(builder.icmp_signed("<", INDEX(i), last), INDEX(i), last)
            left_rows.append(builder.gep(self.left, [builder.mul(self.row_stride, row)]))
            out_rows.append(builder.gep(self.out, [builder.mul(self.out_stride, row)]))
        return left_rows, out_rows

    def _walk(self, left_rows):
        """The loop over depth; returns ROWS lists of vectors of sums."""
        builder, vector = self.builder, self.vector
        multiply_add = self._intrinsic("fma", ir.FunctionType(vector, [vector] * 3))
        before = builder.block
        walk, after = (builder.function.append_basic_block(name) for name in ("walk", "store"))
        builder.branch(walk)
        builder.position_at_end(walk)

        def carried(kind, start):
            phi = builder.phi(kind)
            phi.add_incoming(start, before)
            return phi

        zeros = ir.Constant(vector, [0.0] * self.width)
        k, left_at, panel_at = (carried(INDEX, INDEX(0)) for _ in range(3))
        sums = [[carried(vector, zeros) for _ in range(self.vectors)] for _ in range(ROWS)]
        right = [self._load(self.panel, builder.add(panel_at, INDEX(j * self.width))) for j in range(self.vectors)]
        next_sums = []
        for row, totals in zip(left_rows, sums, strict=True):
            factor = self._spread(builder.load(builder.gep(row, [left_at])), vector)
            next_sums.append([builder.call(multiply_add, [factor, r, t]) for r, t in zip(right, totals, strict=True)])
        steps = [(k, INDEX(1)), (left_at, self.depth_stride), (panel_at, INDEX(self.vectors * self.width))]
        for phi, step in steps:
            phi.add_incoming(builder.add(phi, step), walk)
        for phis, values in zip(sums, next_sums, strict=True):
            for phi, value in zip(phis, values, strict=True):
                phi.add_incoming(value, walk)
        builder.cbranch(builder.icmp_signed("<", k.incomings[1][0], self.depth), walk, after)
        builder.position_at_end(after)
        return next_sums

    def _store(self, out_rows, sums, load, save):
        """All loads of a vector's column come before its stores: a repeated row must not be added twice."""
        for j in range(self.vectors):
            offset = INDEX(j * self.width)
            values = [row[j] for row in sums]
            if load:
                values = [self.builder.fadd(load(row, offset), v) for row, v in zip(out_rows, values, strict=True)]
            for row, value in zip(out_rows, values, strict=True):
                save(value, row, offset)

    def _address(self, pointer, offset):
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), self.vector.as_pointer())

    def _load(self, pointer, offset):
        return self.builder.load(self._address(pointer, offset), align=self.bytes)

    def _save(self, value, pointer, offset):
        self.builder.store(value, self._address(pointer, offset), align=self.bytes)

    def _load_some(self, pointer, offset):
        """The columns that exist, where they are to be added to; else zeros."""
        builder, flags = self.builder, ir.VectorType(ir.IntType(1), self.width)
        zeros = ir.Constant(self.vector, [0.0] * self.width)
        columns = builder.select(self.accumulate, self.columns, INDEX(0))
        kind = ir.FunctionType(self.vector, [self.vector.as_pointer(), LANE, flags, self.vector])
        function = self._intrinsic("masked.load", kind, ".p0")
        place, mask = self._address(pointer, offset), self._mask(columns, offset)
        return builder.call(function, [place, LANE(self.bytes), mask, zeros])

    def _save_some(self, value, pointer, offset):
        flags = ir.VectorType(ir.IntType(1), self.width)
        kind = ir.FunctionType(ir.VoidType(), [self.vector, self.vector.as_pointer(), LANE, flags])
        function = self._intrinsic("masked.store", kind, ".p0")
        mask = self._mask(self.columns, offset)
        self.builder.call(function, [value, self._address(pointer, offset), LANE(self.bytes), mask])

    def _mask(self, columns, offset):
        """True in the lanes before `columns`, of the vector that starts at column `offset`."""
        left = self.builder.trunc(self.builder.sub(columns, offset), LANE)
        lanes = ir.VectorType(LANE, self.width)
        return self.builder.icmp_signed("<", ir.Constant(lanes, list(range(self.width))), self._spread(left, lanes))

    def _spread(self, scalar, vector):
        undefined = ir.Constant(vector, ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, LANE(0))
        first_lane = ir.Constant(ir.VectorType(LANE, self.width), [0] * self.width)
        return self.builder.shuffle_vector(one, undefined, first_lane)

    def _intrinsic(self, name, kind, suffix=""):
        return cgutils.get_or_insert_function(
            self.builder.module, kind, f"llvm.{name}.v{self.width}f{8 * self.bytes}{suffix}"
        )


wide_tile, single_tile, thin_tile = register_tile(2, BITS), register_tile(1, BITS), register_tile(1, BITS // 2)
PEAK = 1e11  # floating point operations a second of one thread, about
SINGLE_BYTES, WIDE_BYTES = BITS // 8, BITS // 4  # a panel's row, in bytes: half a vector, one, or two


@kernel
def panel_width(columns, item):
    """Columns of the narrowest panel that holds so many, for items of so many bytes; at most the wide tile's."""
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


@kernel
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
                row = origin + k * row_stride
                for j in range(columns):
                    here[k * width + j] = source[row + j]
        else:
            for j in range(columns):
                column = origin + j * column_stride
                for k in range(depth):
                    here[k * width + j] = source[column + k * row_stride]
        for j in range(columns, width):
            for k in range(depth):
                here[k * width + j] = 0


@kernel
def multiply(left, left_at, row_stride, depth_stride, panels, panel_depth, from_depth, out, out_at, out_stride,
             rows, columns, depth, accumulate):  # fmt: skip
    """out[:rows, :columns] (+)= left @ right, right's rows from_depth to from_depth + depth of packed panels.

    left, out: flat arrays; element (i, k) of left is at left_at + i * row_stride + k * depth_stride, element (i, j)
    of out at out_at + i * out_stride + j. panel_depth: the depth the panels were packed with.
    """
    wide = WIDE_BYTES // panels.itemsize
    for start in range(0, columns, wide):
        width = panel_width(columns - start, panels.itemsize)
        panel_at = panel_depth * start + from_depth * width
        for i in range(0, rows, ROWS):
            here, to = left_at + i * row_stride, out_at + i * out_stride + start
            if width == wide:
                wide_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                          depth, rows - i, columns - start, accumulate)  # fmt: skip
            elif width * 2 == wide:
                single_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                            depth, rows - i, columns - start, accumulate)  # fmt: skip
            else:
                thin_tile(left, here, row_stride, depth_stride, panels, panel_at, out, to, out_stride,
                          depth, rows - i, columns - start, accumulate)  # fmt: skip
