"""Memory that was freed is used again without page faults, where malloc can be told to; anyone can switch that off."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from minigan.kernels.cpu import runtime

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def make():
    np.empty(2_000_000, np.float32).fill(1)  # 8 MB, 2000 pages
    np.empty(10_000_000, np.float32).fill(1)  # 40 MB

make()
before = faults()
for _ in range(20):
    make()
print(runtime.KEPT_NOW, (faults() - before) // 20)
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
