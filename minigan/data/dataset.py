"""Images with their labels, as bytes, and the scale that training sees them in."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from minigan.data import identity
from minigan.data.arrays import images_from, labels_from, whole
from minigan.data.identity import Identity
from minigan.data.left_out import LeftOut, counted, named, printable
from minigan.errors import DataError

BRIGHTEST = 2  # that floats in [-1, 1] are taken to overshoot, where none is below 0
SHOWN = 12  # classes named in the line that announces a set


def scaled(images: np.ndarray) -> np.ndarray:
    """Take bytes 0..255 to float32 in [-1, 1], the range of a generator's tanh: x / 127.5 - 1."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise DataError(f"scaled: images are {images.dtype}, but bytes (uint8, 0 to 255) are what it takes")
    return images / np.float32(127.5) - np.float32(1)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Take floats in [-1, 1] back to bytes, rounded; what lies outside is clipped. The inverse of `scaled`.

    raises DataError where a value is not a number, since no byte stands for it, or where the values look like 0 to 255,
        of which clipping would leave nothing but white
    """
    images = np.asarray(images)
    if images.size and images.dtype.kind == "f" and images.min() >= 0 and images.max() > BRIGHTEST:
        raise DataError(
            f"to_uint8: images run from {images.min():g} to {images.max():g}, but floats in [-1, 1] are what it takes; "
            "of 0 to 255: np.rint(images).astype(np.uint8)"
        )
    return clipped(images)


def clipped(images: np.ndarray) -> np.ndarray:
    """`to_uint8` of what a network makes, which may be too bright everywhere."""
    images = np.asarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"to_uint8: images are {images.dtype}, but floats in [-1, 1] are what it takes")
    if np.isnan(images).any():
        raise DataError("to_uint8: the images hold NaN; no byte stands for it")
    return np.rint(np.clip((images + 1) * 127.5, 0, 255)).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and, where there are any, their labels.

    images: (N, H, W, C), uint8; integers of other dtypes are converted
    labels: (N,), int64, indices into `classes`; None for unlabelled images. A list will do
    name: what people call it
    classes: the labels' names, in order
    left_out: what was found with these images and is not among them
    remarks: sentences on how the files were read, where a reader might expect something else
    raises DataError for arrays that are not images and labels
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    name: str = "images"
    classes: tuple[str, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    remarks: tuple[str, ...] = ()
    _origin: Identity | None = field(default=None, init=False)  # so that `replace` with other arrays forgets it

    def __post_init__(self):
        images = images_from(self.name, self.images, floats=False)
        object.__setattr__(self, "images", images)
        if not isinstance(self.classes, list | tuple | range | np.ndarray):
            given = type(self.classes).__name__
            raise DataError(f"{self.name}: classes are a {given}, but they are a list of names, label 0's first")
        object.__setattr__(self, "classes", tuple(map(str, self.classes)))
        if self.labels is not None:
            labels = labels_from(self.name, self.labels, len(images), len(self.classes))
            object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice | np.ndarray | Sequence[int]) -> "Dataset":
        """Keep the images that a slice, a list of indices or a mask selects."""
        if isinstance(rows, int | np.integer):
            raise DataError(
                f"{self.name}: [{rows}] is one image; take .images[{rows}], or [{rows}:{rows + 1}] for a set"
            )
        try:
            images, labels = self.images[rows], None if self.labels is None else self.labels[rows]
        except (IndexError, TypeError) as error:
            raise DataError(f"{self.name}: {error}") from error
        part = replace(self, images=images, labels=labels)
        return part if self._origin is None else part.known_as(self._origin)

    def take(self, count: int) -> "Dataset":
        """Keep the first `count` images. Raises DataError if there are fewer."""
        count = whole(self.name, "count", count)
        if not 0 <= count <= len(self):
            raise DataError(f"{self.name}: {count} images wanted, but there are {len(self)}")
        return self[:count]

    @property
    def identity(self) -> Identity:
        """What these images are, or are a part of: recorded by the reader, or else computed from the arrays."""
        if self._origin is not None:
            return self._origin
        return Identity("array", None, identity.of_arrays(self.images, self.labels), self.classes, len(self))

    def known_as(self, origin: Identity) -> "Dataset":
        """The same set, with this identity; parts of it keep that."""
        known = replace(self)
        object.__setattr__(known, "_origin", origin)
        return known

    def check_classes(self, other: "Dataset", call: str, what: str) -> None:
        """Raise DataError where both have labels, and these are not of the same classes.

        call, what: what errors call the caller, and the other set
        """
        if self.labels is not None and other.labels is not None and self.classes != other.classes:
            raise DataError(
                f"{call}: {what} has the classes {named(other.classes, 10)}, but the images to train on have "
                f"{named(self.classes, 10)}: the same label would mean another class"
            )

    def words(self) -> str:
        """What is in it, in one line: images, their size, classes with their numbers, and what was left out."""
        height, width, channels = self.shape
        words = f"{counted(len(self), 'image')} of {height} x {width} x {channels}"
        if self.labels is not None:
            counts = np.bincount(self.labels, minlength=len(self.classes)).tolist()
            pairs = [f"{printable(name)} {n:,}" for name, n in zip(self.classes[:SHOWN], counts, strict=False)]
            more = ", ..." if len(counts) > SHOWN else ""
            words += f" in {len(counts):,} class{'' if len(counts) == 1 else 'es'} ({', '.join(pairs)}{more})"
        left_out = [f"left out {self.left_out.words()}"] if self.left_out else []
        return "; ".join((words, *self.remarks, *left_out))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        return self.images.shape[1:]

    def __repr__(self) -> str:
        labels = f", {len(self.classes)} classes" if self.labels is not None else ""
        return f"Dataset({self.name!r}, {len(self)} images of {' x '.join(map(str, self.shape))}{labels})"
