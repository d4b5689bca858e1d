"""Writing files so that nothing is ever half there: beside, flushed to the disk, then renamed."""

import contextlib
import errno
import os
from pathlib import Path

from minigan.training.errors import RunError

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
