"""The folder in which compiled code is kept between processes, and the files there that may be believed.

Loading such a file runs what is in it. So a file is read only if nobody else can have written it, and its content is
used only if its length and SHA-256 are those that it was written with. The hash covers the file's place too: a file
under another's name does not match. Whatever does not match is as good as absent, and is written anew.
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
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe in a file's place: no waiting


class CacheWarning(UserWarning):
    """A cache that cannot be used; what it would hold is made anew, so results are the same."""


def safe_folder(name: str) -> Path | None:
    """The folder of this name in `$MINIGAN_CACHE` or ~/.cache/minigan, made where it is not there.

    None where there can be none; with a CacheWarning where there is one that others could put files into
    """
    base = os.environ.get("MINIGAN_CACHE") or (os.environ.get("XDG_CACHE_HOME") or "~/.cache") + "/minigan"
    try:
        folder = Path(base).expanduser() / name
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        shared = [place for place in (folder.parent, folder) if not only_ours(place.stat())]
    except (OSError, RuntimeError):  # RuntimeError: there is no home
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
    if not hasattr(os, "geteuid"):  # such permissions are not of this system
        return True
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX  # there, each can change their own only
    return status.st_uid in (os.geteuid(), 0) and (not others or bool(sticky))


def read(path: Path) -> bytes | None:
    """The content that `write` put there; None where there is none that can be believed."""
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
    """Put a file in place, whole, for `read`. Where that is not possible (no room, not allowed) nothing happens."""
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
    """Of a file's place, within the folder of all caches, and its content."""
    state = hashlib.sha256(f"{path.parent.name}/{path.name}\0".encode())
    state.update(content)
    return state.digest()
