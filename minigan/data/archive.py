"""Files as bytes, from a folder, an archive or alone, gzipped or not, checked to their last byte."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from minigan.data.left_out import LeftOut
from minigan.data.links import Links
from minigan.data.walk import SPECIAL, open_regular, passed_over, walk
from minigan.errors import DataError

ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz")
GZIP_MAGIC = b"\x1f\x8b"
BLOCK = 1 << 20  # bytes
TAR_BLOCK = 512  # bytes


class Member(NamedTuple):
    """A file in a folder or an archive.

    name: relative to it, with forward slashes
    open: opens the file to read; call it before the next member is asked for
    """

    name: str
    open: Callable[[], AbstractContextManager[BinaryIO]]

    def read(self) -> bytes:
        """All of the file's bytes."""
        with self.open() as file:
            return file.read()


def read_bytes(path: Path) -> bytes:
    """Read a whole file, unzipped if its content (not its name) says gzip.

    raises DataError naming the file where it is missing, unreadable, cut short or fails gzip's check sum
    """
    with _errors_named(path), _opened(path) as stream:
        return stream.read()


def members(path: Path, left_out: LeftOut | None = None) -> Iterator[Member]:
    """Walk the regular files of a folder, or of a .tar, gzipped or not, without extracting it.

    A folder comes in order of names, an archive in its own, its links at the end.
    left_out: told what was passed over: hidden files, folders of systems, links that lead nowhere, pipes
    raises DataError naming the file and what is wrong with it; an archive is checked to its end
    """
    left_out = LeftOut() if left_out is None else left_out
    return _folder_members(path, left_out) if path.is_dir() else _tar_members(path, left_out)


def _folder_members(folder: Path, left_out: LeftOut) -> Iterator[Member]:
    for name in walk(folder, left_out):
        yield Member(name, partial(_opened_file, folder / name))


@contextmanager
def _opened_file(path: Path) -> Iterator[BinaryIO]:
    with _errors_named(path), open_regular(path) as file:
        yield file


def _tar_members(path: Path, left_out: LeftOut) -> Iterator[Member]:
    import tarfile

    with _errors_named(path), _opened(path) as stream:
        try:
            archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115
        except tarfile.TarError as error:
            raise DataError(f"{path}: neither a folder nor a tar archive, gzipped or not ({error})") from error
        with archive:
            links = Links()
            for member in _checked(archive, path):
                name = str(PurePosixPath(member.name))
                if member.issym() or member.islnk():
                    links.add(name, member.linkname, hard=member.islnk())
                elif member.isfile():
                    links.files[name] = member
                elif not member.isdir():
                    left_out.add(SPECIAL, name)
                if member.isfile() and not _is_passed_over(name, left_out):
                    yield Member(name, partial(_opened_member, archive, member, path))
            # tarfile takes a cut or damaged header for the end; the true end is a block of zeros.
            stream.seek(archive.offset)
            if stream.read(TAR_BLOCK) != bytes(TAR_BLOCK):
                raise DataError(f"{path}: corrupt or truncated archive: no end mark at byte {archive.offset}")
            while stream.read(BLOCK):  # gzip checks its sum only at its end
                pass
            for name, member in links.resolved(left_out):
                if not _is_passed_over(name, left_out):
                    yield Member(name, partial(_opened_member, archive, member, path))


def _checked(archive, path: Path) -> Iterator:
    """An archive's members, with errors that name it."""
    import tarfile

    try:
        yield from archive
    except tarfile.TarError as error:
        raise DataError(f"{path}: corrupt or truncated archive ({error})") from error


def _is_passed_over(name: str, left_out: LeftOut) -> bool:
    """Whether a name, or a folder that it lies in, is one that is never looked at; counts it if so."""
    for part in PurePosixPath(name).parts:
        if reason := passed_over(part):
            left_out.add(reason, name)
            return True
    return False


@contextmanager
def _opened_member(archive, member, path: Path) -> Iterator[BinaryIO]:
    import tarfile

    with _errors_named(path):
        try:
            with archive.extractfile(member) as file:
                yield file
        except tarfile.TarError as error:
            raise DataError(f"{path}: corrupt or truncated archive ({error})") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file to read, unzipped if its content says gzip."""
    with open_regular(path) as file:
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        if not zipped:
            yield file
            return
        import gzip

        with gzip.open(file, "rb") as unzipped:
            yield unzipped


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
