"""CIFAR-10 in its binary version.

source: https://www.cs.toronto.edu/~kriz/cifar.html ("Binary version"): records of one label byte and three planes
"""

import os
from pathlib import Path

import numpy as np

from minigan.data.archive import members
from minigan.data.compressed import read_at_most
from minigan.data.dataset import Dataset
from minigan.errors import DataError

ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
BATCHES = {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32  # bytes


def cifar10(path: str | os.PathLike, split: str = "train", records: int = 10_000) -> Dataset:
    """Read CIFAR-10's small photographs.

    path: cifar-10-binary.tar.gz, the folder it extracts to, or a folder with either
    split: "train" (50,000) or "test" (10,000)
    records: images in each file; the real ones all hold 10,000
    returns: images (N, 32, 32, 3), uint8; labels (N,), int64
    raises DataError naming the file and what is wrong with it
    """
    if split not in BATCHES:
        raise DataError(f"cifar10: no split is called {split!r}; there are: test, train")
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
        raise DataError(f"{place}: this is not CIFAR-10's binary version: it has no {', '.join(missing)}{_hint(place)}")
    rows = np.concatenate([found[name] for name in BATCHES[split]])
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Dataset(np.ascontiguousarray(images), rows[:, 0].astype(np.int64), "cifar10", CLASSES)


def _locate(path: Path) -> Path:
    for place in (path / ARCHIVE, path / FOLDER, path):
        if place.exists():
            return place
    raise DataError(f"cifar10: there is no file or folder {path}")


def _records(content: bytes, name: str, records: int) -> np.ndarray:
    """Split one file into records, (records, RECORD) bytes."""
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
    """A word on the mistake that is easily made: the version for Python, which is pickles."""
    if "python" in place.name or (place.is_dir() and any(place.rglob("data_batch_1"))):
        return f"; it looks like the Python version, which is pickles: get {ARCHIVE} instead"
    return ""
