"""Read all images of a folder or archive into one array, and record what happened to each file."""

import warnings
from collections.abc import Container
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np

from minigan.data.archive import Member, members
from minigan.data.arrays import Size, pillow
from minigan.data.dataset import LeftOut, named, printable
from minigan.data.decoding import FORMATS, Picture, decoded, depth
from minigan.errors import DataError

UNMARKED = ("DIB", "ICO", "PCX")  # have no distinctive signature, so only an extension identifies them


class ImageFormats:
    """The image formats that can be read, which depend on Pillow's version and plug-ins."""

    def __init__(self):
        self.module = pillow().Image
        registered = self.module.registered_extensions()  # which loads all of Pillow's plug-ins
        known = [name for name in FORMATS if name in self.module.OPEN]
        self.endings = tuple(ending for ending, name in registered.items() if name in known)
        self.marked = [name for name in known if name not in UNMARKED]

    def match(self, member: Member) -> bool:
        """Whether a file is an image, intact or damaged. A file with the extension of an image is not opened."""
        if member.name.lower().endswith(self.endings):
            return True
        try:
            with member.open() as file:
                return self._begins_like_an_image(file)
        except DataError:  # permission is denied, or the file has disappeared
            return False

    def _begins_like_an_image(self, file: BinaryIO) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.module.open(file, formats=self.marked).close()
            except self.module.DecompressionBombError:
                return True
            except Exception:  # decoders of damaged files can raise nearly anything
                return False
            return True


LISTED = 10  # unreadable files named in an error


@dataclass(frozen=True)
class Images:
    """The images of a folder or archive.

    pixels: (N, H, W, channels), uint8
    kept: (files,), bool: whether each requested file is among them
    digests: the SHA-256 of each image's file
    left_out: the other files
    remarks: sentences about anything surprising in how the files were read
    """

    pixels: np.ndarray
    kept: np.ndarray
    digests: list[bytes]
    left_out: LeftOut
    remarks: tuple[str, ...]


def read_images(
    path: Path,
    names: list[str],
    size: Size | None,
    channels: int,
    skip_unreadable: bool,
    training: tuple[Path, list[str]] | None = None,
) -> Images:
    """Decode files of a folder or archive, in the order of `names`.

    size, channels: as in `decoded`
    skip_unreadable: leave out files that cannot be decoded, instead of raising an error
    training: place and names of all training images, which determine the scale; None if these are the training images
    raises DataError listing the files that cannot be decoded, or naming one of a different size
    """
    reader = _Reader(path, names, size, channels)
    reader.read(set(names))
    if reader.unreadable and not (skip_unreadable and len(reader.unreadable) < len(names)):
        raise DataError(_complaint(path, reader.unreadable, len(names)))
    bits = _common_depth(reader, training) if reader.wide else 16
    if bits < 16:
        reader.read(reader.wide.copy(), bits)  # again, since the depth is known only after reading all files
    left_out = LeftOut()
    left_out.add("unreadable", *reader.unreadable)
    kept = np.array([name not in reader.unreadable for name in names])
    pixels = reader.images if kept.all() else reader.images[kept]
    digests = [reader.digests[name] for name in names if name not in reader.unreadable]
    return Images(pixels, kept, digests, left_out, tuple(_remarks(reader, bits)))


class _Reader:
    """Reads files into their places in one array, and records anything unusual about them."""

    def __init__(self, path: Path, names: list[str], size: Size | None, channels: int):
        self.path, self.size, self.channels = path, size, channels
        self.place = {name: i for i, name in enumerate(names)}
        self.images = None
        self.unreadable = {name: f"{name}: it is no longer there" for name in names}
        self.digests: dict[str, bytes] = {}  # SHA-256 of each file
        self.wide: dict[str, int] = {}  # the largest value in each 16-bit file
        self.animated: dict[str, None] = {}

    def read(self, names: Container[str], bits: int = 16) -> None:
        """Decode the files that are among `names`. If several files have one name, the last counts."""
        for member in members(self.path):
            name = member.name
            if name not in self.place or name not in names:
                continue
            self.wide.pop(name, None)
            self.animated.pop(name, None)
            try:
                content = member.read()
                self.digests[name] = sha256(content).digest()
                picture = decoded(content, name, self.size, self.channels, bits)
            except DataError as error:
                self.unreadable[name] = str(error)
            else:
                self.unreadable.pop(name, None)
                self._keep(name, picture)

    def _room(self, height: int, width: int, channels: int) -> np.ndarray:
        try:
            return np.empty((len(self.place), height, width, channels), np.uint8)
        except (MemoryError, ValueError) as error:
            raise DataError(
                f"{self.path}: not enough memory for {len(self.place):,} images of {width} x {height}; "
                "choose a smaller size"
            ) from error

    def _keep(self, name: str, picture: Picture) -> None:
        height, width, _ = picture.pixels.shape
        if self.images is None:
            self.images = self._room(*picture.pixels.shape)
        if picture.pixels.shape != self.images.shape[1:]:
            raise DataError(
                f"{self.path}: {name} is {width} x {height}, but images before it are "
                f"{self.images.shape[2]} x {self.images.shape[1]}; give a size to resize all images to"
            )
        self.images[self.place[name]] = picture.pixels
        if picture.top:
            self.wide[name] = picture.top
        if picture.animated:
            self.animated[name] = None


def _common_depth(reader: _Reader, training: tuple[Path, list[str]] | None) -> int:
    """The number of bits used in all 16-bit files, as determined by the training images if they have any."""
    top = max(reader.wide.values())
    if training is None or training == (reader.path, list(reader.place)):
        return depth(top)
    whole = _Reader(*training, size=1, channels=1)
    whole.read(training[1])
    bits = depth(max(whole.wide.values(), default=top))
    if top >= 1 << bits:
        raise DataError(
            f"{reader.path}: 16-bit files have values up to {top}, but those of the training images up to "
            f"{max(whole.wide.values())}, so it is unclear which value is white; convert all to 8 bits"
        )
    return bits


def _complaint(path: Path, unreadable: dict[str, str], total: int) -> str:
    lines = [printable(line) for line in list(unreadable.values())[:LISTED]]
    if len(unreadable) > LISTED:
        lines.append(f"and {len(unreadable) - LISTED:,} more")
    which = "it" if len(unreadable) == 1 else "them"
    return (
        f"{path}: {len(unreadable):,} of {total:,} images cannot be read; replace or remove {which}, or skip {which} "
        "with --skip-unreadable (from Python: skip_unreadable=True):\n  " + "\n  ".join(lines)
    )


def _remarks(reader: _Reader, bits: int):
    if reader.animated:
        which = "1 file has" if len(reader.animated) == 1 else f"{len(reader.animated):,} files have"
        yield f"{which} several frames or pages, and only the first is used ({named(reader.animated)})"
    if reader.wide and bits < 16:
        top = max(reader.wide.values())
        yield f"the largest value in the 16-bit files is {top}, so {(1 << bits) - 1} is taken as white"
