"""The files under a folder: links are followed, loops end, and whatever is passed over is counted."""

import os
import stat
from collections import Counter
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
EMPTY = "empty"
WAYS = 1000  # that links may lead to one folder; chains of them multiply

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
    left_out: counts what was passed over
    raises DataError for a folder that cannot be read, or to which links lead in too many ways
    """
    waiting = [("", (_place(folder),))]
    ways: Counter[tuple[int, int]] = Counter()
    while waiting:
        above, inside = waiting.pop()
        entries = _entries(folder / above)
        if above and not entries:
            left_out.add(EMPTY, above)
        for entry in entries:
            path = f"{above}{entry.name}"
            if reason := passed_over(entry.name) or _odd(entry):
                left_out.add(reason, path)
            elif entry.is_file():
                yield path
            elif (place := _place(entry.path)) in inside:
                left_out.add(LOOP, path)
            else:
                ways[place] += 1
                check_ways(ways[place], folder / path)
                waiting.append((f"{path}/", (*inside, place)))


def check_ways(number: int, folder: Path | str) -> None:
    """Raise DataError where links lead to a folder in more ways than anybody means."""
    if number > WAYS:
        raise DataError(f"{folder}: links lead to this folder in over {WAYS:,} ways; remove those that are not meant")


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read. Raises DataError for anything else, instead of waiting for it."""
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DataError(f"{path}: is a pipe, a socket or a device; only files are read")
    return file


def _without_waiting(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from error


def _odd(entry: os.DirEntry) -> str | None:
    """Why there is nothing to read behind a name; None where there is a file or a folder."""
    try:
        if entry.is_file() or entry.is_dir():
            return None
        return BROKEN if entry.is_symlink() and not os.path.exists(entry.path) else SPECIAL
    except PermissionError as error:
        raise DataError(f"{entry.path}: {error.strerror}") from error
    except OSError:  # a link to itself
        return BROKEN


def _place(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
