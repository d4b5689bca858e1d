"""Iterate over the files in a folder or an archive, without extracting anything."""

import posixpath
import stat
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from minigan.data.dataset import LeftOut
from minigan.data.files import (
    BLOCK,
    BROKEN,
    EXTRACT,
    LOOP,
    SPECIAL,
    check_link_paths,
    described,
    errors_named,
    open_regular,
    opened,
    read_at_most,
    skip_reason,
    walk,
)
from minigan.errors import DataError

ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip")
ZIP_STARTS = (b"PK\3\4", b"PK\5\6")  # of an archive with files, and of an empty one
ENCRYPTED = 1  # a bit of a zip entry's flags
TAR_BLOCK = 512  # bytes
LARGEST = 1 << 30  # bytes of an image file; nobody trains on a larger image


class Member(NamedTuple):
    """A file in a folder or an archive.

    name: its path inside the folder or archive, with forward slashes
    open: opens the file for reading; call it before advancing to the next member
    """

    name: str
    open: Callable[[], AbstractContextManager[BinaryIO]]

    def read(self) -> bytes:
        """Read the whole file. Raises DataError if it is larger than any image file."""
        with self.open() as file:
            content = read_at_most(file, LARGEST + 1)
        if len(content) > LARGEST:
            raise DataError(f"{self.name}: larger than {LARGEST >> 20:,} MiB")
        return content


def members(path: Path, left_out: LeftOut | None = None, largest: float | None = None) -> Iterator[Member]:
    """Iterate over the regular files of a folder, a .zip or a .tar (compressed or not), without extracting it.

    The files of a folder come in order of their names, those of an archive in its own order with links last.
    left_out: counts skipped files: hidden ones, system folders, broken links, pipes
    largest: skip files in an archive that have more bytes than this; None means the limit for an image
    raises DataError naming the file and its fault; an archive is checked to its end
    """
    largest = LARGEST if largest is None else largest
    left_out = LeftOut() if left_out is None else left_out
    if path.is_dir():
        return _folder_members(path, left_out)
    return (_zip_members if is_zip(path) else _tar_members)(path, left_out, largest)


def is_zip(path: Path) -> bool:
    """Whether a file begins like a zip archive."""
    with errors_named(path), open_regular(path) as file:
        return file.read(4) in ZIP_STARTS


def _folder_members(folder: Path, left_out: LeftOut) -> Iterator[Member]:
    for name in walk(folder, left_out):
        yield Member(name, partial(_opened_file, folder / name))


@contextmanager
def _opened_file(path: Path) -> Iterator[BinaryIO]:
    with errors_named(path), open_regular(path) as file:
        yield file


def _tar_members(path: Path, left_out: LeftOut, largest: float) -> Iterator[Member]:
    import tarfile

    with errors_named(path), opened(path) as stream:
        try:
            archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115
        except tarfile.TarError as error:
            is_tar = path.name.lower().endswith(ARCHIVE_ENDINGS)
            raise DataError(f"{path}: {'corrupt or truncated archive' if is_tar else described(path)}") from error
        with archive:
            links = Links()
            for member in _checked(archive, path):
                name = extracted(member.name)
                if not member.isdir():
                    _check_name(name, path)
                if member.issym() or member.islnk():
                    links.add(name, member.linkname, hard=member.islnk())
                elif member.isfile():
                    links.files[name] = member
                elif not member.isdir():
                    left_out.add(SPECIAL, name)
                if member.isfile() and not _is_skipped(name, left_out, member.size > largest):
                    yield Member(name, partial(_opened_member, archive, member, path))
            # tarfile takes a truncated or damaged header for the end, but a real archive ends with a block of zeros.
            stream.seek(archive.offset)
            if stream.read(TAR_BLOCK) != bytes(TAR_BLOCK):
                raise DataError(f"{path}: corrupt or truncated archive: no end mark at byte {archive.offset}")
            while stream.read(BLOCK):  # gzip verifies its checksum only at the end
                pass
            try:
                linked = list(links.resolved(left_out))
            except DataError as error:
                raise DataError(f"{path}: {error}") from error
            for name, member in linked:
                if not _is_skipped(name, left_out, member.size > largest):
                    yield Member(name, partial(_opened_member, archive, member, path))


def _zip_members(path: Path, left_out: LeftOut, largest: float) -> Iterator[Member]:
    import zipfile

    with errors_named(path), open_regular(path) as file, _zip_errors_named(path), zipfile.ZipFile(file) as archive:
        # Some Windows programs write backslashes. If several entries have one name, the last counts.
        names = ((entry.filename.replace("\\", "/"), entry) for entry in archive.infolist())
        found = {extracted(name): entry for name, entry in names if not name.endswith("/")}
        for name, entry in found.items():
            _check_name(name, path)
            if entry.flag_bits & ENCRYPTED:
                raise DataError(
                    f"{path}: {name} is encrypted; extract the archive with its password, and name the folder"
                )
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                left_out.add(SPECIAL, name)
            elif not _is_skipped(name, left_out, entry.file_size > largest):
                yield Member(name, partial(_opened_zipped, archive, entry, path))


@contextmanager
def _opened_zipped(archive, entry, path: Path) -> Iterator[BinaryIO]:
    with errors_named(path), _zip_errors_named(path), archive.open(entry) as file:
        yield file


@contextmanager
def _zip_errors_named(path: Path) -> Iterator[None]:
    import zipfile

    try:
        yield
    except DataError:
        raise
    except NotImplementedError as error:
        raise DataError(f"{path}: unsupported compression ({error}); {EXTRACT}") from error
    except (zipfile.BadZipFile, RuntimeError, ValueError, struct.error) as error:
        raise DataError(f"{path}: corrupt or truncated archive ({error})") from error


def _checked(archive, path: Path) -> Iterator:
    """Iterate over a tar archive's members, with errors that name the archive."""
    import tarfile

    try:
        yield from archive
    except tarfile.TarError as error:
        raise DataError(f"{path}: corrupt or truncated archive ({error})") from error


def _check_name(name: str, path: Path) -> None:
    if not name:
        raise DataError(f"{path}: corrupt or truncated archive (a file in it has no name)")


def _is_skipped(name: str, left_out: LeftOut, too_large: bool) -> bool:
    """Whether a file is skipped because of its size, its name or a folder's name; counts it if so."""
    reason = next((reason for part in PurePosixPath(name).parts if (reason := skip_reason(part))), None)
    if reason is None and too_large:
        reason = f"larger than {LARGEST >> 20:,} MiB"
    if reason is not None:
        left_out.add(reason, name)
    return reason is not None


@contextmanager
def _opened_member(archive, member, path: Path) -> Iterator[BinaryIO]:
    import tarfile

    with errors_named(path):
        try:
            with archive.extractfile(member) as file:
                yield file
        except tarfile.TarError as error:
            raise DataError(f"{path}: corrupt or truncated archive ({error})") from error


HOPS = 40  # the most links that one name may lead through, as in Linux


def extracted(name: str) -> str:
    """A file's path after extraction, relative to the folder and never outside it; "" for the folder itself."""
    return posixpath.normpath(f"/{name.lstrip('/')}")[1:]


class Links:
    """The links of an archive.

    files: the archive's regular files by name, filled in by its reader
    """

    def __init__(self):
        self.files: dict[str, Any] = {}
        self._targets: dict[str, str] = {}
        self._link_paths: Counter[str] = Counter()  # the number of ways in which links lead to each folder

    def add(self, name: str, target: str, hard: bool) -> None:
        """Add a link. A hard link's target is a name in the archive; a symbolic link's is relative to the link."""
        relative = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        self._targets[name] = extracted(target) if hard else relative

    def resolved(self, left_out: LeftOut) -> Iterator[tuple[str, Any]]:
        """Yield (name, file) for every further name that links give a file, in the archive's order of files.

        A link to a folder gives each file in it a further name. Links out of the archive and circular links are left
        out.
        """
        found = [(link + rest, file) for link in self._targets for rest, file in self._behind(link, left_out)]
        order = {id(file): place for place, file in enumerate(self.files.values())}
        yield from sorted(found, key=lambda pair: order[id(pair[1])])

    def _behind(self, link: str, left_out: LeftOut, inside: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
        """Yield (path below the link, file) for each file behind a link. inside: folders that were entered before"""
        target = self._final_target(link)
        inside |= {str(above) for above in PurePosixPath(link).parents}
        if target in self.files:
            yield "", self.files[target]
        elif target is None or target in inside:
            left_out.add(LOOP, link)
        else:
            self._link_paths[target] += 1
            check_link_paths(self._link_paths[target], target)
            below = f"{target}/"
            files = [name for name in self.files if name.startswith(below)]
            links = [name for name in self._targets if name.startswith(below)]
            yield from ((name[len(target) :], self.files[name]) for name in files)
            for name in links:
                for rest, file in self._behind(name, left_out, inside):
                    yield name[len(target) :] + rest, file
            if not files and not links:
                left_out.add(BROKEN, link)

    def _final_target(self, name: str) -> str | None:
        """Follow links until a name is not a link; None if there are too many."""
        for _ in range(HOPS):
            name = self._one_step(name)
            if name not in self._targets and not self._one_link_above(name):
                return name
        return None

    def _one_step(self, name: str) -> str:
        above = self._one_link_above(name)
        if name in self._targets:
            return self._targets[name]
        return posixpath.normpath(self._targets[above] + name[len(above) :]) if above else name

    def _one_link_above(self, name: str) -> str | None:
        """The outermost folder of a path that is a link."""
        parts = name.split("/")
        paths = ("/".join(parts[:length]) for length in range(1, len(parts)))
        return next((path for path in paths if path in self._targets), None)
