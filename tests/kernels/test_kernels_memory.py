"""Memory that was freed is used again without page faults, where malloc can be told to; anyone can switch that off."""

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from minigan.kernels.cpu import memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def make():
    np.empty(2_000_000, np.float32).fill(1)  # 8 MB, 2000 pages
    np.empty(10_000_000, np.float32).fill(1)  # 40 MB

make()
before = faults()
for _ in range(20):
    make()
print(memory.KEPT_NOW, (faults() - before) // 20)
"""


def run(**environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "MINIGAN_KEEP"))}
    # huge pages would hide most of the faults
    clean.update(NUMPY_MADVISE_HUGEPAGE="0", **environment)
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=clean, capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have other allocators")
def test_large_arrays_come_back_without_page_faults():
    kept, faults = run()
    if kept:  # glibc; with another C library nothing is promised
        assert faults < 100
    else:
        assert os.confstr("CS_GNU_LIBC_VERSION") is None


@pytest.mark.parametrize("setting", [{"MINIGAN_KEEP_MEMORY": "0"}, {"MALLOC_TRIM_THRESHOLD_": "131072"}])
def test_the_environment_has_the_last_word(setting):
    kept, _ = run(**setting)
    assert not kept


def test_kernels_from_the_cache_come_without_their_modules_and_can_still_be_inlined(tmp_path):
    program = """
import numba, numpy as np
from minigan.kernels.cpu import reduce
from minigan.kernels.cpu.loading import Bitcode
x = np.array([5, 0, 0, 0], np.float32)
reduce.repeat.compile((numba.typeof(x), numba.types.intp))
(compiled,) = reduce.repeat.overloads.values()

@numba.njit
def repeated(x):
    reduce.repeat(x, 1)
    return x

again = repeated(np.array([5, 0, 0, 0], np.float32))
print(isinstance(compiled.library._shared_module, Bitcode), (again == 5).all())
"""
    environment = os.environ | {"MINIGAN_CACHE": str(tmp_path)}
    found = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert found == ["False True\n", "True True\n"]


@pytest.mark.skipif(not importlib.util.find_spec("scipy"), reason="SciPy is not there anyway")
def test_kernels_do_not_import_scipy_and_other_compiled_code_finds_it():
    program = """
import sys, numba, numpy as np
from minigan.kernels import cpu
cpu.leaky_relu(np.ones((4, 4)), 0.1)
print("scipy.linalg" in sys.modules)

@numba.njit
def products(a, b):
    return np.dot(a, b).sum() + np.convolve(b, b).sum()

print(products(np.ones((3, 3)), np.ones(3)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n18.0\n", done.stderr
