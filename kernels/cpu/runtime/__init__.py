"""The runtime that makes Numba fast: compiles and caches kernels, and runs them on its own threads.

    vectors.py  instructions on LLVM vectors, as wide as the processor's
    cached.py   keeps compiled code between processes
    compile.py  the decorators of all kernels
    crew.py     the board through which threads share work within a microsecond
    threads.py  a call from Python: arrays, scratch memory, and `share`, which runs a kernel's tasks on all threads

docs/runtime.md says what each part saves, in milliseconds.

Here malloc is set to keep freed memory in the process, so that the next large array does not begin with page faults. A
training step allocates and frees the same large arrays again and again. glibc's malloc would return each one to the
system and fetch it back page by page, which costs a sixth of a DCGAN step. Instead, arrays of any size come from one
heap, and the free memory at its end is kept. This applies to the whole process, unless the environment sets malloc's
limits itself (MALLOC_TRIM_THRESHOLD_ and the like) or sets MINIGAN_KEEP_MEMORY=0.
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
KEPT = (1 << 31) - 1  # bytes of free memory at the heap's end before any of it is returned


def keep_freed_memory() -> bool:
    """Set malloc's limits. Returns whether they were set: other C libraries have none."""
    theirs = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_")
    if os.environ.get("MINIGAN_KEEP_MEMORY") == "0" or any(name in os.environ for name in theirs):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # the function does not exist or cannot be looked up
        return False
    # map no array separately: glibc would map any above 32 MB, whatever the threshold
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, KEPT))


KEPT_NOW = keep_freed_memory()  # once, before anything large is allocated
