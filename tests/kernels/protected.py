"""NumPy's memory between pages that nobody may touch, so that an access outside an array is a segmentation fault.

All arrays of the process get it, those that minigan makes inside too (NumPy lets a process choose who allocates,
NEP 49). An array begins right after a protected page or ends right before one. New memory holds NaN (all bits are
set), and memory that was freed is protected as well.
"""

import ctypes
import mmap
from collections import deque
from ctypes import CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_size_t, c_uint8, c_void_p, py_object, pythonapi

import numpy as np

PAGE = mmap.PAGESIZE
NOTHING, READ, READ_AND_WRITE = 0, 1, 3  # PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE
PRIVATE_AND_ANONYMOUS, FAILED = 0x22, ctypes.c_void_p(-1).value
REMEMBERED = 2000  # freed arrays whose pages stay protected; a process may have some 65,000 mappings
SET_HANDLER = 304  # the place of PyDataMem_SetHandler in NumPy's table of functions

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = c_void_p
libc.mmap.argtypes = [c_void_p, c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes, libc.munmap.argtypes = [c_void_p, c_size_t, ctypes.c_int], [c_void_p, c_size_t]


class Allocator(Structure):
    _fields_ = (
        ("context", c_void_p),
        ("malloc", CFUNCTYPE(c_void_p, c_void_p, c_size_t)),
        ("calloc", CFUNCTYPE(c_void_p, c_void_p, c_size_t, c_size_t)),
        ("realloc", CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_size_t)),
        ("free", CFUNCTYPE(None, c_void_p, c_void_p, c_size_t)),
    )


class Handler(Structure):
    _fields_ = (("name", c_char * 127), ("version", c_uint8), ("allocator", Allocator))


_blocks: dict[int, tuple[int, int, int]] = {}  # address -> where its pages begin, their bytes, its own bytes
_freed: deque[tuple[int, int]] = deque()


def _make(size, fill, at_end):
    size, pages = max(size, 1), -(-max(size, 1) // PAGE) * PAGE
    start = libc.mmap(None, pages + 2 * PAGE, NOTHING, PRIVATE_AND_ANONYMOUS, -1, 0)
    if start == FAILED or libc.mprotect(start + PAGE, pages, READ_AND_WRITE):
        return None
    ctypes.memset(start + PAGE, fill, pages)
    address = start + PAGE + (pages - size if at_end else 0)
    _blocks[address] = start, pages + 2 * PAGE, size
    return address


def _free(address):
    start, length, _ = _blocks.pop(address)
    libc.mprotect(start, length, NOTHING)
    _freed.append((start, length))
    if len(_freed) > REMEMBERED:
        libc.munmap(*_freed.popleft())


def _handler(at_end):
    kinds = dict(Allocator._fields_)

    def resized(context, address, size):
        new = _make(size, 0xFF, at_end)
        if new and address:
            ctypes.memmove(new, address, min(size, _blocks[address][2]))
            _free(address)
        return new

    return Handler(
        b"protected",
        1,
        Allocator(
            None,
            kinds["malloc"](lambda context, size: _make(size, 0xFF, at_end)),
            kinds["calloc"](lambda context, count, size: _make(count * size, 0, at_end)),
            kinds["realloc"](resized),
            kinds["free"](lambda context, address, size: _free(address) if address else None),
        ),
    )


_kept = []  # what C points to


def protect_new_arrays(at_end: bool) -> None:
    """Let every array that this thread makes from now on end (or else begin) at a protected page."""
    new_capsule, pointer_in = pythonapi.PyCapsule_New, pythonapi.PyCapsule_GetPointer
    new_capsule.restype, new_capsule.argtypes = py_object, [c_void_p, c_char_p, c_void_p]
    pointer_in.restype, pointer_in.argtypes = c_void_p, [py_object, c_char_p]
    handler = _handler(at_end)
    capsule = new_capsule(ctypes.addressof(handler), b"mem_handler", None)
    functions = ctypes.cast(pointer_in(np._core._multiarray_umath._ARRAY_API, None), POINTER(c_void_p))
    set_handler = ctypes.PYFUNCTYPE(py_object, py_object)(functions[SET_HANDLER])
    _kept.append((handler, capsule, set_handler(capsule)))


def make_read_only(*arrays: np.ndarray) -> None:
    """Let a write to one of these arrays be a segmentation fault too, whatever NumPy's flags say."""
    for array in arrays:
        if array.size:
            start, length, _ = _blocks[(array if array.base is None else array.base).ctypes.data]
            libc.mprotect(start + PAGE, length - 2 * PAGE, READ)
