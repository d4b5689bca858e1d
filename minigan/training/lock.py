"""A lock that one process holds at a time. The system releases it however that process ends, so none is ever stale."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from pathlib import Path

from minigan.training import files

try:
    import fcntl
except ImportError:  # not a Unix system: folders are not locked there
    fcntl = None


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
            raise files.failure(self.path, error) from error
        return True

    def release(self) -> None:
        """Remove the file and let others take the lock; nothing where it is not held."""
        if self._descriptor is not None:
            files.remove(self.path)
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
