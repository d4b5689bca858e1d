"""Fetching files into the cache folder: checked, resumed where they were cut, never half there."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from minigan.errors import DataError

BLOCK = 1 << 18  # bytes read at a time
TIMEOUT = 30  # seconds without a byte
TRIES = 3  # connections in a row that bring nothing new

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Remote:
    """A file on a server: where it is, its size in bytes and its SHA-256."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


def cache_folder() -> Path:
    """Where downloads are kept: the environment's MINIGAN_DATA, or ~/.cache/minigan/data.

    A user without a home, as in many containers, has them in the system's temporary folder.
    """
    try:
        return Path(os.environ.get("MINIGAN_DATA") or "~/.cache/minigan/data").expanduser()
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"minigan-{os.getuid()}" / "data"


def fetch_all(remotes: Iterable[Remote], folder: Path, report: Report | None = None):
    """Fetch the files that the folder does not have yet.

    raises DataError saying what went wrong and which files to fetch by hand
    """
    remotes = list(remotes)
    for remote in remotes:
        try:
            fetch(remote, folder, report)
        except DataError as error:
            urls = "\n".join(f"  {each.url}" for each in remotes)
            raise DataError(
                f"{error}\nTo use files that you fetch yourself, put these in one folder and name it with "
                f"--data-dir (from Python: data_dir=):\n{urls}"
            ) from error


def fetch(remote: Remote, folder: Path, report: Report | None = None) -> Path:
    """Fetch one file, unless the folder has it. What a cut left behind is continued, not fetched again.

    report: called with (name, bytes there, bytes in all) as they arrive
    returns: the file's path
    raises DataError where there is no network, the server refuses, the check sum differs or the disk is full
    """
    target = folder / remote.name
    if target.exists():
        return target
    part = folder / f"{remote.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the cache folder {folder}: {error.strerror}") from error
    if _size(part) != remote.size:
        _download(remote, part, report)
    _check(remote, part)
    os.replace(part, target)
    return target


class _CutError(Exception):
    """The connection ended early; what arrived is kept and another may continue."""


def _download(remote: Remote, part: Path, report: Report | None):
    """Connect until the server has sent all it has; give up after TRIES connections without a new byte."""
    idle = 0
    while True:
        before = _size(part)
        try:
            return _receive(remote, part, report)
        except _CutError as cut:
            idle = idle + 1 if _size(part) <= before else 0
            if idle == TRIES:
                raise DataError(
                    f"{remote.url}: cut after {_size(part)} of {remote.size} bytes ({cut}); "
                    f"they are kept in {part}: run again to continue"
                ) from cut


def _receive(remote: Remote, part: Path, report: Report | None):
    """One connection: append what it sends to `part`, which continues at its present size."""
    from http.client import HTTPException

    have = _size(part)
    with _connected(remote, part, have) as response:
        if have and response.status != 206:
            have = 0  # the server does not resume: it sends the file from its beginning
        elif have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise _CutError("the server sent another range than asked for")
        promised = response.headers.get("Content-Length")
        end = remote.size if promised is None else have + int(promised)
        if end != remote.size:  # a log-in page, say; what was kept stays
            raise DataError(f"{remote.url}: the server sends {end} bytes, expected {remote.size}: another file")
        with _writable(part, "r+b" if have else "wb") as file:
            file.seek(have)
            while have < remote.size:
                try:
                    block = response.read(min(BLOCK, remote.size - have))
                except (OSError, HTTPException) as error:
                    raise _CutError(error) from error
                if not block:
                    raise _CutError("the connection was closed")
                _write(file, block, part)
                have += len(block)
                if report:
                    report(remote.name, have, remote.size)


def _connected(remote: Remote, part: Path, have: int):
    """Ask for the file from byte `have` on."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    headers = {"User-Agent": "minigan", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        return urlopen(Request(remote.url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:
            part.unlink()  # longer than the server's file: it cannot be its beginning
            raise _CutError("the server has fewer bytes than were kept") from error
        raise DataError(f"{remote.url}: the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise DataError(f"{remote.url}: no connection ({reason})") from error


def _check(remote: Remote, part: Path):
    """Hold `part` against its SHA-256; one that fails is of no use and goes."""
    digest = hashlib.sha256()
    with open(part, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != remote.sha256:
        size = _size(part)
        part.unlink()
        raise DataError(
            f"{remote.url}: wrong check sum: SHA-256 {digest.hexdigest()} of {size} bytes, expected "
            f"{remote.sha256} of {remote.size}; what arrived is deleted, run again to fetch it anew"
        )


def _writable(part: Path, mode: str):
    try:
        return open(part, mode)
    except OSError as error:
        raise DataError(f"cannot write {part}: {error.strerror}") from error


def _write(file, block: bytes, part: Path):
    try:
        file.write(block)
        file.flush()  # so that a full disk shows here, and Ctrl-C leaves what arrived
    except OSError as error:
        raise DataError(f"cannot write {part}: {error.strerror}") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
