"""Where Numba is not installed, minigan computes with NumPy alone: it trains, samples and says what it runs on."""

import subprocess
import sys
import textwrap

import pytest

AS_IF_NOT_INSTALLED = "import sys; sys.modules['numba'] = sys.modules['llvmlite'] = None\n"


def run_without_numba(program):
    program = AS_IF_NOT_INSTALLED + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("model", ["mlp-gan", "dcgan"])
def test_a_gan_trains(model):
    out = run_without_numba(f"""
        import numpy as np
        import minigan as mg

        glyphs = mg.data.load("glyphs", count=32)
        gan = mg.models.build("{model}")
        before = [p.data.copy() for p in gan.generator.parameters()]
        mg.gan.fit(gan, glyphs, steps=2, batch=8)
        after = [p.data for p in gan.generator.parameters()]
        assert all(np.isfinite(p).all() for p in after)
        assert any((p != q).any() for p, q in zip(before, after))
        print(mg.kernels.of(after[0]).__name__, mg.get_threads())
        """)
    assert out.split()[-2:] == ["minigan.kernels.numpy", "1"]


def test_the_doctor_says_what_is_missing():
    report = run_without_numba("from minigan.tool.__main__ import main; sys.exit(main(['doctor']))")
    assert "NumPy only, because Numba is missing" in report
    assert "pip install numba" in report
