"""Files of every kind that is read, damaged at random, and made to take more memory than there is."""

import gzip
import io
import multiprocessing
import resource
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from data_files import idx_bytes, image_bytes, npy_bytes, npz_bytes, png_16, png_chunk, tar_bytes, write_tree, zip_bytes

from minigan.data import Dataset, archive, cifar10, load, read_idx
from minigan.errors import MiniganError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 9, 8), np.uint8)
COLOUR = RNG.integers(0, 256, (9, 8, 3), np.uint8)
LABELS = np.arange(6) % 2
RECORDS = 2
FILES = {f"{'cat' if i % 2 else 'dog'}/{i}.png": image_bytes(image) for i, image in enumerate(IMAGES)}


def cifar_files():
    rows = np.random.default_rng(1).integers(0, 10, (6, RECORDS, 3073), np.uint8)
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    return {name: row.tobytes() for name, row in zip(names, rows, strict=True)}


def as_file(name, read=load):
    def write_and_read(folder, content):
        (folder / name).write_bytes(content)
        return read(folder / name)

    return write_and_read


def in_folder(name, read=load, **others):
    def write_and_read(folder, content):
        write_tree(folder, {**others, name: content})
        return read(folder)

    return write_and_read


def image(kind, **how):
    content = image_bytes(COLOUR, kind, **how)
    return content, in_folder(f"0.{kind.lower()}")


def cifar(path):
    return cifar10(path, records=RECORDS)


CIFAR = cifar_files()
# Content, and what reads it. Those with CHECKED carry checksums of all that they hold.
KINDS = {
    "IDX": (idx_bytes(IMAGES), as_file("any", read_idx)),
    "IDX, gzip": (gzip.compress(idx_bytes(IMAGES), mtime=0), as_file("any", read_idx)),
    "IDX folder": (idx_bytes(IMAGES), in_folder("train-images-idx3-ubyte")),
    "CIFAR": (CIFAR["data_batch_2.bin"], in_folder("data_batch_2.bin", cifar, **CIFAR)),
    "CIFAR, tar.gz": (tar_bytes(CIFAR, "w:gz"), as_file("cifar-10-binary.tar.gz", cifar)),
    "PNG": image("PNG"),
    "16-bit PNG": (png_16(COLOUR.astype(np.uint16) * 99), in_folder("0.png")),
    "JPEG": image("JPEG"),
    "GIF": image("GIF"),
    "BMP": image("BMP"),
    "TIFF": image("TIFF"),
    "deflated TIFF": image("TIFF", compression="tiff_deflate"),
    "WebP": image("WEBP"),
    "PPM": image("PPM"),
    "tar": (tar_bytes(FILES), as_file("a.tar")),
    "tar.gz": (tar_bytes(FILES, "w:gz"), as_file("a.tar.gz")),
    "tar.xz": (tar_bytes(FILES, "w:xz"), as_file("a.tar.xz")),
    "tar.bz2": (tar_bytes(FILES, "w:bz2"), as_file("a.tar.bz2")),
    "zip": (zip_bytes(FILES), as_file("a.zip")),
    "stored zip": (zip_bytes(FILES, zipfile.ZIP_STORED), as_file("a.zip")),
    "npy": (npy_bytes(IMAGES), as_file("a.npy")),
    "npz": (npz_bytes(images=IMAGES, labels=LABELS), as_file("a.npz")),
    "stored npz": (npz_bytes(False, images=IMAGES, labels=LABELS), as_file("a.npz")),
}
CHECKED = ("IDX, gzip", "CIFAR, tar.gz", "PNG", "16-bit PNG", "tar.gz", "tar.xz", "tar.bz2")
MUTANTS = 45  # of each kind


def mutant(content, rng):
    """Flip bits, cut, insert, repeat, remove or overwrite, most often near the beginning, where headers are."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        if not content:
            break
        span = len(content) if rng.random() < 0.5 else min(len(content), 80)
        place, length = int(rng.integers(span)), int(rng.integers(1, 40))
        match rng.integers(7):
            case 0 | 1:
                content[place] ^= 1 << rng.integers(8)
            case 2:
                content[place] = rng.choice([0, 1, 127, 128, 255])
            case 3:
                del content[place:]
            case 4:
                content[place:place] = rng.bytes(length)
            case 5:
                del content[place : place + length]
            case 6:
                other = int(rng.integers(len(content)))
                content[place : place + length] = content[other : other + length]
    return bytes(content)


def pixels(found):
    return found.images if isinstance(found, Dataset) else found


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_right_or_refused(tmp_path, kind):
    content, read = KINDS[kind]
    right = pixels(read(tmp_path, content))
    rng = np.random.default_rng(zlib.crc32(kind.encode()))
    for _ in range(MUTANTS):
        try:
            found = read(tmp_path, mutant(content, rng))
        except MiniganError:
            continue
        assert isinstance(pixels(found), np.ndarray)
        if kind in CHECKED:
            assert np.array_equal(pixels(found), right)


# Small files that would fill the memory

MIB = 1 << 20
ALLOWED, BOMB = 64 * MIB, 128 * MIB


def within(size, read, path, told):
    """Read in a process of its own whose memory is limited; tell how it ended, which is not by the limit."""
    try:
        base = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (base + size,) * 2)
        told.put(f"read: {pixels(read(path)).shape}")
    except MiniganError as error:
        told.put(str(error))
    except BaseException as error:
        told.put(f"{type(error).__name__}: {error}")


def zeros_in_gzip(head, size):
    """Gzip data of several members, which is quicker to make than one."""
    return gzip.compress(head, mtime=0) + gzip.compress(bytes(16 * MIB), mtime=0) * (size // (16 * MIB))


def big_png(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(MIB), 9)
    chunks = (png_chunk(b"IHDR", header), png_chunk(b"IDAT", rows), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def big_tar(size):
    """A tar.gz with one image of zeros."""
    entry = tarfile.TarInfo("0.png")
    entry.size = size
    return zeros_in_gzip(entry.tobuf(), size + 16 * MIB)


def big_npy_in_zip(size):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("images.npy", npy_bytes(IMAGES) + bytes(size))
    return stream.getvalue()


def lying_npy(shape):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(100)


HUGE_IDX = b"\0\0\x08\3" + b"\x7f\xff\xff\xff" * 3
# The file's name, its content, what reads it, and words of the error.
BOMBS = {
    "gzip after IDX": ("any", lambda: zeros_in_gzip(idx_bytes(IMAGES), BOMB), read_idx, "any: trailing bytes"),
    "IDX header": ("any", lambda: HUGE_IDX, read_idx, "any: truncated"),
    "IDX header in gzip": ("any", lambda: gzip.compress(HUGE_IDX, mtime=0), read_idx, "any: truncated"),
    "PNG": ("folder/0.png", lambda: big_png(60_000), load, "too large to be decoded safely"),
    "smaller PNG": ("folder/0.png", lambda: big_png(9500), load, "too large to be decoded safely"),
    "tar member": ("a.tar.gz", lambda: big_tar(BOMB), load, "larger than 16 MiB (0.png)"),
    "zip member": ("a.zip", lambda: zip_bytes({"0.png": bytes(BOMB)}), load, "larger than 16 MiB (0.png)"),
    "npz member": ("a.npz", lambda: big_npy_in_zip(BOMB), load, "images.npy: damaged: the header says"),
    "npy header": ("a.npy", lambda: lying_npy((1 << 40, 28, 28)), load, "damaged: the header says"),
    "negative npy header": ("a.npy", lambda: lying_npy((-1, 28, 28)), load, "damaged: the header says"),
    "nested npy header": ("a.npy", lambda: lying_npy("(" * 4000), load, "its header is damaged"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_small_file_takes_much_memory(tmp_path, monkeypatch, bomb):
    monkeypatch.setattr(archive, "LARGEST", 16 * MIB)
    name, content, read, words = BOMBS[bomb]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content())
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    process = context.Process(target=within, args=(ALLOWED, read, path.parent if "/" in name else path, told))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert words in told.get()
