"""The folder in which compiled code is kept between processes, and which of its files can be trusted.

Loading such a file runs the code in it. So a file is read only if no other user can have written it, and its content is
used only if it has the length and the SHA-256 with which it was written. The hash covers the file's path too, so that a
file under another one's name does not match. A file that does not match counts as absent and is replaced.
"""

import contextlib
import hashlib
import os
import stat
import struct
import tempfile
import warnings
from pathlib import Path

MAGIC = b"minigan cache 1\n"
HEAD = struct.Struct(f"<{len(MAGIC)}sQ32s")  # magic, length of the content, SHA-256
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # do not wait if the path is a pipe


class CacheWarning(UserWarning):
    """The cache cannot be used. Its content is compiled again in each process, so results are the same."""


def safe_folder(name: str) -> Path | None:
    """The folder of this name in `$MINIGAN_CACHE` or ~/.cache/minigan, created if it does not exist.

    returns: None if it cannot be created, or, with a CacheWarning, if other users could put files into it
    """
    base = os.environ.get("MINIGAN_CACHE") or (os.environ.get("XDG_CACHE_HOME") or "~/.cache") + "/minigan"
    try:
        folder = Path(base).expanduser() / name
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        shared = [place for place in (folder.parent, folder) if not only_ours(place.stat())]
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return None
    if not shared:
        return folder
    warnings.warn(
        f"the cache is not used: other users could write into {shared[0]}, and what is in a cache is run as code; "
        "take their permission away (chmod go-w), or set MINIGAN_CACHE to a folder of your own",
        CacheWarning,
        stacklevel=2,
    )
    return None


def only_ours(status: os.stat_result) -> bool:
    """Whether nobody but this user and root could have written a file or folder, by its status."""
    if not hasattr(os, "geteuid"):  # this system has a different permission model
        return True
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    sticky = (
        stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    )  # there, users can change only their own files
    return status.st_uid in (os.geteuid(), 0) and (not others or bool(sticky))


def read(path: Path) -> bytes | None:
    """The content that `write` put there; None if there is none that can be trusted."""
    try:
        with open(os.open(path, FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or not only_ours(status):
                return None
            magic, length, digest = HEAD.unpack(file.read(HEAD.size))
            if magic != MAGIC or length != status.st_size - HEAD.size:
                return None
            content = file.read(length)
    except (OSError, struct.error):
        return None
    return content if _digest(path, content) == digest else None


def write(path: Path, content: bytes) -> None:
    """Write a file for `read`, atomically. If that is impossible (a full disk, no permission), do nothing."""
    with contextlib.suppress(OSError):
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        try:
            with open(descriptor, "wb") as file:
                file.write(HEAD.pack(MAGIC, len(content), _digest(path, content)) + content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            os.unlink(beside)
            raise


def _digest(path, content):
    """A hash of a file's path within the folder of all caches, and of its content."""
    state = hashlib.sha256(f"{path.parent.name}/{path.name}\0".encode())
    state.update(content)
    return state.digest()
