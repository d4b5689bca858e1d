"""Read MNIST, Fashion-MNIST and CIFAR-10 from the files published by their authors."""

import os
from pathlib import Path

import numpy as np

from minigan.data.archive import members
from minigan.data.array_files import read_idx
from minigan.data.dataset import Dataset
from minigan.data.files import read_at_most
from minigan.errors import DataError

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


def mnist(folder: str | os.PathLike, split: str = "train") -> Dataset:
    """Read MNIST's handwritten digits from a folder with its four files (two for each split).

    folder: contains train-images-idx3-ubyte and so on, or train-images.idx3-ubyte, with or without .gz
    split: "train" (60,000) or "test" (10,000)
    returns: images (N, 28, 28, 1), uint8, white on black; labels 0 to 9
    raises DataError naming the file and its fault
    """
    return _pair(Path(folder), split, "mnist", DIGITS)


def fashion_mnist(folder: str | os.PathLike, split: str = "train") -> Dataset:
    """Read Fashion-MNIST's clothes from a folder. Files, splits, shapes and errors are those of `mnist`."""
    return _pair(Path(folder), split, "fashion-mnist", CLOTHES)


def _pair(folder: Path, split: str, name: str, classes: tuple[str, ...]) -> Dataset:
    if split not in STEMS:
        raise DataError(f"{name}: there is no split {split!r}; choose one of test, train")
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
    """Find a file under any of the names that MNIST's mirrors use."""
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
        raise DataError(f"{path}: contains {values.dtype} {values.shape}, expected {what}, uint8 of rank {rank}")
    if not all(values.shape[1:]):
        raise DataError(f"{path}: images of shape {values.shape[1:]} have no pixels")
    return values


ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
BATCHES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32  # bytes


def cifar10(path: str | os.PathLike, split: str = "train", records: int = 10_000) -> Dataset:
    """Read CIFAR-10's small photographs.

    path: cifar-10-binary.tar.gz, the folder it extracts to, or a folder with either
    split: "train" (50,000) or "test" (10,000)
    records: images in each file; 10,000 in the published files
    returns: images (N, 32, 32, 3), uint8; labels (N,), int64
    raises DataError naming the file and its fault
    """
    if split not in BATCHES:
        raise DataError(f"cifar10: there is no split {split!r}; choose one of test, train")
    place = _locate(Path(path))
    found = {}
    for member in members(place):
        base = member.name.rpartition("/")[2]
        if base in BATCHES[split]:
            with member.open() as file:
                content = read_at_most(file, records * RECORD + 1)
            found[base] = _records(content, f"{place}: {member.name}", records)
    missing = [name for name in BATCHES[split] if name not in found]
    if missing:
        raise DataError(f"{place}: not CIFAR-10's binary version: it has no {', '.join(missing)}{_hint(place)}")
    rows = np.concatenate([found[name] for name in BATCHES[split]])
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Dataset(np.ascontiguousarray(images), rows[:, 0].astype(np.int64), "cifar10", CLASSES)


def _locate(path: Path) -> Path:
    for place in (path / ARCHIVE, path / FOLDER, path):
        if place.exists():
            return place
    raise DataError(f"cifar10: there is no file or folder {path}")


def _records(content: bytes, name: str, records: int) -> np.ndarray:
    """Split one file into records, uint8 (records, RECORD)."""
    expected = records * RECORD
    if len(content) != expected:
        fault = f"truncated: {len(content)} bytes" if len(content) < expected else f"too long: over {expected} bytes"
        raise DataError(f"{name}: {fault}, but {records} records of {RECORD} are {expected}")
    rows = np.frombuffer(content, np.uint8).reshape(records, RECORD)
    wrong = np.flatnonzero(rows[:, 0] >= len(CLASSES))
    if len(wrong):
        raise DataError(f"{name}: corrupt: label {wrong[0]} is {rows[wrong[0], 0]}; labels are 0 to 9")
    return rows


def _hint(place: Path) -> str:
    """Advice, for an error message, about a common mistake: downloading the Python version, which is pickled."""
    if "python" in place.name or (place.is_dir() and any(place.rglob("data_batch_1"))):
        return f"; it looks like the Python version, which is pickled: download {ARCHIVE} instead"
    return ""
