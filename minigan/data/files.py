"""Find files under a folder, open and decompress them, and recognize them by their first bytes."""

import os
import stat
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from minigan.data.dataset import LeftOut
from minigan.errors import DataError

HIDDEN = "hidden"
SYSTEM = "in a system folder"
SPECIAL = "not a regular file"
BROKEN = "behind a broken link"
LOOP = "behind a circular link"
EMPTY = "empty"
MOST_LINK_PATHS = 1000  # the most ways in which links may lead to one folder; chains of links multiply them

# Folders made by file systems, network drives, archivers and editors, in lower case.
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


def skip_reason(name: str) -> str | None:
    """Why files and folders with this name are skipped; None if they are not."""
    if name.startswith("."):
        return HIDDEN
    return SYSTEM if name.lower() in SYSTEM_FOLDERS else None


def walk(folder: Path, left_out: LeftOut) -> Iterator[str]:
    """Yield the names of all regular files under a folder, relative to it, with forward slashes.

    A folder is entered through every link to it, except from inside itself.
    left_out: counts skipped files and folders
    raises DataError for a folder that cannot be read, or that links reach in too many ways
    """
    waiting = [("", (_inode(folder),))]
    link_paths: Counter[tuple[int, int]] = Counter()
    while waiting:
        above, inside = waiting.pop()
        entries = _entries(folder / above)
        if above and not entries:
            left_out.add(EMPTY, above)
        for entry in entries:
            path = f"{above}{entry.name}"
            if reason := skip_reason(entry.name) or _special_reason(entry):
                left_out.add(reason, path)
            elif entry.is_file():
                yield path
            elif (inode := _inode(entry.path)) in inside:
                left_out.add(LOOP, path)
            else:
                link_paths[inode] += 1
                check_link_paths(link_paths[inode], folder / path)
                waiting.append((f"{path}/", (*inside, inode)))


def check_link_paths(number: int, folder: Path | str) -> None:
    """Raise DataError if links lead to a folder in implausibly many ways."""
    if number > MOST_LINK_PATHS:
        raise DataError(
            f"{folder}: links lead to this folder in over {MOST_LINK_PATHS:,} ways; remove the unintended ones"
        )


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises DataError for anything else, instead of blocking on it."""
    file = open(path, "rb", opener=_without_blocking)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DataError(f"{path}: a pipe, a socket or a device; only regular files are read")
    return file


def _without_blocking(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from error


def _special_reason(entry: os.DirEntry) -> str | None:
    """Why a folder's entry cannot be read; None if it is a file or a folder."""
    try:
        if entry.is_file() or entry.is_dir():
            return None
        return BROKEN if entry.is_symlink() and not os.path.exists(entry.path) else SPECIAL
    except PermissionError as error:
        raise DataError(f"{entry.path}: {error.strerror}") from error
    except OSError:  # a link to itself
        return BROKEN


def _inode(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


BLOCK = 1 << 20  # bytes


def _gzip(file: BinaryIO) -> BinaryIO:
    import gzip

    return gzip.open(file, "rb")


def _bzip2(file: BinaryIO) -> BinaryIO:
    import bz2

    return bz2.open(file, "rb")


def _xz(file: BinaryIO) -> BinaryIO:
    import lzma

    return lzma.open(file, "rb")


DECOMPRESSORS: dict[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x1f\x8b": _gzip,
    b"BZh": _bzip2,
    b"\xfd7zXZ\0": _xz,
}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading; decompress it if its content (not its name) is gzip, bzip2 or xz."""
    with open_regular(path) as file:
        start = file.read(max(map(len, DECOMPRESSORS)))
        file.seek(0)
        decompress = next((how for magic, how in DECOMPRESSORS.items() if start.startswith(magic)), None)
        if decompress is None:
            yield file
            return
        with decompress(file) as decompressed:
            yield decompressed


def read_at_most(stream: BinaryIO, most: int) -> bytes:
    """Read the next bytes, up to `most`. Memory grows with the bytes that arrive, whatever a header promised."""
    content = bytearray()
    while len(content) < most and (block := stream.read(min(BLOCK, most - len(content)))):
        content += block
    return bytes(content)


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Turn the errors of reading a broken file into a DataError that names it."""
    import lzma

    try:
        yield
    except EOFError as error:
        raise DataError(f"{path}: truncated: the compressed data ends before its end mark") from error
    except (zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path}: corrupt compressed data ({error})") from error
    except MemoryError as error:
        raise DataError(f"{path}: there is not enough memory to read it") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except OSError as error:  # includes gzip.BadGzipFile, which has no errno
        reason = f"corrupt compressed data ({error})" if error.errno is None else error.strerror
        raise DataError(f"{path}: {reason}") from error


EXTRACT = "extract it and name the folder"
CONVERT = "convert it to an .npz file with np.savez('data.npz', images=images, labels=labels)"
STARTS = {
    b"Rar!": ("a RAR archive", EXTRACT),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", EXTRACT),
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", "decompress it first"),
    b"\x89HDF\r\n": ("an HDF5 file", CONVERT),
    b"PAR1": ("a Parquet file", CONVERT),
    b"SQLite format 3": ("a database", CONVERT),
    b"MATLAB": ("a MATLAB file", CONVERT),
    b"\x80\x02": ("a pickle, which could run any program", CONVERT),
    b"\x80\x03": ("a pickle, which could run any program", CONVERT),
    b"\x80\x04": ("a pickle, which could run any program", CONVERT),
    b"\x80\x05": ("a pickle, which could run any program", CONVERT),
    b"\0\0\x08": ("one IDX file", "name the folder that contains it and its labels"),
    b"\x89PNG": ("one image", "name the folder that contains it"),
    b"\xff\xd8\xff": ("one image", "name the folder that contains it"),
    b"GIF8": ("one image", "name the folder that contains it"),
}
TABLES = (".csv", ".tsv", ".txt")
# For tables of digits with a column of labels, followed by one for each pixel.
TABLE = """a text table. If each row is a label and the pixels of an image, Python can convert it to an .npz file:
  import numpy as np
  rows = np.loadtxt({path!r}, np.int64, delimiter={delimiter!r}, skiprows=1)
  side = int((rows.shape[1] - 1) ** 0.5)
  images = rows[:, 1:].reshape(-1, side, side).astype(np.uint8)
  np.savez({npz!r}, images=images, labels=rows[:, 0])"""


def described(path: Path) -> str:
    """Describe a file that is not an archive of images by its first bytes, and what to do with it."""
    return recognized(path) or "not a folder, an archive (.tar, .zip) or an array (.npz, .npy)"


def recognized(path: Path) -> str | None:
    """Describe a file as `described` does; None if its first bytes are not known."""
    with open_regular(path) as file:
        start = file.read(32)
    if path.suffix.lower() in TABLES:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        return TABLE.format(path=str(path), delimiter=delimiter, npz=str(path.with_suffix(".npz")))
    return next((f"{what}; {how}" for magic, (what, how) in STARTS.items() if start.startswith(magic)), None)
