"""Files as bytes, from a folder, an archive or alone, gzipped or not, checked to their last byte."""

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from minigan.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
BLOCK = 1 << 20  # bytes
TAR_BLOCK = 512  # bytes

Member = tuple[str, Callable[[], bytes]]


def read_bytes(path: Path) -> bytes:
    """Read a whole file, unzipped if its content (not its name) says gzip.

    raises DataError naming the file where it is missing, unreadable, cut short or fails gzip's check sum
    """
    with _errors_named(path), _opened(path) as stream:
        return stream.read()


def members(path: Path) -> Iterator[Member]:
    """Walk the regular files of a folder, or of a .tar, gzipped or not, without extracting it.

    Yields (name, read): the name relative to the folder or archive, with forward slashes; `read()` gives the
    bytes and must be called before the next step. A folder comes in order of names, an archive in its own.
    raises DataError naming the file and what is wrong with it; an archive is checked to its end
    """
    return _folder_members(path) if path.is_dir() else _tar_members(path)


def _folder_members(folder: Path) -> Iterator[Member]:
    def refuse(error: OSError):
        raise DataError(f"{error.filename}: {error.strerror}")

    for root, folders, files in os.walk(folder, onerror=refuse):
        folders.sort()
        for file in sorted(files):
            path = Path(root, file)
            yield path.relative_to(folder).as_posix(), lambda path=path: _plain_bytes(path)


def _plain_bytes(path: Path) -> bytes:
    with _errors_named(path):
        return path.read_bytes()


def _tar_members(path: Path) -> Iterator[Member]:
    import tarfile

    with _errors_named(path), _opened(path) as stream:
        try:
            archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115
        except tarfile.TarError as error:
            raise DataError(f"{path}: neither a folder nor a tar archive, gzipped or not ({error})") from error
        with archive:
            try:
                for member in archive:
                    if member.isfile():
                        yield member.name.removeprefix("./"), lambda member=member: _tar_bytes(archive, member, path)
            except tarfile.TarError as error:
                raise DataError(f"{path}: corrupt or truncated archive ({error})") from error
            # tarfile takes a cut or damaged header for the end; the true end is a block of zeros.
            stream.seek(archive.offset)
            if stream.read(TAR_BLOCK) != bytes(TAR_BLOCK):
                raise DataError(f"{path}: corrupt or truncated archive: no end mark at byte {archive.offset}")
        while stream.read(BLOCK):  # gzip checks its sum only at its end
            pass


def _tar_bytes(archive, member, path: Path) -> bytes:
    import tarfile

    with _errors_named(path):
        try:
            return archive.extractfile(member).read()
        except tarfile.TarError as error:
            raise DataError(f"{path}: corrupt or truncated archive ({error})") from error


def _opened(path: Path):
    with open(path, "rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
    if not zipped:
        return open(path, "rb")
    import gzip

    return gzip.open(path, "rb")


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Turn what reading a broken file raises into a DataError that names it."""
    try:
        yield
    except EOFError as error:
        raise DataError(f"{path}: truncated: the gzip data ends before its end mark") from error
    except zlib.error as error:
        raise DataError(f"{path}: corrupt gzip data ({error})") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except OSError as error:  # gzip.BadGzipFile is one, without an errno
        reason = f"corrupt gzip data ({error})" if error.errno is None else error.strerror
        raise DataError(f"{path}: {reason}") from error
