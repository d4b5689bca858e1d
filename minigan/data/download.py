"""Download files into the cache folder: verified by checksum, resumed after interruptions, never partly in place."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from minigan.data.sources import Remote, Report
from minigan.errors import DataError

BLOCK = 1 << 18  # bytes read at a time
TIMEOUT = 30  # seconds in which a server must answer, and in which at least SLOWEST bytes must arrive
SLOWEST = 1000
TRIES = 3  # give up after this many connections in a row that bring less than a block of new bytes
WAIT = 1.0  # seconds before the second try; doubled before each further one
POLL = 0.2  # seconds between checks whether another process is still downloading the file
BUSY = 408, 425, 429, 500, 502, 503, 504  # status codes after which a later try may succeed


def fetch_all(remotes: Iterable[Remote], folder: Path, report: Report | None = None):
    """Download the files that are not in the folder yet.

    raises DataError saying what went wrong and which files to download by hand
    """
    remotes = list(remotes)
    for remote in remotes:
        try:
            fetch(remote, folder, report)
        except DataError as error:
            urls = "\n".join(f"  {each.url}" for each in remotes)
            raise DataError(
                f"{error}\nTo download the files yourself, put these in one folder and name it with "
                f"--data-dir (from Python: data_dir=):\n{urls}"
            ) from error


def fetch(remote: Remote, folder: Path, report: Report | None = None) -> Path:
    """Download one file, unless the folder has it undamaged. An interrupted download is resumed.

    Only one process downloads a file at a time; others wait for it.

    report: called with (name, bytes so far, total bytes) as they arrive
    returns: the file's path
    raises DataError if there is no network, the server refuses, the checksum differs or the disk is full
    """
    target = folder / remote.name
    if _is_sound(remote, target):
        return target
    damaged = target.exists()
    part = folder / f"{remote.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot create the cache folder {folder}: {error.strerror}") from error
    try:
        with _claimed(remote, part, report):
            if _is_sound(remote, target):  # downloaded by the process that held the claim before
                return target
            if _size(part) != remote.size:
                _download(remote, part, report)
            _check(remote, part)
            _moved(part, target)
    except DataError as error:
        if damaged:
            raise DataError(
                f"{target} is damaged (its SHA-256 is not {remote.sha256}) and cannot be downloaded again:\n{error}"
            ) from error
        raise
    return target


@contextmanager
def _claimed(remote: Remote, part: Path, report: Report | None) -> Iterator[None]:
    """Wait for the exclusive claim to write a partial file, and hold it. It ends with the process at the latest."""
    while True:
        with _writable(part, "ab") as file:
            while not _locked(file):
                if report:
                    report(remote.name, min(_size(part), remote.size - 1), remote.size)
                time.sleep(POLL)
            if not _lies_at(file, part):
                continue  # the process that held the claim has moved or removed it
            try:
                yield
            finally:
                if _lies_at(file, part) and _size(part) == 0:
                    part.unlink()
            return


def _locked(file) -> bool:
    """Lock an open file; False if another process holds the lock. If locks are not supported, assume it is free."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        pass  # two processes may then write, but they write the same bytes, and both verify the result
    return True


def _lies_at(file, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _download(remote: Remote, part: Path, report: Report | None):
    """Reconnect until the file is complete; give up after TRIES connections in a row that bring almost nothing new."""
    idle, furthest = 0, _size(part)
    while True:
        try:
            return _receive(remote, part, report)
        except _CutError as cut:
            idle, furthest = (0, _size(part)) if _size(part) >= furthest + BLOCK else (idle + 1, furthest)
            if idle == TRIES:
                raise DataError(
                    f"{remote.url}: {cut}; gave up with {_size(part)} of {remote.size} bytes: run again to continue"
                ) from cut
            if idle:
                time.sleep(WAIT * 2 ** (idle - 1))


class _CutError(Exception):
    """The connection ended early; the bytes that arrived are kept, and another connection may continue."""


def _receive(remote: Remote, part: Path, report: Report | None):
    """Open one connection, and append the bytes it sends to `part`."""
    have = _size(part)
    with _connected(remote, part, have) as response:
        if have and response.status != 206:
            have = 0  # the server cannot resume, and sends the file from its beginning
        elif have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            _emptied(part)
            raise _CutError("the server sent a different range than requested")
        promised = response.headers.get("Content-Length", str(remote.size - have))
        if promised != str(remote.size - have):  # perhaps a login page; keep the partial file
            size = have + int(promised) if promised.isdecimal() and len(promised) < 20 else repr(promised[:20])
            raise DataError(f"{remote.url}: the server sends {size} bytes, expected {remote.size}: a different file")
        if _size(part) > have:
            _emptied(part)
        with _writable(part, "ab") as file:
            for block in _blocks(response, remote.size - have):
                _write(file, block, part)
                have += len(block)
                if report:
                    report(remote.name, have, remote.size)


def _blocks(response, size: int) -> Iterator[bytes]:
    """Yield `size` bytes as they arrive. Raises _CutError if the connection ends early or is too slow."""
    from http.client import HTTPException

    counted, since = 0, time.monotonic()
    while size:
        try:
            block = response.read1(min(BLOCK, size))
        except (OSError, HTTPException) as error:
            raise _CutError(error) from error
        if not block:
            raise _CutError("the connection was closed")
        yield block
        size, counted = size - len(block), counted + len(block)
        if time.monotonic() - since > TIMEOUT:
            if counted < SLOWEST:
                raise _CutError(f"{counted} bytes in {TIMEOUT} seconds")
            counted, since = 0, time.monotonic()


def _connected(remote: Remote, part: Path, have: int):
    """Request the file, starting at byte `have`."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    headers = {"User-Agent": "minigan", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        return _in_time(lambda: urlopen(Request(remote.url, headers=headers), timeout=TIMEOUT))
    except TimeoutError as error:
        raise DataError(f"{remote.url}: no answer in {TIMEOUT} seconds") from error
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:
            _emptied(part)  # it is longer than the server's file, so it is not a part of that
            raise _CutError("the server has fewer bytes than the partial file") from error
        if error.code in BUSY:
            raise _CutError(f"the server answers {error.code} {error.reason}") from error
        raise DataError(f"{remote.url}: the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a redirection to an invalid address
        reason = error.reason if isinstance(error, URLError) else error
        raise DataError(f"{remote.url}: no connection ({reason})") from error


def _in_time(work: Callable):
    """Run `work` in a thread and return its result. Raises TimeoutError after TIMEOUT seconds and abandons the thread.

    A socket's own timeout applies to each byte of the response headers, and name resolution has no timeout at all.
    """
    future = Future()

    def answer():
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=answer, daemon=True).start()
    return future.result(TIMEOUT)


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _is_sound(remote: Remote, target: Path) -> bool:
    """Whether a file exists and has the right size and SHA-256. It may have been damaged after the download."""
    return _size(target) == remote.size and _digest(target) == remote.sha256


def _check(remote: Remote, part: Path):
    """Verify the SHA-256 of `part`; delete it if it differs."""
    found, size = _digest(part), _size(part)
    if found != remote.sha256:
        part.unlink()
        raise DataError(
            f"{remote.url}: wrong checksum: SHA-256 {found} of {size} bytes, expected "
            f"{remote.sha256} of {remote.size}; the download was deleted, run again to repeat it"
        )


def _writable(part: Path, mode: str):
    try:
        return open(part, mode)
    except OSError as error:
        raise DataError(f"cannot write {part}: {error.strerror}") from error


def _write(file, block: bytes, part: Path):
    try:
        file.write(block)
        file.flush()  # so that a full disk is noticed here, and Ctrl-C keeps all bytes that arrived
    except OSError as error:
        raise DataError(f"cannot write {part}: {error.strerror}") from error


def _moved(part: Path, target: Path):
    try:
        os.replace(part, target)
    except OSError as error:
        raise DataError(f"cannot move the download to {target}: {error.strerror}") from error


def _emptied(part: Path):
    try:
        os.truncate(part, 0)
    except OSError as error:
        raise DataError(f"cannot write {part}: {error.strerror}") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
