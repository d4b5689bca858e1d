"""Images and labels in array files: .npz, .npy and IDX."""

import math
import os
import re
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minigan.data.archive import is_zip, members
from minigan.data.arrays import MOST_CLASSES, check_channels, how_to_number, images_from, pillow
from minigan.data.dataset import SPLITS, TEST, TRAIN, Dataset, Identity, digest_of_arrays, named
from minigan.data.files import BLOCK, errors_named, open_regular, opened, read_at_most, skip_reason
from minigan.data.splits import NAMES, classes_in_order, split_named, spread, title
from minigan.errors import DataError

NPY, NPZ = ".npy", ".npz"
NPY_START = b"\x93NUMPY"

IMAGES = ("images", "image", "x", "data", "arr_0")
LABELS = ("labels", "label", "y", "targets", "target", "arr_1")
EXPECTED = "images and labels, or x_train, y_train, x_test and y_test"

Arrays = dict[str, Callable[[], np.ndarray]]  # by name, each read when it is called


def arrays_at(path: Path) -> Arrays | None:
    """The arrays in a file or a folder; None if it contains images instead."""
    if path.is_dir():
        return _in_folder(path)
    if path.suffix.lower() == NPY or _starts(path, NPY_START):
        return {"images": lambda: _npy_file(path)}
    if not is_zip(path):
        return None
    names = [member.name for member in members(path, largest=math.inf)]
    if path.suffix.lower() != NPZ and not (names and all(name.lower().endswith(NPY) for name in names)):
        return None
    npy = [name for name in names if name.lower().endswith(NPY)]
    return {name[: -len(NPY)]: lambda name=name: _npz_member(path, name) for name in npy}


def read(path: Path, arrays: Arrays, split: str, count: int | None = None) -> Dataset:
    """Read one split of the images in `arrays`, the result of `arrays_at(path)`.

    count: the number of images to take, evenly spaced; None takes all
    returns: images (N, H, W, C), uint8; labels (N,), int64, numbered alike in all splits, or None
    raises DataError if the arrays' names are ambiguous, or the arrays are not images and labels
    """
    found = _roles(path, list(arrays))
    if (split, "images") not in found:
        raise DataError(f"{path}: no {split} split: its arrays are {named(arrays, 20)}")
    images = _images(path, found[split, "images"], arrays)
    labels, classes = None, ()
    if (split, "labels") in found:
        of_split = {each: _labels(path, found[each, "labels"], arrays) for each in SPLITS if (each, "labels") in found}
        classes = classes_in_order(str(name) for values in of_split.values() for name in np.unique(values))
        if len(classes) > MOST_CLASSES:
            raise DataError(
                f"{path}: {len(classes):,} different labels, but at most {MOST_CLASSES:,} classes are allowed"
            )
        labels = _numbered(of_split[split], classes)
        if len(labels) != len(images):
            raise DataError(f"{path}: {len(images)} images, but {len(labels)} labels in {found[split, 'labels']}")
    if not images.size:
        raise DataError(f"{path}: {found[split, 'images']} has shape {images.shape}: it contains no images")
    chosen = spread(len(images), count, path)
    digest = digest_of_arrays(images, labels)
    kind = "folder" if path.is_dir() else "array file"
    origin = Identity(kind, os.path.abspath(path), digest, classes, len(images))
    labels = None if labels is None else labels[chosen]
    return Dataset(images[chosen], labels, title(path), classes).known_as(origin)


def has_test(path: Path, arrays: Arrays) -> bool:
    """Whether the arrays include test images."""
    return (TEST, "images") in _roles(path, list(arrays))


def _in_folder(folder: Path) -> Arrays | None:
    try:
        entries = sorted(folder.iterdir())
        files = [entry for entry in entries if entry.is_file()]
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}") from error
    # An IDX file that is there both compressed and uncompressed counts once.
    idx = {
        file.name.removesuffix(".gz"): lambda file=file: read_idx(file)
        for file in sorted(files, reverse=True)
        if IDX_NAME.fullmatch(file.name)
    }
    if idx or any(_may_be_images(entry) for entry in entries):
        return idx or None  # .npy files beside images need not contain images or labels
    npy = {file.stem: lambda file=file: _npy_file(file) for file in files if file.suffix.lower() == NPY}
    return npy or None


def _may_be_images(entry: Path) -> bool:
    """Whether a folder's entry is a sub-folder or has the extension of an image."""
    if skip_reason(entry.name):
        return False
    return entry.is_dir() or entry.suffix.lower() in pillow().Image.registered_extensions()


def _roles(path: Path, names: list[str]) -> dict[tuple[str, str], str]:
    """The name of each role's array, by (split, "images" or "labels")."""
    found: dict[tuple[str, str], str] = {}
    rest = []
    for name in names:
        words = [name.lower(), *_words(name)]
        role = next((role for role, known in (("labels", LABELS), ("images", IMAGES)) if set(words) & set(known)), None)
        split = next((split for word in words if (split := TEST if word == "t10k" else split_named(word))), TRAIN)
        if role is None:
            rest.append(name)
        elif (split, role) not in found or _rank(name) < _rank(found[split, role]):
            found[split, role] = name
        elif _rank(name) == _rank(found[split, role]):
            raise DataError(f"{path}: {found[split, role]} and {name} are both {split} {role}; remove one of them")
    if not any(role == "images" for _, role in found) and len(rest) == 1:
        found[TRAIN, "images"] = rest[0]
    if (TRAIN, "images") not in found:
        raise DataError(
            f"{path}: no array has a name for training images; name them {EXPECTED}, not {named(names, 20)}"
        )
    return found


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", name.lower())


def _rank(name: str) -> tuple[int, int]:
    """Rank a name, lowest first: test before validation, and exact names before names with more words (label_names)."""
    words = _words(name)
    test = min((NAMES[TEST].index(word) for word in words if word in NAMES[TEST]), default=0)
    return test, sum(word not in (*IMAGES, *LABELS) and split_named(word) is None for word in words)


def _images(path: Path, name: str, arrays: Arrays) -> np.ndarray:
    images, call = arrays[name](), f"{path}: {name}"
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        how = f".reshape(-1, {side}, {side})" if side * side == images.shape[1] else ".reshape(-1, height, width)"
        raise DataError(f"{call} has shape {images.shape}; save images as (N, H, W) or (N, H, W, C): images{how}")
    images = images_from(call, images[..., None] if images.ndim == 3 else images, floats=False)
    check_channels(call, images)
    return images


def _labels(path: Path, name: str, arrays: Arrays) -> np.ndarray:
    labels = arrays[name]()
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iubU":
        how = "; convert one-hot rows with labels.argmax(1)" if labels.ndim == 2 else how_to_number(labels)
        raise DataError(
            f"{path}: {name} is {labels.dtype} {labels.shape}, but labels must be (N,), whole numbers or words{how}"
        )
    return labels


def _numbered(values: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    index = {name: i for i, name in enumerate(classes)}
    unique, inverse = np.unique(values, return_inverse=True)
    return np.array([index[str(name)] for name in unique], np.int64)[inverse]


def _starts(path: Path, magic: bytes) -> bool:
    with errors_named(path), open_regular(path) as file:
        return file.read(len(magic)) == magic


def _npy_file(path: Path) -> np.ndarray:
    with errors_named(path), open_regular(path) as file:
        return _npy(file, str(path))


def _npz_member(path: Path, name: str) -> np.ndarray:
    for member in members(path, largest=math.inf):
        if member.name == name:
            with member.open() as file:
                return _npy(file, f"{path}: {name}")
    raise DataError(f"{path}: {name} is no longer there")


def _npy(stream: BinaryIO, name: str) -> np.ndarray:
    """Read an array in NumPy's format, without allocating what its header claims and without unpickling."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers that Python 2 wrote
            version = np.lib.format.read_magic(stream)
            header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, in_columns, dtype = header[version](stream)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the header is parsed as a Python literal, so a bad one can raise nearly anything
        raise DataError(f"{name}: not a NumPy array file, or its header is damaged ({error})") from error
    if dtype.hasobject or dtype.kind not in "iufbU":
        raise DataError(f"{name}: contains {dtype}, but images and labels must be numbers (or words), not objects")
    expected = math.prod(shape) * dtype.itemsize
    content = b"" if min(shape, default=0) < 0 else read_at_most(stream, expected + 1)
    if len(content) != expected or not dtype.itemsize or min(shape, default=0) < 0:
        found = f"{len(content)}" if len(content) <= expected else "more"
        raise DataError(f"{name}: damaged: the header says {shape} of {dtype}, {expected} bytes, but {found} follow")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if in_columns else "C")


TYPES = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}

IDX_NAME = re.compile(r".*(images|labels)[-.]idx[1-4]-ubyte(\.gz)?", re.IGNORECASE)
RANKS = 64  # NumPy's limit


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read one IDX file of any of the six types. Compression is recognized by content.

    returns: an array of the file's shape and type, in this machine's byte order
    raises DataError naming a file that is not IDX, is truncated or corrupt, or has trailing bytes
    """
    path = Path(path)
    with errors_named(path), opened(path) as stream:
        dtype, shape = _header(stream, path)
        expected = math.prod(shape) * dtype.itemsize
        content = read_at_most(stream, expected)
        # Reading to the end also makes gzip verify its checksum.
        more = len(read_at_most(stream, BLOCK)) if len(content) == expected else 0
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
        except ValueError as error:  # an empty array whose other dimensions are too large
            raise DataError(f"{path}: the header says {' x '.join(map(str, shape))}: {error}") from error
        return values.astype(dtype.newbyteorder("="))


def _header(stream: BinaryIO, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """Read the type and shape from the beginning of an IDX file."""
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
