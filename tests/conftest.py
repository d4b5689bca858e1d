"""Which tests run when, in how many processes, and on how many drawn examples.

Markers: a test is `slow` where its file says so, and `fast` by the table below. Slow tests run only when `-m` or the
name of their file asks for them; .ci/run does, with `pytest -m slow`.

Processes: one per core (pytest-xdist), which takes seconds to start; a few files run in this one.

Hypothesis profiles: a modest number of examples, always the same; `HYPOTHESIS_PROFILE=explore` for many new ones.
"""

import hashlib
import importlib
import importlib.util
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", derandomize=True, max_examples=40, database=None, **_common)
settings.register_profile("explore", max_examples=200, **_common)
# "first": that a test fails is all that is asked, so nothing is shrunk
_first = {"phases": (Phase.explicit, Phase.generate), "report_multiple_bugs": False}
settings.register_profile("first", derandomize=True, max_examples=40, database=None, **_first, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

NUMBA = importlib.util.find_spec("numba")
TESTS = Path(__file__).parent
FAST = ("autograd", "classifier", "evaluation", "gan", "inside", "nn", "ops", "optim", "restoration", "vae")
NOT_FAST = ("autograd/test_memory.py", "gan/test_run.py", "ops/test_sums.py")  # slower; the last needs Numba
FEW = 3  # files that are run without starting processes for them


def pytest_configure():
    """Processes in the background ignore SIGINT, which tests of interrupted kernels would wait for without an end."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path, config):
    """For `-m fast` files without a fast test are not even imported: some need Numba, which fast tests do without."""
    if config.option.markexpr == "fast" and collection_path.is_file() and not may_be_fast(collection_path):
        return True
    return None


def may_be_fast(file: Path) -> bool:
    path = file.relative_to(TESTS) if file.is_relative_to(TESTS) else file
    return path.parts[0] in FAST and path.as_posix() not in NOT_FAST


def pytest_collection_modifyitems(config, items):
    for item in items:
        if may_be_fast(item.path) and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.fast)
        if NUMBA is None and item.get_closest_marker("numba"):
            item.add_marker(pytest.mark.skip(reason="Numba is not installed"))
    if not config.option.markexpr and not files_named(config):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
    # tests/data compile no kernels: the first process runs them while another compiles what both need later
    items.sort(key=lambda item: item.path.parent.name != "data")


@pytest.hookimpl(tryfirst=True)  # xdist reads the options in this hook
def pytest_cmdline_main(config):
    """One process per core, unless `-n` or `--pdb` says otherwise; one in all for a few files, and on a GPU."""
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    few = 0 < len(files_named(config)) == len(config.args) <= FEW
    on_gpu = os.environ.get("MINIGAN_TEST_DEVICE", "sim") != "sim"
    if config.option.numprocesses is None and not (few or on_gpu or config.option.usepdb or config.option.collectonly):
        here = getattr(os, "sched_getaffinity", None)
        config.option.numprocesses = len(here(0)) if here else os.cpu_count()
        config.option.dist = "worksteal"
        for threads in ("OPENBLAS_NUM_THREADS", "MINIGAN_THREADS"):  # each process has one core
            os.environ.setdefault(threads, "1")


def files_named(config) -> list[str]:
    """Of what the command line names, the files and the tests in files."""
    return [argument for argument in config.args if argument.partition("::")[0].endswith(".py")]


_drawn: dict[bytes, np.ndarray] = {}


@pytest.fixture(autouse=True)
def glyphs_are_drawn_once(request, monkeypatch):
    """Tests of what is trained on glyphs share them: all 20,000 take a second to draw. Those in tests/data draw."""
    if request.path.parent.name == "data":
        return
    module = importlib.import_module("minigan.data.glyphs")  # `data.glyphs` is its function
    draw = module._draw

    def kept(numbers, labels, size):
        key = hashlib.sha256(numbers).digest() + size.to_bytes(8)
        if key not in _drawn:
            _drawn[key] = draw(numbers, labels, size)
        return _drawn[key]

    monkeypatch.setattr(module, "_draw", kept)
