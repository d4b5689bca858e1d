"""Reading files as bytes: decompressed if they are compressed, no further than asked for, checked to the last byte."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from minigan.data.walk import open_regular
from minigan.errors import DataError

BLOCK = 1 << 20  # bytes
LARGEST = 1 << 30  # bytes of one image file; what is larger is no image, or nobody's training image


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
    """A regular file to read, decompressed if its content (not its name) says gzip, bzip2 or xz."""
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
    """The next bytes, up to `most`. Memory is taken as they come, whatever a header has promised."""
    content = bytearray()
    while len(content) < most and (block := stream.read(min(BLOCK, most - len(content)))):
        content += block
    return bytes(content)


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Turn what reading a broken file raises into a DataError that names it."""
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
    except OSError as error:  # gzip.BadGzipFile is one, without an errno
        reason = f"corrupt compressed data ({error})" if error.errno is None else error.strerror
        raise DataError(f"{path}: {reason}") from error
