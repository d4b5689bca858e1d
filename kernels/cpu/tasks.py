"""Kernels whose work is cut into tasks: compiled functions that any thread can call for a task's number.

What a thread is given is a board, the task's number and its own slot (`crew`), all in words. `entry` is the code
between them and a kernel: it makes arrays, numbers and records of the words, and calls the kernel with them. It is
written in LLVM, within 10 ms and once for each combination of types.
"""

import hashlib
import struct
from ctypes import addressof

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array
from numpy import ndarray

from minigan.kernels.cpu.arrays import LINE_BYTES, buffer_of, round_up
from minigan.kernels.cpu.compile import kernel, machine_code, new_module
from minigan.kernels.cpu.crew import ARGUMENTS, MOST_ARGUMENTS
from minigan.kernels.cpu.outline import Outlined
from minigan.kernels.cpu.vectors import INDEX

DOUBLE, WORD = struct.Struct("d"), struct.Struct("q")


class Own:
    """An argument that is another array in each slot: scratch memory of at least `size` elements, in whole cache
    lines."""

    def __init__(self, name: str, size: int, dtype):
        self.name, self.dtype = name, np.dtype(dtype)
        self.size, self.kind = round_up(size, LINE_BYTES // self.dtype.itemsize), "own " + self.dtype.char
        self.bytes = self.size * self.dtype.itemsize


class Tasks(Outlined):
    """A kernel that does one of its tasks: function(number, *arguments), for flat arrays, integers, tuples of them
    with names, floats and `Own` arrays. Kernels call it, and `share`."""

    def __init__(self, function):
        super().__init__(kernel(function))
        self._entries = {}

    def prepare(self, arguments, slots, scratch_address):
        """(address of the code for these arguments, the words that it finds them in).

        arguments: contiguous arrays are taken as flat, whatever their shape
        scratch_address: the function that says where memory for all slots' own arrays is
        """
        words, kinds = [], []
        for argument in arguments:
            kind = type(argument)
            if kind is ndarray:
                size = argument.size
                words.append(addressof(buffer_of(argument)) if size else 0)
                words.append(size)
                kind = argument.dtype.char
            elif kind is int or kind is bool:
                words.append(argument)
                kind = int
            elif kind is Own:
                words += (scratch_address(argument.name, max(slots * argument.bytes, 1)), argument.size)
                kind = argument.kind
            elif issubclass(kind, tuple):
                words += argument
            else:
                words.append(WORD.unpack(DOUBLE.pack(argument))[0])
            kinds.append(kind)
        kinds = tuple(kinds)
        address = self._entries.get(kinds)
        if address is None:
            if len(words) > MOST_ARGUMENTS:
                raise ValueError(f"{self.__name__} has {len(words)} words of arguments; a board holds {MOST_ARGUMENTS}")
            address = self._entries[kinds] = self._entry(kinds)
        return address, words

    def _entry(self, kinds):
        callee, compiled = self.provide((types.intp, *map(type_of, kinds)))
        symbol = f"tasks_{hashlib.sha256(f'{callee} {kinds}'.encode()).hexdigest()[:16]}"
        return machine_code(symbol, lambda: entry(symbol, callee, compiled.fndesc, kinds))


def type_of(kind):
    """What Numba takes an argument of some kind for: a type, or the character of an array's dtype."""
    if isinstance(kind, str):
        return types.Array(from_dtype(np.dtype(kind[-1])), 1, "C")
    if kind is int:
        return types.intp
    if issubclass(kind, tuple):
        return types.NamedUniTuple(types.int64, len(kind._fields), kind)
    return from_dtype(np.dtype(kind))


def entry(symbol, callee, descriptor, kinds):
    """The LLVM module of a function (board's address, number, slot) that calls a kernel by its symbol."""
    context = cpu_target.target_context
    module = new_module(symbol)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INDEX] * 3), symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    board, number, slot = function.args
    words = builder.gep(builder.inttoptr(board, INDEX.as_pointer()), [INDEX(ARGUMENTS)])
    read = 0

    def word():
        nonlocal read
        read += 1
        return builder.load(builder.gep(words, [INDEX(read - 1)]))

    values = [number]
    for kind in kinds:
        of_numba = type_of(kind)
        if isinstance(of_numba, types.Array):
            address, size = word(), word()
            item = INDEX(context.get_abi_sizeof(context.get_data_type(of_numba.dtype)))
            if kind.startswith("own"):  # the slot's own part
                address = builder.add(address, builder.mul(slot, builder.mul(size, item)))
            values.append(flat_array(context, builder, of_numba, address, size, item))
        elif isinstance(of_numba, types.BaseTuple):
            values.append(context.make_tuple(builder, of_numba, [word() for _ in range(len(of_numba))]))
        elif isinstance(of_numba, types.Float):
            value = builder.bitcast(word(), ir.DoubleType())
            values.append(context.cast(builder, value, types.float64, of_numba))
        else:
            values.append(word())
    convention = context.call_conv
    kind = convention.get_function_type(descriptor.restype, descriptor.argtypes)
    code = cgutils.get_or_insert_function(module, kind, callee)
    convention.call_function(builder, code, descriptor.restype, descriptor.argtypes, values)
    builder.ret_void()
    return module


def flat_array(context, builder, kind, address, size, item):
    array = context.make_array(kind)(context, builder)
    data = builder.inttoptr(address, array.data.type)
    populate_array(array, data=data, shape=[size], strides=[item], itemsize=item, meminfo=None)
    return array._getvalue()


@intrinsic
def array_at(typing, like, address, size):
    """The flat array of `size` elements, of the dtype of `like`, that begins at an address."""
    kind = types.Array(like.dtype, 1, "C")

    def emit(context, builder, signature, arguments):
        item = INDEX(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        return flat_array(context, builder, kind, *arguments[1:], item)

    return kind(like, types.intp, types.intp), emit
