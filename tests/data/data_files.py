"""Writers of the file formats that minigan reads, for its tests."""

import io
import struct
import tarfile
import zipfile
import zlib

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


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_16(values, *chunks):
    """Encode (H, W, C) values with 16 bits per channel, which Pillow does for grey only; C = 1 to 4."""
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, (0, 4, 2, 6)[channels - 1], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def tiff_16(values, order, rows=None, deflated=False, apart=False, meaning=None):
    """Encode (H, W, C) values with 16 bits per channel as a TIFF.

    order: "<" or ">"
    rows: in a strip; None puts all in one
    apart: whether each channel lies in a plane of its own
    meaning: of the values, as the format numbers it: 0 grey, white is 0; 1 grey; 2 colour
    """
    height, width, channels = values.shape
    rows = rows or height
    planes = np.split(values, channels, 2) if apart else [values]
    strips = [
        plane[top : top + rows].astype(f"{order}u2").tobytes() for plane in planes for top in range(0, height, rows)
    ]
    strips = [zlib.compress(strip) for strip in strips] if deflated else strips
    meaning = (2 if channels > 2 else 1) if meaning is None else meaning
    tags = {256: [width], 257: [height], 258: [16] * channels, 259: [8 if deflated else 1], 262: [meaning]}
    tags |= {273: [0] * len(strips), 277: [channels], 278: [rows], 279: [len(strip) for strip in strips]}
    tags |= {284: [2 if apart else 1], **({338: [2]} if channels == 4 else {})}  # 2: alpha, not multiplied in
    after = 8 + 2 + 12 * len(tags) + 4
    begin = after + sum(4 * len(numbers) for numbers in tags.values() if len(numbers) > 1)
    tags[273] = [begin + sum(tags[279][:place]) for place in range(len(strips))]
    entries, longer = b"", b""
    for tag, numbers in tags.items():
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            packed, longer = struct.pack(f"{order}I", after + len(longer)), longer + packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + packed
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    return start + entries + bytes(4) + longer + b"".join(strips)


def tar_bytes(files, mode="w"):
    """Pack {name: bytes} into a tar archive; mode "w:gz" zips it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def zip_bytes(files, compression=zipfile.ZIP_DEFLATED):
    """Pack {name: bytes} into a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy_bytes(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz_bytes(compressed=True, **arrays):
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def write_tree(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
