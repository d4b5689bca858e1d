"""Programs in a process of their own in which GCC's sanitizers watch the kernels of the device sim."""

import os
import subprocess
import sys

from minigan.kernels.cuda.sim.building import compiler

LIBRARIES = {"address": "libasan.so", "thread": "libtsan.so"}
OPTIONS = {
    "OPENBLAS_NUM_THREADS": "1",  # ThreadSanitizer does not know how OpenBLAS' threads wait for one another
    "ASAN_OPTIONS": "detect_leaks=0",  # Python never frees everything
    "TSAN_OPTIONS": "exitcode=66",
}
# Starts Python with the library. ADDR_NO_RANDOMIZE: ThreadSanitizer wants memory where it was before address spaces
# were randomised so far; where the system refuses, it says so itself.
START = """
import ctypes, os, sys
ctypes.CDLL(None).personality(0x0040000)
os.execve(sys.executable, [sys.executable, *sys.argv[2:]], {**os.environ, "LD_PRELOAD": sys.argv[1]})
"""


def run_under(sanitizer, program, *arguments):
    """Run a Python program, a text, in which Simulator(sanitizer=...) is "address" or "thread", as is given here.

    returns: a CompletedProcess; its code is not 0 where the sanitizer has reported something, in stderr
    """
    found = subprocess.run(
        [compiler(), f"-print-file-name={LIBRARIES[sanitizer]}"], capture_output=True, text=True, check=True
    )
    library = os.path.realpath(found.stdout.strip())
    assert os.path.isabs(found.stdout.strip()), f"{compiler()} has no {LIBRARIES[sanitizer]}; install it"
    return subprocess.run(
        [sys.executable, "-c", START, library, "-c", program, *map(str, arguments)],
        env=os.environ | OPTIONS,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
