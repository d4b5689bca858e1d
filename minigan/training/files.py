"""Atomic file writes, the lock of a run folder, and the replacement of one run by another.

A file is written under another name, flushed to disk, then renamed. The system releases the lock however its process
ends, so the lock is never stale.

At every moment, a folder holds a complete run. A new run is written into a subfolder of the old run's folder. Once it
is complete, a single rename commits it: before the rename the folder holds the old run, after it the new one, whose
files only need to be moved up. The next process that opens the folder finishes an interrupted move, so each step below
can be repeated:

    new-run/         being written, or left by a process that died; the old run is untouched
    new-run-whole/   committed; files of the old run that the new one does not overwrite are being removed
    new-run-moving/  the new run's files are being moved up, each by a rename over the old run's file
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
except ImportError:  # not Unix: folders are not locked
    fcntl = None


SUFFIX = ".part"  # of files being written


def write(path: Path, content: bytes) -> None:
    """Write a file completely, or leave the old one unchanged.

    raises RunError with the path if the disk is full or the file cannot be written
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
        remove(beside)  # if an error or Ctrl-C prevented the rename


def check_place(path: Path) -> None:
    """Raise RunError if a path that does not exist evidently cannot be created."""
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise RunError(f"{path}: cannot be created; {parent} is not a folder")
    check_writable(path, parent)


def check_writable(path: Path, folder: Path) -> None:
    """Raise RunError, naming `path`, if files in `folder` cannot be created or removed."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"{path}: cannot be written; {folder.absolute()} is not writable")


def failure(path: Path, error: OSError) -> RunError:
    """Return the RunError for a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(f"{path}: the disk is full; free some space")
    return RunError(f"{path}: cannot be written ({error.strerror or error})")


def remove(path: Path) -> None:
    """Remove a file if it exists and can be removed."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Flush a folder's renamed, created and removed entries to disk, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    with contextlib.suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)


class ReservedSpace:
    """Disk space reserved for a file, so that it can be saved even if the disk fills up."""

    def __init__(self, path: Path):
        self.path = path

    def take(self, size: int) -> None:
        """Reserve `size` bytes. Raises RunError if there is not enough space."""
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
    """A lock file. Its lock shows that a process is writing the run; its content says which process.

    On file systems without locks, it is always free.
    """

    def __init__(self, path: Path):
        self.path = path
        self._descriptor = None

    def take(self, wait: bool = False) -> bool:
        """Take the lock, creating its file. Returns False if another process holds it, unless `wait` is set.

        raises RunError if the file cannot be written
        """
        try:
            while self._descriptor is None:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
                if not _locked(descriptor, wait):
                    os.close(descriptor)
                    return False
                if _is_at(descriptor, self.path):  # otherwise its holder just removed the file
                    self._descriptor = descriptor
                    self._sign()
                else:
                    os.close(descriptor)
        except OSError as error:
            raise failure(self.path, error) from error
        return True

    def release(self) -> None:
        """Remove the file and release the lock, if it is held."""
        if self._descriptor is not None:
            remove(self.path)
            os.close(self._descriptor)
            self._descriptor = None

    def is_held(self) -> bool:
        """Return whether a process holds the lock. Creates no file."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except OSError:
            return False
        try:
            return not _locked(descriptor)
        finally:
            os.close(descriptor)

    def holder(self) -> str:
        """Return who holds the lock, as "process 4711 on thishost, since 14:03 on 30 November 2026"."""
        try:
            signed = json.loads(self.path.read_text(encoding="utf-8"))
            began = time.strftime("%H:%M on %d %B %Y", time.localtime(signed["started"]))
            return f"process {signed['process']} on {signed['host']}, since {began}"
        except (OSError, ValueError, KeyError, TypeError):  # the holder is writing the file
            return "another process"

    def _sign(self):
        signed = {"process": os.getpid(), "host": platform.node(), "started": round(time.time())}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(signed).encode(), 0)


def _locked(descriptor, wait=False):
    """Try to lock an open file. Returns False if another process holds the lock."""
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
    """Create the folder that the new run is written into.

    weights: the name of the weights file; unfinished new runs that have one are kept until this run is complete
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
    """Replace the old run by the new one.

    raises RunError, before the commit, if a folder of the old run is not writable
    """
    for inner in (each for each in place.rglob("*") if each.is_dir()):
        target = folder / str(inner.relative_to(place))
        target.mkdir(exist_ok=True)
        check_writable(folder.path, target)
    os.rename(place, folder / WHOLE)
    flush_folder(folder.path)
    finish_replacement(folder)


def is_cut_off(folder: RunFolder) -> bool:
    """Return whether a new run was committed but not completely moved."""
    return decided_place(folder) is not None


def decided_place(folder: RunFolder) -> Path | None:
    """Return the folder of a committed new run whose files have not all been moved yet, or None."""
    return next((place for place in (folder / WHOLE, folder / MOVING) if os.path.exists(place)), None)


def finish_replacement(folder: RunFolder) -> None:
    """Move a committed new run into place, resuming where it was interrupted. Does nothing if there is none."""
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
    """Return the folders of new runs that were never completed."""
    names = (each.name for each in folder.path.iterdir() if each.is_dir())
    return [type(folder)(folder / name) for name in names if is_new_run(name) and name not in (WHOLE, MOVING)]


def is_new_run(name: str) -> bool:
    """Return whether a subfolder of this name in a run folder counts as a new run, and so may be removed."""
    return re.fullmatch(rf"{NEW}(-\d+|-whole|-moving)?", name) is not None
