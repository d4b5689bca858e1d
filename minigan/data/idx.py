"""The IDX format, and the two data sets that come in it: MNIST and Fashion-MNIST.

source: http://yann.lecun.com/exdb/mnist/ ("The IDX file format")
"""

import math
import os
import re
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minigan.data.compressed import BLOCK, errors_named, opened, read_at_most
from minigan.data.dataset import Dataset
from minigan.errors import DataError

TYPES = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
STEMS = {"train": "train", "test": "t10k"}
DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

IDX_NAME = re.compile(r".*(images|labels)[-.]idx[1-4]-ubyte(\.gz)?", re.IGNORECASE)
RANKS = 64  # NumPy's limit


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read one IDX file, compressed or not (its content decides), of any of the six types.

    returns: an array of the file's shape and type, in this machine's byte order
    raises DataError naming the file: not IDX, truncated, trailing bytes, corrupt compression
    """
    path = Path(path)
    with errors_named(path), opened(path) as stream:
        dtype, shape = _header(stream, path)
        expected = math.prod(shape) * dtype.itemsize
        content = read_at_most(stream, expected)
        more = len(read_at_most(stream, BLOCK)) if len(content) == expected else 0  # none, and gzip checks its sum
        if len(content) != expected or more:
            dimensions = " x ".join(map(str, shape)) or "one value"
            fault, found = "truncated", f"{len(content)}"
            if more:
                fault, found = "trailing bytes", f"{expected + more}{' or more' if more == BLOCK else ''}"
            raise DataError(
                f"{path}: {fault}: the header says {dimensions} of {dtype.itemsize} bytes, {expected} in all, "
                f"but {found} follow it"
            )
        try:
            values = np.frombuffer(content, dtype).reshape(shape)
        except ValueError as error:  # dimensions of nothing whose product no array can have
            raise DataError(f"{path}: the header says {' x '.join(map(str, shape))}: {error}") from error
        return values.astype(dtype.newbyteorder("="))


def _header(stream: BinaryIO, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """Type and shape, from the beginning of an IDX file."""
    start = read_at_most(stream, 4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES:
        raise DataError(
            f"{path}: not an IDX file: it starts with {start!r}; IDX starts with two zero bytes, "
            "a type code from 0x08 to 0x0e and the number of dimensions"
        )
    rank = start[3]
    if rank > RANKS:
        raise DataError(f"{path}: the header says {rank} dimensions, but arrays have at most {RANKS}")
    sizes = read_at_most(stream, 4 * rank)
    if len(sizes) < 4 * rank:
        raise DataError(f"{path}: truncated: the header of {4 + 4 * rank} bytes ends after {4 + len(sizes)}")
    return TYPES[start[2]], struct.unpack(f">{rank}I", sizes)


def mnist(folder: str | os.PathLike, split: str = "train") -> Dataset:
    """Read MNIST's handwritten digits from a folder with its four (for one split: two) files.

    folder: holds train-images-idx3-ubyte and so on, or train-images.idx3-ubyte; .gz or not
    split: "train" (60,000) or "test" (10,000)
    returns: images (N, 28, 28, 1), uint8, white on black; labels the digits
    raises DataError naming the file and what is wrong with it
    """
    return _pair(Path(folder), split, "mnist", DIGITS)


def fashion_mnist(folder: str | os.PathLike, split: str = "train") -> Dataset:
    """Read Fashion-MNIST's clothes from a folder; files, splits, shapes and errors are those of `mnist`."""
    return _pair(Path(folder), split, "fashion-mnist", CLOTHES)


def _pair(folder: Path, split: str, name: str, classes: tuple[str, ...]) -> Dataset:
    if split not in STEMS:
        raise DataError(f"{name}: no split is called {split!r}; there are: test, train")
    images_path = _find(folder, name, f"{STEMS[split]}-images", "idx3-ubyte")
    labels_path = _find(folder, name, f"{STEMS[split]}-labels", "idx1-ubyte")
    images = _bytes_of_rank(images_path, 3, "images (N, H, W)")
    labels = _bytes_of_rank(labels_path, 1, "labels (N,)")
    if len(images) != len(labels):
        raise DataError(f"{labels_path}: {len(labels)} labels, but {images_path} has {len(images)} images")
    wrong = np.flatnonzero(labels >= len(classes))
    if len(wrong):
        raise DataError(f"{labels_path}: label {wrong[0]} is {labels[wrong[0]]}; labels are 0 to {len(classes) - 1}")
    return Dataset(images[..., None], labels.astype(np.int64), name, classes)


def _find(folder: Path, name: str, stem: str, kind: str) -> Path:
    """The first file that exists of those that MNIST's mirrors call this one."""
    for joint in "-.":
        for ending in ("", ".gz"):
            path = folder / f"{stem}{joint}{kind}{ending}"
            if path.is_file():
                return path
    if not folder.is_dir():
        raise DataError(f"{name}: there is no folder {folder}")
    raise DataError(f"{name}: {folder} has no {stem}-{kind}.gz (nor {stem}.{kind}, nor either unzipped)")


def _bytes_of_rank(path: Path, rank: int, what: str) -> np.ndarray:
    values = read_idx(path)
    if values.dtype != np.uint8 or values.ndim != rank:
        raise DataError(f"{path}: {what} are uint8 of rank {rank}, but it holds {values.dtype} {values.shape}")
    if not all(values.shape[1:]):
        raise DataError(f"{path}: images of {values.shape[1:]} have no pixels")
    return values
