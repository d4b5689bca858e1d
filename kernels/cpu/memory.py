"""Freed memory stays with the process, so that the next large array does not begin with page faults.

A training step makes and drops the same large arrays again and again. glibc's malloc would return each to the system
and fetch it back, page by page: a sixth of a DCGAN's step. So arrays of any size come from one heap, and its free end
is kept. That holds for the whole process, unless the environment sets malloc's limits (MALLOC_TRIM_THRESHOLD_ and its
like) or MINIGAN_KEEP_MEMORY=0 asks to leave them.
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
KEPT = (1 << 31) - 1  # bytes of free memory at the heap's end before any of it is returned


def keep_freed_memory() -> bool:
    """Set malloc's limits; whether that was done (other C libraries have none)."""
    theirs = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_")
    if os.environ.get("MINIGAN_KEEP_MEMORY") == "0" or any(name in os.environ for name in theirs):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function, or no way to look for one
        return False
    # none is mapped by itself: glibc would do that to what is larger than 32 MB, whatever it is told
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, KEPT))


KEPT_NOW = keep_freed_memory()  # once, before anything large is made
