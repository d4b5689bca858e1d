"""Damage to the kernel cache: nothing in it is believed that is not what was written there, by this user."""

import os
import pickle
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import run

from minigan.kernels import cache

KERNELS = """
import hashlib
import numpy as np
from minigan.kernels import cpu
from minigan.kernels.geometry import ConvGeometry
x = np.linspace(-1, 1, 2 * 9 * 9 * 3, dtype=np.float32).reshape(2, 9, 9, 3)
w = np.linspace(-1, 2, 4 * 4 * 3 * 5, dtype=np.float32).reshape(4, 4, 3, 5)
y = cpu.conv2d(x, w, ConvGeometry.of_conv(x.shape, w.shape, stride=2, padding=1), algorithm="direct")
print(hashlib.sha256(cpu.leaky_relu(y, 0.2)).hexdigest())
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache with some kernels, and what they compute."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, run(KERNELS, MINIGAN_CACHE=str(folder))


class Trap:
    """An object whose pickle, when it is read, leaves a trace."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def flip(content, place):
    content[place % len(content)] ^= 1 << place % 8


def truncate(content, place):
    del content[place % len(content) :]


def zeros(content, place):
    """A block that the disk never wrote."""
    place %= len(content)
    content[place : place + 512] = bytes(len(content[place : place + 512]))


def empty(content, place):
    content.clear()


def lengthen(content, place):
    content += content[: 1 + place % len(content)]


DAMAGES = flip, truncate, zeros, empty, lengthen


@given(st.binary(min_size=1, max_size=2000), st.sampled_from(DAMAGES), st.integers(0, 10_000))
def test_what_is_damaged_anywhere_is_not_read(tmp_path_factory, content, damage, place):
    file = tmp_path_factory.mktemp("kept") / "file"
    cache.write(file, content)
    written = file.read_bytes()
    damaged = bytearray(written)
    damage(damaged, place)
    file.write_bytes(damaged)
    assert cache.read(file) == (content if damaged == written else None)


def test_a_file_under_anothers_name_is_not_read(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        cache.write(tmp_path / name / "a", b"a")
    cache.write(tmp_path / "one" / "b", b"b")
    (tmp_path / "one" / "a").rename(tmp_path / "aside")
    (tmp_path / "one" / "b").rename(tmp_path / "one" / "a")
    (tmp_path / "aside").rename(tmp_path / "one" / "b")
    shutil.copy(tmp_path / "other" / "a", tmp_path / "one" / "c")
    assert [cache.read(tmp_path / "one" / name) for name in "abc"] == [None] * 3


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_read_and_does_not_hang(tmp_path, make):
    make(tmp_path / "file")
    assert cache.read(tmp_path / "file") is None
    cache.write(tmp_path / "file", b"content")
    assert cache.read(tmp_path / "file") in (b"content", None)  # a folder stays where it is


@pytest.mark.slow
def test_kernels_compute_the_same_whatever_is_damaged(filled, tmp_path):
    """Each kind of file is damaged in each way, and all of them are whole again afterwards."""
    folder, expected = filled
    shutil.copytree(folder, tmp_path / "cache")
    kinds = {}
    for file in sorted((tmp_path / "cache").rglob("*")):
        if file.is_file():
            kinds.setdefault(file.name.partition("_")[0].partition("-")[0], []).append(file)
    assert {"tasks", "numba"} < set(kinds)
    files = [file for of_kind in kinds.values() for file in of_kind]
    for number, file in enumerate(files):
        content = bytearray(file.read_bytes())
        DAMAGES[number % len(DAMAGES)](content, 97 * number)
        file.write_bytes(content)
    assert run(KERNELS, MINIGAN_CACHE=str(tmp_path / "cache")) == expected
    assert all(cache.read(file) for file in files)


@pytest.mark.slow
def test_nothing_in_the_cache_is_unpickled_unless_it_is_what_was_written(filled, tmp_path):
    """Files are swapped in a circle, or pickles of another origin: none is run. Some are whole, but hold what other
    versions pickle: they are compiled again."""
    folder, expected = filled
    shutil.copytree(folder, tmp_path / "cache")
    files = [file for file in sorted((tmp_path / "cache").rglob("*")) if file.is_file()]
    contents = [file.read_bytes() for file in files]
    others = []
    for number, file in enumerate(files):
        if number % 3 == 0 or file.name.startswith("numba"):
            cache.write(file, pickle.dumps([None, (file.name, "object", (b"", b"", None))][number % 2]))
            others.append((file, cache.read(file)))
        else:
            file.write_bytes(contents[number - 1] if number % 3 == 1 else pickle.dumps(Trap(tmp_path / "trace")))
    assert run(KERNELS, MINIGAN_CACHE=str(tmp_path / "cache")) == expected
    assert not any(cache.read(file) == content for file, content in others)
    assert not (tmp_path / "trace").exists()


SAFE = "from minigan.kernels.cpu.runtime import cached; print(cached.FOLDER)"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has other permissions")
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o702, 0o1777])
@pytest.mark.parametrize("place", ["", "kernels"])
def test_a_folder_that_others_can_write_is_refused_in_a_sentence(tmp_path, monkeypatch, place, mode):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "cache"))
    assert cache.safe_folder("kernels") == tmp_path / "cache" / "kernels"
    (tmp_path / "cache" / place).chmod(mode)
    if mode & stat.S_ISVTX:  # as in /tmp: there, others cannot replace what is ours
        assert cache.safe_folder("kernels") is not None
    else:
        with pytest.warns(cache.CacheWarning, match="other users could write into .*cache"):
            assert cache.safe_folder("kernels") is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has other permissions")
def test_what_another_user_owns_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))
    cache.write(tmp_path / "file", b"content")
    user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: user)
    status = (tmp_path / "file").stat()
    assert cache.only_ours(status) == (status.st_uid == 0)  # root can do everything anyway
    monkeypatch.setattr(cache, "only_ours", lambda status: False)
    assert cache.read(tmp_path / "file") is None
    with pytest.warns(cache.CacheWarning):
        assert cache.safe_folder("kernels") is None


def test_a_file_that_others_can_write_is_not_read(tmp_path):
    cache.write(tmp_path / "file", b"content")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    (tmp_path / "file").chmod(0o666)
    assert cache.read(tmp_path / "file") == (None if hasattr(os, "geteuid") else b"content")


def no_room(*arguments):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_without_room_nothing_is_kept_and_nothing_lies_about(tmp_path, monkeypatch, call):
    cache.write(tmp_path / "file", b"before")
    monkeypatch.setattr(os, call, no_room)
    cache.write(tmp_path / "file", b"after")
    assert cache.read(tmp_path / "file") == b"before"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("home", ["/dev/null", "/proc/none", None])
def test_without_a_home_there_is_no_cache_and_no_matter(monkeypatch, home):
    monkeypatch.delenv("MINIGAN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if home:
        monkeypatch.setenv("HOME", home)
    else:  # as in a container whose user has no entry in passwd
        monkeypatch.setattr(Path, "expanduser", lambda path: (_ for _ in ()).throw(RuntimeError("no home")))
    assert cache.safe_folder("kernels") is None
