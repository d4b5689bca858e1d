"""Kernels on processors with narrower vectors than this one's: MINIGAN_VECTORS compiles for those."""

import os
import subprocess
import sys

import llvmlite.binding as llvm
import pytest

from minigan.kernels.cpu.runtime import vectors

REGISTERS = {"avx512": "zmm", "avx2": "ymm", "128": "xmm"}
HERE = vectors.vectors_of_host()
NARROWER = vectors.CONTAINED[HERE]
X86 = HERE in REGISTERS and llvm.get_default_triple().startswith("x86_64")
SETTINGS = ("MINIGAN_VECTORS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_ENABLE_AVX")

WORK = """
import gc
import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from minigan import kernels
from minigan.kernels import cpu
from minigan.kernels.cpu.runtime import vectors
from minigan.kernels.geometry import ConvGeometry

random = np.random.default_rng(0)
draw = lambda *shape: random.standard_normal(shape).astype(np.float32)
a, b = draw(130, 70), draw(70, 90)
assert np.allclose(cpu.matmul(a, b), a @ b, atol=1e-4)
scale, shift = draw(70), draw(70)
y, mean, inverse = cpu.batch_norm(a, scale, shift, 1e-5, 0.2)
expected = (a - a.mean(0)) / np.sqrt(a.var(0) + 1e-5) * scale + shift
assert np.allclose(y, np.where(expected > 0, expected, 0.2 * expected), atol=1e-4)
x, w = draw(2, 6, 6, 8), draw(3, 3, 8, 20)
how = ConvGeometry.of_conv(x.shape, w.shape, stride=2, padding=1, dilation=1, groups=1)
with kernels.using("reference") as reference:
    expected = reference.conv2d(x, w, how)
for algorithm in ("direct", "winograd2"):
    assert np.allclose(cpu.conv2d(x, w, how, algorithm=algorithm), expected, atol=1e-4)
compiled = [one for one in gc.get_objects() if isinstance(one, Dispatcher) and one.overloads]
code = "".join(text for one in compiled for text in one.inspect_asm().values())
print(len(compiled), vectors.BITS, *(name for name in ("zmm", "ymm", "xmm", "fmaf") if name in code))
"""
CHOICE = """
from minigan.kernels.cpu.runtime import cached, vectors
print(vectors.BITS, vectors.ROWS, cached.fingerprint())
"""


def run(code, **settings):
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | settings
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def chosen(**settings):
    """(bits, rows, fingerprint) in a process with these settings."""
    done = run(CHOICE, **settings)
    assert done.returncode == 0, done.stderr
    bits, rows, fingerprint = done.stdout.split()
    return int(bits), int(rows), fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("kind", NARROWER)
def test_kernels_are_right_with_narrower_vectors_and_use_no_wider_ones(kind, tmp_path):
    done = run(WORK, MINIGAN_VECTORS=kind, MINIGAN_CACHE=str(tmp_path))  # compiled anew: only that shows its code
    assert done.returncode == 0, done.stderr
    count, bits, *found = done.stdout.split()
    assert int(count) > 10
    assert int(bits) == vectors.KINDS[kind][0]
    if X86:
        assert found == {"avx2": ["ymm", "xmm"], "128": ["xmm"]}[kind]


def test_each_kind_has_a_folder_of_its_own():
    found = [chosen(), *(chosen(MINIGAN_VECTORS=kind) for kind in NARROWER)]
    assert [one[:2] for one in found] == [vectors.KINDS[kind] for kind in (HERE, *NARROWER)]
    assert len({fingerprint for *_, fingerprint in found}) == len(found)
    assert chosen(MINIGAN_VECTORS=HERE) == chosen(MINIGAN_VECTORS="") == found[0]


@pytest.mark.parametrize("name", ["avx1024", "AVX2", "512"])
def test_an_unknown_kind_is_refused_with_the_known_ones(name):
    done = run(CHOICE, MINIGAN_VECTORS=name)
    assert f"MINIGAN_VECTORS is {name!r}, but it is one of avx512, avx2, neon, 128" in done.stderr


@pytest.mark.parametrize("kind", sorted(set(vectors.KINDS) - {HERE, *NARROWER}))
def test_a_kind_that_the_processor_lacks_is_refused(kind):
    done = run(CHOICE, MINIGAN_VECTORS=kind)
    able = ", ".join((HERE, *NARROWER))
    assert f"MINIGAN_VECTORS is {kind}, but this processor can do {able} only" in done.stderr


def test_it_is_too_late_to_narrow_once_numba_has_compiled():
    if not NARROWER or HERE == "neon":
        pytest.skip("nothing to tell Numba")
    code = "import numba; numba.njit('f8(f8)')(lambda x: x + 1); import minigan.kernels.cpu"
    assert "before minigan's kernels were first used" in run(code, MINIGAN_VECTORS=NARROWER[0]).stderr


@pytest.mark.slow
@pytest.mark.skipif(not X86 or HERE == "128", reason="for x86 processors with AVX2")
@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}, "avx2"),
        ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "-fma"}, "128"),
        ({"NUMBA_CPU_NAME": "generic"}, "128"),
        ({"NUMBA_CPU_FEATURES": "-avx"}, "128"),
        ({"NUMBA_CPU_NAME": "haswell"}, HERE),  # Numba takes the features from this processor then
    ],
)
def test_what_the_user_has_told_numba_holds(settings, kind):
    bits, rows, fingerprint = chosen(**settings)
    assert (bits, rows) == vectors.KINDS[kind]
    assert fingerprint != chosen()[2]
    for narrower in vectors.CONTAINED[kind]:
        assert chosen(**settings, MINIGAN_VECTORS=narrower)[2] != fingerprint
