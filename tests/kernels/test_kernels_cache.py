"""Which implementation answers, and where its compiled code is kept."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from processes import run

from minigan import kernels
from minigan.errors import UnknownNameError
from minigan.kernels import cpu, reference
from minigan.kernels.cpu import products
from minigan.kernels.cpu.runtime import cached
from minigan.kernels.cpu.runtime.vectors import BITS

PRODUCT = """
import numba, numpy as np
from minigan.kernels import cpu
from minigan.kernels.cpu.runtime import cached
from minigan.kernels.cpu.products import product_block
a = np.arange(10_000.0).reshape(100, 100)
assert (cpu.matmul(a, a.T) == a @ a.T).all()
stats = product_block.dispatcher.stats
print(cached.FOLDER, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), numba.config.CACHE_DIR)
"""


def test_importing_minigan_does_not_import_numba():
    code = "import sys, minigan, minigan.kernels; print('numba' in sys.modules)"
    assert run(code) == ["False"]


def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    theirs = str(tmp_path / "theirs")
    environment = {"MINIGAN_CACHE": str(tmp_path / "ours"), "NUMBA_CACHE_DIR": theirs}
    folder, hits, misses, numba_folder = run(PRODUCT, **environment)
    assert Path(folder).parent == tmp_path / "ours"
    assert (hits, misses) == ("0", "1")
    assert numba_folder == theirs  # the user's own setting
    assert not Path(theirs).exists()
    assert run(PRODUCT, **environment)[1:3] == ["1", "0"]


CONVOLUTION = """
import numpy as np
from numba.core import event
from minigan.kernels import cpu, reference
from minigan.kernels.geometry import ConvGeometry
rng = np.random.default_rng(0)
x, w = rng.standard_normal((2, 9, 9, 5)), rng.standard_normal((4, 4, 5, 6))
g = ConvGeometry.of_conv(x.shape, w.shape, stride=2, padding=1)
with event.install_recorder("numba:compile") as compiled:
    y = cpu.conv2d(x, w, g, algorithm="winograd4")
np.testing.assert_allclose(y, reference.conv2d(x, w, g), rtol=1e-10, atol=1e-10)
names = {e.data["dispatcher"].py_func.__name__ for _, e in compiled.buffer if e.is_start}
print(*sorted(names), "end")
"""


@pytest.mark.slow
def test_a_loaded_kernel_finds_those_that_it_calls_also_when_theirs_are_gone(tmp_path):
    environment = {"MINIGAN_CACHE": str(tmp_path)}
    assert {"make_features", "multiply", "pack"} <= set(run(CONVOLUTION, **environment))
    assert run(CONVOLUTION, **environment) == ["end"]  # nothing is compiled again
    gone = [file for name in ("pack", "combination_", "tasks_") for file in tmp_path.rglob(f"*{name}*")]
    assert len(gone) > 4
    for file in gone:
        file.unlink()
    assert set(run(CONVOLUTION, **environment)) & {"make_features", "multiply", "pack"} == {"pack"}


def test_without_numbas_compiler_an_error_says_so():
    program = """
import numpy as np, minigan as mg
from minigan.errors import MiniganError
x = np.ones((300, 300))
try:
    mg.matmul(x, x)
except MiniganError as error:
    print("NUMBA_DISABLE_JIT" in str(error))
with mg.kernels.using("reference"):
    print(mg.matmul(x, x).sum())
"""
    assert run(program, NUMBA_DISABLE_JIT="1") == ["True", "27000000.0"]


def test_kernels_work_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    folder, hits, *_ = run(PRODUCT, MINIGAN_CACHE=str(tmp_path / "file" / "folder"))
    assert (folder, hits) == ("None", "0")


def test_what_others_compile_with_numba_is_compiled_as_they_say(tmp_path):
    """Settings that hold while a kernel is made ready are the user's again afterwards."""
    program = """
import numba, numpy as np
theirs = numba.config.OPT, numba.config.CACHE_DIR
from minigan.kernels import cpu
from minigan.kernels.cpu.runtime import compile
made = compile._new_code
def watched(symbol, module):
    found.append(symbol)
    return made(symbol, module)
found, compile._new_code = [], watched
cpu.leaky_relu(np.ones(9), 0.1)
print(len(found) > 0, (numba.config.OPT, numba.config.CACHE_DIR) == theirs)
"""
    assert run(program, MINIGAN_CACHE=str(tmp_path)) == ["True", "True"]


def test_python_calls_what_kernels_call_as_it_is_written():
    assert products.packed_size(5, 1, 4) == 5 * products.panel_width(1, 4) == 5 * (BITS // 64)


def test_changing_any_source_changes_the_folder(tmp_path):
    sources = tmp_path / "kernels"
    shutil.copytree(cached.SOURCES, sources)
    before = cached.fingerprint(sources)
    assert before == cached.fingerprint()
    for file in ("geometry.py", "cpu/runtime/vectors.py"):
        with open(sources / file, "a") as source:
            source.write("\n")
        after = cached.fingerprint(sources)
        assert after != before
        before = after


def test_an_implementation_is_chosen_by_array_or_by_name():
    x = np.ones(3)
    assert kernels.of(x) is cpu
    with kernels.using("reference") as chosen:
        assert kernels.of(x) is chosen is reference
        with kernels.using("cpu"):
            assert kernels.of(x) is cpu
        assert kernels.of(x) is reference
        seen = []
        thread = threading.Thread(target=lambda: seen.append(kernels.of(x)))
        thread.start()
        thread.join()
        assert seen == [cpu]
    assert kernels.of(x) is cpu


def test_an_unknown_implementation_is_named():
    with pytest.raises(UnknownNameError, match=r"did you mean.*cpu"), kernels.using("gpu"):
        pass


def test_implementations_have_one_interface():
    import inspect

    for name in sorted(set(cpu.__all__)):
        of_numpy = inspect.signature(getattr(kernels.named("numpy"), name))
        if name in ("get_threads", "set_threads"):
            assert of_numpy.parameters.keys() == inspect.signature(getattr(cpu, name)).parameters.keys()
        else:
            ours, theirs = inspect.signature(getattr(cpu, name)), inspect.signature(getattr(reference, name))
            assert of_numpy == ours == theirs, name
