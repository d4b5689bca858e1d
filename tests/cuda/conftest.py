"""What these tests run on: the device sim, or with MINIGAN_TEST_DEVICE=cuda a GPU (simulated.py).

The simulator needs a compiler; where there is none these tests are skipped, and say so. (CI checks that there is.)
"""

import os
import shutil

import pytest

OF_THE_SIMULATOR = (
    *("simulator", "sanitizers", "mutants", "narrowed", "large"),
    *("arguments", "check", "edited", "sources", "textbook", "watched"),
)
SIM_ONLY = [f"test_cuda_{of}.py" for of in OF_THE_SIMULATOR]


def pytest_collection_modifyitems(config, items):
    device, compiler = os.environ.get("MINIGAN_TEST_DEVICE", "sim"), os.environ.get("CXX", "g++")
    ours = [item for item in items if "/tests/cuda/" in item.path.as_posix()]
    if device != "sim":
        leave_out(config, items, [item for item in ours if item.path.name in SIM_ONLY], device)
    elif shutil.which(compiler) is None:
        reason = f"the device sim compiles CUDA kernels with {compiler}, which is not installed"
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))


def leave_out(config, items, left_out, device):
    """Run these not, and say so."""
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and left_out:
        reporter.write_line(f"on the device {device}: {', '.join(SIM_ONLY)} are about the simulator and left out")
