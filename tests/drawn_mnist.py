"""Drawn digits in MNIST's files, for what learns from MNIST."""

from pathlib import Path

import numpy as np

import minigan as mg

IMAGES, LABELS = 0x803, 0x801  # IDX: bytes in three dimensions, and in one


def write(folder: Path, train: int = 200, test: int = 60) -> None:
    """Write so many drawn digits of either split as MNIST has them."""
    folder.mkdir(parents=True, exist_ok=True)
    splits = mg.data.glyphs(train), mg.data.glyphs(test, split="test")
    for stem, dataset in zip(("train", "t10k"), splits, strict=True):
        for kind, magic, array in (
            ("images-idx3", IMAGES, dataset.images[..., 0]),
            ("labels-idx1", LABELS, dataset.labels),
        ):
            header = np.array([magic, *array.shape], ">u4").tobytes()
            (folder / f"{stem}-{kind}-ubyte").write_bytes(header + array.astype(np.uint8).tobytes())
