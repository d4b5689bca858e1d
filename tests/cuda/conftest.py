"""The simulator needs a compiler; where there is none these tests are skipped and say so. (CI checks that there is.)"""

import os
import shutil

import pytest


def pytest_collection_modifyitems(items):
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        reason = pytest.mark.skip(
            reason=f"the device sim compiles CUDA kernels with {compiler}, which is not installed"
        )
        for item in items:
            if "/tests/cuda/" in item.path.as_posix():
                item.add_marker(reason)
