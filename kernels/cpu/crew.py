"""Work shared within a microsecond.

To wake a thread takes 50 us, and the GIL, when several want it, as long again. So a helper without work watches for a
while, in compiled code and without the GIL, for a job that is compiled too: the address of a function for its tasks.

The board is what all threads see: words on cache lines of their own, and the arguments of the job. A caller takes its
turn, writes a job, opens it, takes tasks as everyone does, closes it, and waits until nobody is inside. A helper steps
inside before it looks whether the job is (still) open. Both orders are sequentially consistent: either the caller sees
the helper inside, or the helper sees the job closed. So nobody reads a job while the next one is written, and a helper
that comes late, or never, costs nothing.

A turn, from taking it to giving it back, is one call of compiled code. Python, which raises KeyboardInterrupt between
any two of its instructions, cannot interrupt that: no turn is ever lost, and no helper still works on a job whose
caller has left, when the arrays may be gone.
"""

import os
import platform
import time

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minigan.kernels.cpu.arrays import LINE_BYTES
from minigan.kernels.cpu.compile import called_from_python, kernel

LINE = LINE_BYTES // 8  # words of a cache line
OPEN, INSIDE = 0, LINE  # the job's number while it is open, else 0; the helpers inside
COUNT, FUNCTION, CALLER, TASKS, THREADS = range(
    2 * LINE, 2 * LINE + 5
)  # jobs so far, and what is written before one opens
TURN = 2 * LINE + 5  # 1 while a caller has its turn
ARGUMENTS, MOST_ARGUMENTS, MOST_THREADS = 3 * LINE, 12 * LINE, 64
NEXT = ARGUMENTS + MOST_ARGUMENTS  # the next task of each thread's share
WORDS = NEXT + MOST_THREADS * LINE
NOT_OURS = -1.0
LOOKS_BEFORE_YIELDING = 2000  # some 50 us: a helper that is not out by then has lost its core, perhaps to the caller


def new_board() -> np.ndarray:
    return np.zeros(WORDS, np.int64)


@called_from_python
def share(board, own, function, tasks, threads):
    """Do all tasks of a job with the helpers at a board.

    own: a board of the caller's own, on which it has written the arguments
    returns: for how many seconds helpers were waited for that had lost their core; NOT_OURS where another caller has
        its turn, and nothing was done
    """
    if compare_and_swap(board, TURN, 0, 1) != 0:
        return NOT_OURS
    do_tasks(board, own, function, tasks, threads)
    late = wait_for_helpers(board)
    write(board, TURN, 0)
    return late


@called_from_python
def alone(board, function, tasks):
    """Do all tasks of the job whose arguments are on a board of the caller's own."""
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
    """Let the helpers finish their last tasks. Returns for how many seconds, beyond a short time that is usual."""
    for _ in range(LOOKS_BEFORE_YIELDING):
        if read(board, INSIDE) == 0:
            return 0.0
        pause()
    start = now()
    while read(board, INSIDE) != 0:
        give_way()  # perhaps it needs this core
    return now() - start


@called_from_python
def watch(board, slot, looks):
    """Take part in jobs until none has come for `looks` looks at the board."""
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
    """A thread's own share of the tasks, one after the other, and then what others have left of theirs.

    The tasks of one job after the other are parts of the same batch, in order. So each thread mostly finds what it
    has written itself, in its own caches.
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


def word_of(context, builder, board, at):
    return builder.gep(context.make_array(types.int64[::1])(context, builder, board).data, [at])


@intrinsic
def read(typing, board, at):
    def emit(context, builder, signature, arguments):
        return builder.load_atomic(word_of(context, builder, *arguments), "seq_cst", 8)

    return types.int64(types.int64[::1], types.intp), emit


@intrinsic
def write(typing, board, at, value):
    def emit(context, builder, signature, arguments):
        builder.store_atomic(arguments[2], word_of(context, builder, *arguments[:2]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.int64[::1], types.intp, types.int64), emit


@intrinsic
def fetch_and_add(typing, board, at, value):
    """Add to a word of the board, atomically. Returns what it was before."""

    def emit(context, builder, signature, arguments):
        return builder.atomic_rmw("add", word_of(context, builder, *arguments[:2]), arguments[2], "seq_cst")

    return types.int64(types.int64[::1], types.intp, types.int64), emit


@intrinsic
def compare_and_swap(typing, board, at, expected, value):
    """Replace a word of the board if it is the expected one, atomically. Returns what it was before."""

    def emit(context, builder, signature, arguments):
        word = word_of(context, builder, *arguments[:2])
        return builder.extract_value(builder.cmpxchg(word, *arguments[2:], "seq_cst", "seq_cst"), 0)

    return types.int64(types.int64[::1], types.intp, types.int64, types.int64), emit


@intrinsic
def give_way(typing):
    """Let another thread have this core, where the system has a call for that."""

    def emit(context, builder, signature, arguments):
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def now(typing):
    """Seconds on a clock that never goes back; always 0 where the system has another one."""

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
    """Tell the processor that this thread is only waiting, if it has an instruction for that."""

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
    def emit(context, builder, signature, arguments):
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word] * 3)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), emit
