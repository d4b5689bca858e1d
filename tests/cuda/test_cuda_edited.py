"""What runs is what the files say now: a kernel is compiled again when it, or anything that it includes, is edited."""

import importlib.util
import os

import numpy as np
import pytest

from minigan.kernels.cuda import SimArray, Simulator, SimulatorError, launch
from minigan.kernels.cuda.sim import building

pytestmark = pytest.mark.slow  # the simulator itself

FILES = {
    "one.cu": '#include "first.h"\n#  include <sub/second.h>\n'
    "__global__ void one(float *x) { x[0] = FIRST + SECOND + 0; }\n",
    "first.h": '#pragma once\n#include "sub/third.h"\n#define FIRST (10 + THIRD)\n',
    "sub/second.h": "#define SECOND 200\n",
    "sub/third.h": '/* a comment */ #include "fourth.h"\n  #include "fourth.h" // beside it\n#define THIRD FOURTH\n',
    "sub/fourth.h": "#define FOURTH 1000\n",
}
EDITS = [
    ("one.cu", "+ 0;", "+ 5;", 1215),
    ("sub/second.h", "200", "300", 1310),
    ("sub/fourth.h", "1000", "2000", 2210),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "sub").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def result(folder):
    x = np.zeros(1, np.float32).view(SimArray)
    Simulator(watched=False).run(str(folder / "one.cu"), "one", "float", 1, 1, [x])
    return float(x[0])


def test_an_edit_counts_at_once_and_so_does_taking_it_back(folder):
    """Each is of the same size, and leaves the old time of change, as some editors and archives do."""
    assert result(folder) == 1210
    for name, old, new, expected in EDITS:
        path = folder / name
        before, text = path.stat(), path.read_text()
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert result(folder) == expected, name
        path.write_text(text)
        assert result(folder) == 1210, name
    assert len(list((folder / "cache" / "sim").glob("*.so"))) == 1 + len(EDITS)


def test_what_g_plus_plus_alone_sees_is_refused(folder):
    """Its changes would not be seen."""
    text = FILES["one.cu"].replace('#include "first.h"', '#define NAME "first.h"\n#include NAME')
    (folder / "one.cu").write_text(text)
    with pytest.raises(
        SimulatorError, match=r'one\.cu includes .*first\.h in a way that hides it.*#include "first\.h"'
    ):
        result(folder)


def test_minigan_may_be_installed_in_a_folder_that_links_to_another(folder):
    """As in the home folders of many clusters; there, no kernel compiled."""
    (folder / "linked").symlink_to(launch.FOLDER)
    found = importlib.util.spec_from_file_location("linked", folder / "linked" / "sim" / "building.py")
    linked = importlib.util.module_from_spec(found)
    found.loader.exec_module(linked)
    assert linked.compiled(str(folder / "one.cu"), "float", linked.WAYS[None], "one").parameters("one")


def test_a_damaged_file_in_the_cache_is_made_again(folder):
    assert result(folder) == 1210
    (kept,) = (folder / "cache" / "sim").glob("*.so")
    content = kept.read_bytes()
    for damaged in (content[:-1], b"", content[:5000] + b"\xff" + content[5001:], None):
        kept.unlink()  # another file by that name, as this process has the first one in use
        kept.write_bytes(content if damaged is None else damaged)
        kept.chmod(0o666 if damaged is None else 0o644)  # whole, but anybody could have written it
        assert not building.whole(kept)
    building._library.cache_clear()
    assert result(folder) == 1210
    assert building.whole(kept)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("__global__ void one(float *x) {\n  x[0] = unheard_of;\n}", r"one\.cu:2:10: error: .unheard_of. was not"),
        (
            '#include "nowhere.h"\n__global__ void one(float *x) {}',
            r"one\.cu:1:10: fatal error: nowhere\.h: No such file",
        ),
        ('#include "first.h"\n__global__ void one(float *x) { x[0] = FIRST }', r"one\.cu:2:\d+: error: expected .;."),
        (
            "__global__ void one(float *x) {}\nint main() {\n  one<<<1, 1>>>(0);\n}",
            r"one\.cu:3:\d+: error: (.|\n)*from Python",
        ),
    ],
)
def test_a_source_that_does_not_compile_shows_its_first_error(folder, text, error):
    (folder / "one.cu").write_text(text)
    with pytest.raises(SimulatorError, match=rf"^one\.cu does not compile:\n.*{error}") as raised:
        result(folder)
    assert len(str(raised.value).splitlines()) <= 8
