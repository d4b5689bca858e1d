"""A run's files on the disk: put in place whole, one process at a time, and a run replaced without a moment in which
neither run is whole.

Files are written beside, flushed to the disk, then renamed. The system releases the lock however its process ends, so
it is never stale.

A new run is written into a folder inside the old one's. Once it is whole, one renaming decides: before it the folder
holds the old run, after it the new one, whose files then only have to be moved up. Whoever opens the folder next
finishes a move that was cut off, so each step below can be repeated:

    new-run/         being written, or left by a process that died; the old run is untouched
    new-run-whole/   decided; files of the old run that the new one does not overwrite are being removed
    new-run-moving/  the new run's files are being moved up, each over the old one's by one renaming
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from minigan.errors import RunError

if TYPE_CHECKING:
    from minigan.training.folder import RunFolder

try:
    import fcntl
except ImportError:  # not a Unix system: folders are not locked there
    fcntl = None


SUFFIX = ".part"  # of a file that is being written


def write(path: Path, content: bytes) -> None:
    """Put a file in place, whole, or leave what was there.

    raises RunError naming the path where the disk is full or does not let us
    """
    beside = path.with_name(path.name + SUFFIX)
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        flush_folder(path.parent)
    except OSError as error:
        raise failure(path, error) from error
    finally:
        remove(beside)  # where anything, Ctrl-C too, came before it was renamed


def check_place(path: Path) -> None:
    """Raise RunError where nothing can be made at a path that is not there, as far as that is known beforehand."""
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise RunError(f"{path}: cannot be made, {parent} is not a folder")
    check_writable(path, parent)


def check_writable(path: Path, folder: Path) -> None:
    """Raise RunError, about a path, where nothing can be made in or removed from a folder."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"{path}: cannot be written, {folder.absolute()} is not writable")


def failure(path: Path, error: OSError) -> RunError:
    """The error for a file that could not be written, in words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(f"{path}: the disk is full; make room on it")
    return RunError(f"{path}: cannot be written ({error.strerror or error})")


def remove(path: Path) -> None:
    """Remove a file if it is there and can be removed."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Make what was renamed, made or removed in a folder last, where folders can be flushed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    with contextlib.suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)


class Room:
    """Space on the disk set aside for a file, so that a disk which fills up later cannot keep it from being saved."""

    def __init__(self, path: Path):
        self.path = path

    def take(self, size: int) -> None:
        """Set `size` bytes aside. Raises RunError where there is no room."""
        try:
            with open(self.path, "wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, max(size, 1))
                else:
                    file.write(bytes(size))
        except OSError as error:
            self.free()
            raise failure(self.path, error) from error

    def free(self) -> None:
        remove(self.path)


# ------------------------------------------------------------------------------------------------------------- the lock


class Lock:
    """A file whose lock says that a process is at work, and whose content says which one.

    Where the file system knows no locks, it is always free.
    """

    def __init__(self, path: Path):
        self.path = path
        self._descriptor = None

    def take(self, wait: bool = False) -> bool:
        """Take the lock, making its file; False where another process holds it and `wait` is not set.

        raises RunError where the file cannot be written
        """
        try:
            while self._descriptor is None:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
                if not _locked(descriptor, wait):
                    os.close(descriptor)
                    return False
                if _is_at(descriptor, self.path):  # otherwise its holder has just removed the file
                    self._descriptor = descriptor
                    self._sign()
                else:
                    os.close(descriptor)
        except OSError as error:
            raise failure(self.path, error) from error
        return True

    def release(self) -> None:
        """Remove the file and let others take the lock; nothing where it is not held."""
        if self._descriptor is not None:
            remove(self.path)
            os.close(self._descriptor)
            self._descriptor = None

    def is_held(self) -> bool:
        """Whether a process holds the lock. Makes no file."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except OSError:
            return False
        try:
            return not _locked(descriptor)
        finally:
            os.close(descriptor)

    def holder(self) -> str:
        """Who holds the lock, as "process 4711 on thishost, since 14:03 on 30 November 2026"."""
        try:
            signed = json.loads(self.path.read_text(encoding="utf-8"))
            began = time.strftime("%H:%M on %d %B %Y", time.localtime(signed["started"]))
            return f"process {signed['process']} on {signed['host']}, since {began}"
        except (OSError, ValueError, KeyError, TypeError):  # it is just being signed
            return "another process"

    def _sign(self):
        signed = {"process": os.getpid(), "host": platform.node(), "started": round(time.time())}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(signed).encode(), 0)


def _locked(descriptor, wait=False):
    """Whether the lock of an open file could be taken, or the file system has no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        return True
    return True


def _is_at(descriptor, path):
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


# ------------------------------------------------------------------------------------------------------ replacing a run

NEW, WHOLE, MOVING = "new-run", "new-run-whole", "new-run-moving"


def begin_replacement(folder: RunFolder, weights: str) -> Path:
    """Make the folder that the new run is written into.

    weights: the name of the file that makes an earlier new run, of a process that died, worth keeping until this one
        is whole
    """
    for left in _left_over(folder):
        if not (left / weights).is_file():
            left.remove()
    place, number = folder / NEW, 2
    while place.exists():
        place, number = folder / f"{NEW}-{number}", number + 1
    place.mkdir()
    return place


def commit_replacement(folder: RunFolder, place: Path) -> None:
    """Put the new run in the old one's place.

    raises RunError, before anything is decided, where a folder of the old run is not writable
    """
    for inner in (each for each in place.rglob("*") if each.is_dir()):
        target = folder / str(inner.relative_to(place))
        target.mkdir(exist_ok=True)
        check_writable(folder.path, target)
    os.rename(place, folder / WHOLE)
    flush_folder(folder.path)
    finish_replacement(folder)


def is_cut_off(folder: RunFolder) -> bool:
    """Whether a run was decided to be in place, but has not been moved there."""
    return decided_place(folder) is not None


def decided_place(folder: RunFolder) -> Path | None:
    """Where the files of a new run are that was decided to be in place, until they are moved there."""
    return next((place for place in (folder / WHOLE, folder / MOVING) if os.path.exists(place)), None)


def finish_replacement(folder: RunFolder) -> None:
    """Move a whole new run to its place, from wherever that was cut off. Nothing to do where there is none."""
    whole, moving = folder / WHOLE, folder / MOVING
    if whole.exists():
        for file in folder.own_files():
            if not (whole / file.relative_to(folder.path)).exists():
                file.unlink()
        os.rename(whole, moving)
    if moving.exists():
        for file in sorted(moving.rglob("*")):
            if not file.is_dir():
                target = folder / str(file.relative_to(moving))
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)
                flush_folder(target.parent)
        for left in _left_over(folder):
            left.remove()
        type(folder)(moving).remove_if_empty()


def _left_over(folder):
    """New runs that never became whole, as folders of the same class."""
    names = (each.name for each in folder.path.iterdir() if each.is_dir())
    return [type(folder)(folder / name) for name in names if is_new_run(name) and name not in (WHOLE, MOVING)]


def is_new_run(name: str) -> bool:
    """Whether a folder within a run's is taken for a new run that has not become whole, and removed in time."""
    return re.fullmatch(rf"{NEW}(-\d+|-whole|-moving)?", name) is not None
