"""The board: work is shared between threads within a microsecond.

Waking a thread takes 50 us, and getting the GIL takes as long again when several threads want it. So a helper without
work keeps watching for a job for a while, in compiled code and without the GIL. The job is compiled too: the address of
a function that does one of its tasks, called with (the address of the caller's board, the task's number, the thread's
slot).

The board consists of words on cache lines of their own, which all threads see. A caller takes its turn, writes a job,
opens it, takes tasks like every other thread, closes it, and waits until no helper is inside. A helper steps inside
before it looks whether the job is still open. Both orders are sequentially consistent: either the caller sees the
helper inside, or the helper sees the job closed. So nobody reads a job while the next one is written, and a helper that
comes late, or never, costs nothing. The job's arguments lie on a board of the caller's own; `entry_module` writes the
code that reads them and calls the kernel.

A turn, from taking it to giving it back, is one call of compiled code. Python raises KeyboardInterrupt between any two
of its own instructions, but cannot interrupt that call: no turn is ever lost, and no helper still works on a job whose
caller has left, when its arrays may be gone.
"""

import os
import platform
import time

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from minigan.kernels.cpu.runtime.compile import called_from_python, kernel, new_module
from minigan.kernels.cpu.runtime.vectors import INDEX

LINE_BYTES = 64  # bytes per cache line
LINE = LINE_BYTES // 8  # words per cache line
OPEN, INSIDE = 0, LINE  # the job's number while it is open, else 0; the number of helpers inside
# number of jobs so far; the words written before a job opens; 1 while a caller has its turn
COUNT, FUNCTION, CALLER, TASKS, THREADS, TURN = range(2 * LINE, 2 * LINE + 6)
ARGUMENTS, MOST_ARGUMENTS, MOST_THREADS = 3 * LINE, 12 * LINE, 64
NEXT = ARGUMENTS + MOST_ARGUMENTS  # the next task of each thread's share
WORDS = NEXT + MOST_THREADS * LINE
NOT_OURS = -1.0
LOOKS_BEFORE_YIELDING = 2000  # about 50 us: a helper that is still inside has lost its core, perhaps to the caller


def new_board() -> np.ndarray:
    return np.zeros(WORDS, np.int64)


@called_from_python
def share(board, own, function, tasks, threads):
    """Do all tasks of a job with the helpers at a board.

    own: a board of the caller's own, which holds the arguments
    returns: seconds of waiting for helpers that had lost their core; NOT_OURS if another caller has its turn, and
        nothing was done
    """
    if compare_and_swap(board, TURN, 0, 1) != 0:
        return NOT_OURS
    do_tasks(board, own, function, tasks, threads)
    late = wait_for_helpers(board)
    write(board, TURN, 0)
    return late


@called_from_python
def alone(board, function, tasks):
    """Do all tasks of a job whose arguments are on the caller's own board, on this thread."""
    do_tasks(board, board, function, tasks, 1)


@kernel
def do_tasks(board, own, function, tasks, threads):
    board[COUNT] += 1
    board[FUNCTION], board[CALLER], board[TASKS], board[THREADS] = function, own.ctypes.data, tasks, threads
    for slot in range(threads):
        write(board, NEXT + slot * LINE, first_task(slot, tasks, threads))
    write(board, OPEN, board[COUNT])
    take_tasks(board, 0)
    write(board, OPEN, 0)


@kernel
def wait_for_helpers(board):
    """Wait until the helpers have finished their last tasks. Returns the seconds beyond a usual, short time."""
    for _ in range(LOOKS_BEFORE_YIELDING):
        if read(board, INSIDE) == 0:
            return 0.0
        pause()
    start = now()
    while read(board, INSIDE) != 0:
        give_way()  # the helper may need this core
    return now() - start


@called_from_python
def watch(board, slot, looks):
    """Take part in jobs until the board has shown no new one for `looks` looks."""
    last = left = 0
    while left < looks:
        job = read(board, OPEN)
        if job == 0 or job == last:
            left += 1
            pause()
            continue
        fetch_and_add(board, INSIDE, 1)
        if read(board, OPEN) == job and slot < board[THREADS]:
            take_tasks(board, slot)
        fetch_and_add(board, INSIDE, -1)
        last, left = job, 0


@kernel
def first_task(slot, tasks, threads):
    return slot * tasks // threads


@kernel
def take_tasks(board, slot):
    """Do a thread's own share of the tasks, in order, and then those that remain of the other threads' shares.

    From job to job, task i is the same part of the batch. So each thread mostly reads what it has written itself, from
    its own caches.
    """
    threads = board[THREADS]
    for turn in range(threads):
        whose = (slot + turn) % threads
        end = first_task(whose + 1, board[TASKS], threads)
        task = fetch_and_add(board, NEXT + whose * LINE, 1)
        while task < end:
            call(board[FUNCTION], board[CALLER], task, slot)
            task = fetch_and_add(board, NEXT + whose * LINE, 1)


# ------------------------------------------------------------------------------------------ instructions


def _word(context, builder, board, at):
    return builder.gep(context.make_array(types.int64[::1])(context, builder, board).data, [at])


@intrinsic
def read(typing, board, at):
    """A word of the board, read atomically."""

    def emit(context, builder, signature, arguments):
        return builder.load_atomic(_word(context, builder, *arguments), "seq_cst", 8)

    return types.int64(types.int64[::1], types.intp), emit


@intrinsic
def write(typing, board, at, value):
    """Write a word of the board, atomically."""

    def emit(context, builder, signature, arguments):
        builder.store_atomic(arguments[2], _word(context, builder, *arguments[:2]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.int64[::1], types.intp, types.int64), emit


@intrinsic
def fetch_and_add(typing, board, at, value):
    """Add to a word of the board, atomically. Returns what it was before."""

    def emit(context, builder, signature, arguments):
        return builder.atomic_rmw("add", _word(context, builder, *arguments[:2]), arguments[2], "seq_cst")

    return types.int64(types.int64[::1], types.intp, types.int64), emit


@intrinsic
def compare_and_swap(typing, board, at, expected, value):
    """Replace a word of the board if it is the expected one, atomically. Returns what it was before."""

    def emit(context, builder, signature, arguments):
        word = _word(context, builder, *arguments[:2])
        return builder.extract_value(builder.cmpxchg(word, *arguments[2:], "seq_cst", "seq_cst"), 0)

    return types.int64(types.int64[::1], types.intp, types.int64, types.int64), emit


@intrinsic
def give_way(typing):
    """Yield this core to another thread, on systems with sched_yield."""

    def emit(context, builder, signature, arguments):
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def now(typing):
    """Seconds on a monotonic clock; always 0 on systems without clock_gettime."""

    def emit(context, builder, signature, arguments):
        word, clock = ir.IntType(64), getattr(time, "CLOCK_MONOTONIC", None)
        if clock is None:
            return ir.DoubleType()(0.0)
        reading = cgutils.alloca_once(builder, word, 2)  # seconds, nanoseconds
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32), word.as_pointer()])
        call = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
        builder.call(call, [ir.IntType(32)(clock), reading])
        parts = (builder.load(builder.gep(reading, [word(at)])) for at in (0, 1))
        seconds, nanoseconds = (builder.sitofp(part, ir.DoubleType()) for part in parts)
        return builder.fadd(seconds, builder.fmul(nanoseconds, ir.DoubleType()(1e-9)))

    return types.float64(), emit


@intrinsic
def pause(typing):
    """Hint to the processor that this thread is spinning, if it has an instruction for that."""

    def emit(context, builder, signature, arguments):
        name, hint = PAUSES.get(platform.machine(), (None, []))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [number.type for number in hint])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), hint)
        return context.get_dummy_value()

    return types.void(), emit


PAUSES = dict.fromkeys(("x86_64", "AMD64"), ("llvm.x86.sse2.pause", []))
PAUSES |= dict.fromkeys(("aarch64", "arm64"), ("llvm.aarch64.hint", [ir.IntType(32)(1)]))  # yield


@intrinsic
def call(typing, function, board, task, slot):
    """Call the function at an address."""

    def emit(context, builder, signature, arguments):
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word] * 3)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), emit


# ------------------------------------------------------------------------------------------ arguments


def entry_module(symbol: str, callee: str, descriptor, record: type | None, kinds: tuple) -> ir.Module:
    """The LLVM module of a function (board's address, task, slot) that calls a kernel by its symbol.

    It turns the words on the board into arrays, numbers and tuples. LLVM compiles it within 10 ms.
    record: the NamedTuple in which the kernel takes its arguments, if it does
    """
    context = cpu_target.target_context
    module = new_module(symbol)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INDEX] * 3), symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    board, task, slot = function.args
    words = builder.gep(builder.inttoptr(board, INDEX.as_pointer()), [INDEX(ARGUMENTS)])
    count = 0

    def word():
        nonlocal count
        count += 1
        return builder.load(builder.gep(words, [INDEX(count - 1)]))

    values = []
    for kind in kinds:
        of_numba = numba_type(kind)
        if isinstance(of_numba, types.Array):
            address, size = word(), word()
            item = INDEX(context.get_abi_sizeof(context.get_data_type(of_numba.dtype)))
            if kind.startswith(PER_THREAD):  # the part that belongs to the slot
                address = builder.add(address, builder.mul(slot, builder.mul(size, item)))
            values.append(_flat_array(context, builder, of_numba, address, size, item))
        elif isinstance(of_numba, types.BaseTuple):
            values.append(context.make_tuple(builder, of_numba, [word() for _ in range(len(of_numba))]))
        elif isinstance(of_numba, types.Float):
            value = builder.bitcast(word(), ir.DoubleType())
            values.append(context.cast(builder, value, types.float64, of_numba))
        else:
            values.append(word())
    if record:
        values = [context.make_tuple(builder, argument_types(record, kinds)[0], values)]
    convention = context.call_conv
    kind = convention.get_function_type(descriptor.restype, descriptor.argtypes)
    code = cgutils.get_or_insert_function(module, kind, callee)
    convention.call_function(builder, code, descriptor.restype, descriptor.argtypes, [task, *values])
    builder.ret_void()
    return module


PER_THREAD = "per thread "
INDEX_TYPE = types.intp  # the type of a task's number


def argument_types(record: type | None, kinds: tuple) -> tuple[types.Type, ...]:
    """Numba's types of a job's arguments, or of the one record that holds them."""
    found = tuple(map(numba_type, kinds))
    return (types.BaseTuple.from_types(found, record),) if record else found


def numba_type(kind: type | str) -> types.Type:
    """Numba's type for a kind of argument: a Python type, or an array's, given by its dtype's character."""
    if isinstance(kind, str):
        return types.Array(from_dtype(np.dtype(kind[-1])), 1, "C")
    if kind is int:
        return types.intp
    if issubclass(kind, tuple):
        return types.NamedUniTuple(types.int64, len(kind._fields), kind)
    return from_dtype(np.dtype(kind))


def _flat_array(context, builder, kind, address, size, item):
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
        return _flat_array(context, builder, kind, *arguments[1:], item)

    return kind(like, types.intp, types.intp), emit
