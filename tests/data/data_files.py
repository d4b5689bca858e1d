"""Writers of the file formats that minigan reads, for its tests."""

import io
import struct
import tarfile

import numpy as np
from PIL import Image

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    kind = array.dtype.str[1:]
    header = bytes([0, 0, IDX_CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(f">{kind}").tobytes()


def write_mnist(folder, count=12, split="train"):
    """Write a small pair of IDX files. Returns (images (N, 28, 28), labels (N,)), uint8."""
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, 28, 28), np.uint8)
    labels = generator.integers(0, 10, count, np.uint8)
    stem = {"train": "train", "test": "t10k"}[split]
    (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(images))
    (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    return images, labels


def image_bytes(pixels, kind="PNG", **how):
    """Encode (H, W) or (H, W, C) bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **how)
    return stream.getvalue()


def tar_bytes(files, mode="w"):
    """Pack {name: bytes} into a tar archive; mode "w:gz" zips it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def write_tree(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
