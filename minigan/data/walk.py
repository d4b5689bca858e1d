"""The files under a folder: links are followed, loops end, and whatever is passed over is counted."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minigan.data.left_out import LeftOut
from minigan.errors import DataError

HIDDEN = "hidden"
SYSTEM = "in a folder that a system keeps for itself"
SPECIAL = "neither file nor folder"
BROKEN = "linked to nothing"
LOOP = "linked in a circle"
VANISHED = "gone while the folder was read"

# Folders that file systems, network drives, archivers and editors make; lower case.
SYSTEM_FOLDERS = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@recently-snapshot",
        "@recycle",
        "@tmp",
        "__macosx",
        "__pycache__",
        "found.000",
        "lost+found",
        "network trash folder",
        "recycler",
        "system volume information",
        "temporary items",
    }
)


def passed_over(name: str) -> str | None:
    """Why no file or folder of this name is looked at, wherever it lies; None where it is."""
    if name.startswith("."):
        return HIDDEN
    return SYSTEM if name.lower() in SYSTEM_FOLDERS else None


def walk(folder: Path, left_out: LeftOut) -> Iterator[str]:
    """Yield the names of all regular files under a folder, relative to it, with forward slashes.

    A folder is entered through every link that leads to it, except from within itself.
    left_out: told what was passed over
    raises DataError for a folder that cannot be read
    """
    waiting = [("", (_place(os.stat(folder)),))]
    while waiting:
        above, inside = waiting.pop()
        for name in sorted(_entries(folder / above)):
            path = f"{above}{name}"
            reason = passed_over(name)
            status = None if reason else _status(folder / path)
            if status is None:
                left_out.add(reason or (BROKEN if os.path.islink(folder / path) else VANISHED), path)
            elif stat.S_ISREG(status.st_mode):
                yield path
            elif not stat.S_ISDIR(status.st_mode):
                left_out.add(SPECIAL, path)
            elif _place(status) in inside:
                left_out.add(LOOP, path)
            else:
                waiting.append((f"{path}/", (*inside, _place(status))))


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read. Raises DataError for anything else, instead of waiting for it."""
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DataError(f"{path}: is a pipe, a socket or a device; only files are read")
    return file


def _without_waiting(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _entries(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from error


def _status(path: Path) -> os.stat_result | None:
    """What a name leads to; None where that is nothing, or a link to itself."""
    try:
        return os.stat(path)
    except PermissionError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except OSError:
        return None


def _place(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
