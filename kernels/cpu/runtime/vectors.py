"""LLVM vectors for compiled kernels: instructions for tiles, and runs of elements that are copied, added or cleared.

Loops over such runs in Numba are not vectorised: it cannot know that indices stay positive and that arrays do not
overlap. Here the caller guarantees both, and the last, incomplete vector of a run is masked.
"""

import os

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from minigan.errors import MiniganError

INDEX, LANE = ir.IntType(64), ir.IntType(32)


# bits of a vector, rows of a tile: registers for two vectors per row and for the operands
KINDS = {"avx512": (512, 8), "avx2": (256, 6), "neon": (128, 8), "128": (128, 6)}
CONTAINED = {"avx512": ("avx2", "128"), "avx2": ("128",), "neon": ("128",), "128": ()}
WITHOUT_WIDER = {"avx2": "haswell", "128": "nehalem"}  # x86 processors, as LLVM calls them


def vector_registers():
    """(bits of a vector, rows of a tile) that suit this processor, or as MINIGAN_VECTORS narrows them.

    When narrowed, all that Numba compiles in this process is for a processor without the wider vectors, unless the user
    has set the processor to compile for (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES).
    raises MiniganError if MINIGAN_VECTORS is not in KINDS, or the processor lacks these vectors
    """
    theirs = numba.config.CPU_NAME or numba.config.CPU_FEATURES is not None or not numba.config.ENABLE_AVX
    widest = vectors_of_target() if theirs else vectors_of_host()
    wanted = os.environ.get("MINIGAN_VECTORS") or widest
    if wanted not in KINDS:
        raise MiniganError(f"MINIGAN_VECTORS is {wanted!r}, but it is one of {', '.join(KINDS)}, or not set")
    if wanted != widest:
        if wanted not in CONTAINED[widest]:
            able = ", ".join((widest, *CONTAINED[widest]))
            raise MiniganError(f"MINIGAN_VECTORS is {wanted}, but this processor can do {able} only")
        if not theirs and widest != "neon":
            _compile_for(WITHOUT_WIDER[wanted])
    return KINDS[wanted]


def vectors_of_host():
    """The widest vectors that this processor has."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return "avx512"
    if features.get("avx2") and features.get("fma"):
        return "avx2"
    return "neon" if features.get("neon") or features.get("asimd") else "128"


def vectors_of_target():
    """The widest vectors of the processor in Numba's settings: those that LLVM uses for one long vector."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name = numba.config.CPU_NAME or llvm.get_host_cpu_name()
    features = numba.config.CPU_FEATURES
    features = get_host_cpu_features() if features is None else features  # Numba's own, which respects NUMBA_ENABLE_AVX
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=name, features=features)
    code = """
        declare <16 x float> @llvm.fmuladd.v16f32(<16 x float>, <16 x float>, <16 x float>)
        define <16 x float> @f(<16 x float> %a, <16 x float> %b) {
            %c = call <16 x float> @llvm.fmuladd.v16f32(<16 x float> %a, <16 x float> %b, <16 x float> %a)
            ret <16 x float> %c
        }"""
    assembly = machine.emit_assembly(llvm.parse_assembly(code))
    if "zmm" in assembly:
        return "avx512"
    if "ymm" in assembly and "vfmadd" in assembly:
        return "avx2"
    return "neon" if "fmla" in assembly else "128"


def _compile_for(processor):
    if "_toplevel_target_context" in vars(cpu_target):
        raise MiniganError(
            "MINIGAN_VECTORS narrows all that Numba compiles, but in this process Numba was at work before minigan's "
            "kernels were first used; call mg.get_threads() first, or set NUMBA_CPU_NAME and NUMBA_CPU_FEATURES"
        )
    numba.config.CPU_NAME, numba.config.CPU_FEATURES = processor, ""


BITS, ROWS = vector_registers()


class Vectors:
    """Writes instructions on vectors of `width` elements of an array's dtype."""

    def __init__(self, context, builder, dtype, bits):
        self.context, self.builder = context, builder
        self.width, self.bytes = bits // dtype.bitwidth, dtype.bitwidth // 8
        self.vector = ir.VectorType(context.get_data_type(dtype), self.width)
        self.zeros = ir.Constant(self.vector, [0.0] * self.width)
        self.flags = ir.VectorType(ir.IntType(1), self.width)

    def pointer(self, kind, array, at):
        """The address of element `at` of a flat array."""
        return self.builder.gep(self.context.make_array(kind)(self.context, self.builder, array).data, [at])

    def prefetch(self, pointer, for_writing=False):
        """Prefetch a cache line: into the L2 cache for reading, into the L1 cache for writing."""
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, LANE, LANE, LANE])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        line = self.builder.bitcast(pointer, byte)
        self.builder.call(function, [line, LANE(int(for_writing)), LANE(3 if for_writing else 2), LANE(1)])

    def load(self, pointer, offset):
        return self.builder.load(self._address(pointer, offset), align=self.bytes)

    def save(self, value, pointer, offset, streamed=False):
        """Write a vector. streamed: past the caches, to a multiple of the vector's size; others see it after this
        thread's next atomic instruction."""
        store = self.builder.store(value, self._address(pointer, offset), align=self.bytes)
        if streamed:
            store.align = self.width * self.bytes
            store.set_metadata("nontemporal", self.builder.module.add_metadata([LANE(1)]))

    def load_some(self, pointer, offset, mask):
        """The masked lanes; zeros in the others, which are not read."""
        kind = ir.FunctionType(self.vector, [self.vector.as_pointer(), LANE, self.flags, self.vector])
        arguments = [self._address(pointer, offset), LANE(self.bytes), mask, self.zeros]
        return self.builder.call(self._intrinsic("masked.load", kind, ".p0"), arguments)

    def save_some(self, value, pointer, offset, mask):
        """Write the masked lanes."""
        kind = ir.FunctionType(ir.VoidType(), [self.vector, self.vector.as_pointer(), LANE, self.flags])
        arguments = [value, self._address(pointer, offset), LANE(self.bytes), mask]
        self.builder.call(self._intrinsic("masked.store", kind, ".p0"), arguments)

    def mask(self, count):
        """True in the first `count` lanes: in none if count is negative, in all if it exceeds their number."""
        lanes = ir.VectorType(LANE, self.width)
        numbers = ir.Constant(lanes, list(range(self.width)))
        return self.builder.icmp_signed("<", numbers, self.spread(self.builder.trunc(count, LANE), lanes))

    def multiply_add(self, a, b, c):
        """a * b + c, rounded once where the processor can."""
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return self.builder.call(self._intrinsic("fmuladd", kind), [a, b, c])  # llvm.fma would be a call without FMA

    def spread(self, scalar, vector=None):
        """The scalar in every lane."""
        vector = vector or self.vector
        undefined = ir.Constant(vector, ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, LANE(0))
        first_lane = ir.Constant(ir.VectorType(LANE, self.width), [0] * self.width)
        return self.builder.shuffle_vector(one, undefined, first_lane)

    def leaky_relu(self, slope):
        """A function that emits leaky_relu(value) for a slope; 0 * -inf would be NaN, but a NaN itself must pass."""
        builder, slopes = self.builder, self.spread(slope)
        flat = self.spread(builder.fcmp_ordered("==", slope, slope.type(0.0)), self.flags)

        def bend(value):
            known = builder.fcmp_ordered("ord", value, value)
            below = builder.select(builder.and_(flat, known), self.zeros, builder.fmul(slopes, value))
            return builder.select(builder.fcmp_ordered(">", value, self.zeros), value, below)

        return bend

    def transpose(self, rows):
        """The columns of a square of `width` vectors: at each distance, halves of the rows are swapped."""
        numbers = ir.VectorType(LANE, self.width)
        rows, distance, lanes = list(rows), 1, range(self.width)
        while distance < self.width:
            low = [lane if not lane & distance else self.width + lane - distance for lane in lanes]
            high = [lane + distance if not lane & distance else self.width + lane for lane in lanes]
            for i in lanes:
                if not i & distance:
                    a, b = rows[i], rows[i + distance]
                    rows[i] = self.builder.shuffle_vector(a, b, ir.Constant(numbers, low))
                    rows[i + distance] = self.builder.shuffle_vector(a, b, ir.Constant(numbers, high))
            distance *= 2
        return rows

    def _address(self, pointer, offset):
        return self.builder.bitcast(self.builder.gep(pointer, [offset]), self.vector.as_pointer())

    def _intrinsic(self, name, kind, suffix=""):
        name = f"llvm.{name}.v{self.width}f{8 * self.bytes}{suffix}"
        return cgutils.get_or_insert_function(self.builder.module, kind, name)


def for_each_vector(vectors, count, whole, some):
    """Emit whole(offset) for each full vector of a run, then some(offset, mask) for the rest, if there is any."""
    builder = vectors.builder
    full = builder.and_(count, INDEX(-vectors.width))
    with cgutils.for_range_slice(builder, INDEX(0), full, INDEX(vectors.width), INDEX) as (offset, _):
        whole(offset)
    with builder.if_then(builder.icmp_signed("<", full, count)):
        some(full, vectors.mask(builder.sub(count, full)))


@intrinsic
def copy_run(typing, source, at, to, to_at, count):
    """to[to_at : to_at + count] = source[at : at + count], for flat arrays that do not overlap."""

    def emit(context, builder, signature, arguments):
        v = Vectors(context, builder, source.dtype, BITS)
        here, there = v.pointer(source, *arguments[:2]), v.pointer(to, *arguments[2:4])
        for_each_vector(
            v,
            arguments[4],
            lambda offset: v.save(v.load(here, offset), there, offset),
            lambda offset, mask: v.save_some(v.load_some(here, offset, mask), there, offset, mask),
        )
        return context.get_dummy_value()

    return types.void(source, types.intp, to, types.intp, types.intp), emit


@intrinsic
def add_run(typing, source, at, to, to_at, count):
    """to[to_at : to_at + count] += source[at : at + count], for flat arrays that do not overlap."""

    def emit(context, builder, signature, arguments):
        v = Vectors(context, builder, source.dtype, BITS)
        here, there = v.pointer(source, *arguments[:2]), v.pointer(to, *arguments[2:4])

        def whole(offset):
            v.save(builder.fadd(v.load(there, offset), v.load(here, offset)), there, offset)

        def some(offset, mask):
            total = builder.fadd(v.load_some(there, offset, mask), v.load_some(here, offset, mask))
            v.save_some(total, there, offset, mask)

        for_each_vector(v, arguments[4], whole, some)
        return context.get_dummy_value()

    return types.void(source, types.intp, to, types.intp, types.intp), emit


@intrinsic
def clear_run(typing, to, to_at, count):
    """to[to_at : to_at + count] = 0, for a flat array."""

    def emit(context, builder, signature, arguments):
        v = Vectors(context, builder, to.dtype, BITS)
        there = v.pointer(to, *arguments[:2])
        for_each_vector(
            v,
            arguments[2],
            lambda offset: v.save(v.zeros, there, offset),
            lambda offset, mask: v.save_some(v.zeros, there, offset, mask),
        )
        return context.get_dummy_value()

    return types.void(to, types.intp, types.intp), emit


@intrinsic
def transpose_square(typing, source, at, stride, to, to_at, to_stride):
    """Write the transpose of a square of vectors; `stride` and `to_stride` are between rows of source and to."""

    def emit(context, builder, signature, arguments):
        v = Vectors(context, builder, source.dtype, BITS)
        here, there = v.pointer(source, *arguments[:2]), v.pointer(to, *arguments[3:5])
        rows = [v.load(here, builder.mul(arguments[2], INDEX(i))) for i in range(v.width)]
        for i, row in enumerate(v.transpose(rows)):
            v.save(row, there, builder.mul(arguments[5], INDEX(i)))
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, to, types.intp, types.intp), emit
