"""No kernel reads or writes outside its arrays: `guarded.py` in a process that such an access ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are protected by Linux's mmap")
PROGRAM = Path(__file__).with_name("guarded.py")


def run(*arguments, **how):
    """(exit status, the last line of what it printed, its standard error) of a process of its own."""
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, **how)
    return done.returncode, done.stdout.splitlines()[-1:], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("side", ["begin", "end"])
def test_no_kernel_leaves_its_arrays(side):
    status, last, said = run(PROGRAM, side)
    assert (status, last) == (0, ["all were right"]), said


@pytest.mark.parametrize("side", ["begin", "end"])
@pytest.mark.parametrize("access", ["outside", "written", "freed"])
def test_an_access_to_a_protected_page_ends_the_process(side, access):
    code = f"""
import ctypes, numpy as np
from protected import make_read_only, protect_new_arrays
protect_new_arrays(at_end={side == "end"})
array = np.zeros(5, np.float32)
place = array.ctypes.data
print(ctypes.c_float.from_address(place).value, flush=True)
if {access!r} == "outside":
    place += 20 if {side == "end"} else -4
elif {access!r} == "written":
    make_read_only(array)
else:
    del array
ctypes.c_float.from_address(place).value = 1
print("not seen", flush=True)
"""
    status, last, said = run("-c", code, cwd=PROGRAM.parent)
    assert (status, last) == (-signal.SIGSEGV, ["0.0"]), said


def test_a_kernel_that_goes_past_its_scratch_memory_is_named():
    status, last, said = run(PROGRAM, "end", "short")
    assert status == -signal.SIGSEGV, said
    assert last[0].startswith("max_pool_indices float")  # the first that has any
    assert "in max_pool_indices" in said
