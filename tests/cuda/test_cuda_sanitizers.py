"""Every CUDA kernel stays within its arrays, and no two threads touch one number without a barrier between them."""

from pathlib import Path

import pytest
from sanitized import run_under
from sanitizer_cases import CASES

from minigan.kernels.cuda.launch import FOLDER
from minigan.kernels.cuda.sim.sources import kernels_of

FILES = sorted(file.name for file in FOLDER.glob("*.cu"))
PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from sanitizer_cases import main
main(*sys.argv[1:])
"""


def test_every_file_has_cases():
    assert FILES
    assert sorted(CASES) == FILES


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("sanitizer", "real"), [("address", "float"), ("address", "double"), ("thread", "float")])
def test_nothing_is_reported_of_any_kernel(sanitizer, real, file):
    done = run_under(sanitizer, PROGRAM, sanitizer, file, real)
    assert done.returncode == 0, done.stderr
    assert "SUMMARY" not in done.stderr, done.stderr
    ran = done.stdout.split()
    assert sorted(ran) == sorted(kernels_of((FOLDER / file).read_text())), "a kernel has no case, or its case none"
