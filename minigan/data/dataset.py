"""A dataset: images and labels, their identity, and a record of the files that were left out."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from minigan.data.arrays import images_from, labels_from, whole
from minigan.errors import DataError

TRAIN, TEST = "train", "test"
SPLITS = (TRAIN, TEST)


NAMED = 3  # files named for each reason


class LeftOut:
    """Files and folders that were left out of a dataset, by reason.

    left_out.add("hidden", ".DS_Store")
    left_out.words()  # "1 file: hidden (.DS_Store)"
    """

    def __init__(self):
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, *names: str) -> None:
        """Count names under a reason, which is shown after the number: "3 hidden"."""
        if names:
            self._names.setdefault(reason, []).extend(names)

    def remove(self, reason: str, *names: str) -> None:
        """Stop counting these names."""
        kept = [name for name in self._names.pop(reason, []) if name not in names]
        self.add(reason, *kept)

    def names(self, reason: str) -> list[str]:
        """The names that were left out for a reason."""
        return self._names.get(reason, [])

    @classmethod
    def merged(cls, *parts: "LeftOut") -> "LeftOut":
        """Combine several records into one."""
        merged = cls()
        for part in parts:
            for reason, names in part._names.items():
                merged.add(reason, *names)
        return merged

    def __len__(self) -> int:
        """The number of files and folders that were left out."""
        return sum(map(len, self._names.values()))

    def plain(self) -> dict[str, int]:
        """The number left out for each reason."""
        return {reason: len(names) for reason, names in self._names.items()}

    def words(self) -> str:
        """The number left out, the reasons and some names, in one line; "" if nothing was left out."""
        if not self:
            return ""
        several = len(self._names) > 1  # with one reason, the total is its number
        parts = [
            f"{f'{len(names):,} ' if several else ''}{reason} ({named(names)})" for reason, names in self._names.items()
        ]
        return f"{counted(len(self), 'file')}: {', '.join(parts)}"

    def __repr__(self) -> str:
        return f"LeftOut({self.words() or 'nothing'})"


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 file", "1,200 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def named(names: Iterable[str], most: int = NAMED) -> str:
    """The first names, followed by "..." if there are more. Unprintable characters are escaped."""
    names = list(names)
    shown = ", ".join(printable(name) for name in names[:most])
    return f"{shown}, ..." if len(names) > most else shown


def printable(name: str) -> str:
    """Escape control characters, and bytes that are not UTF-8, so that any terminal can show a name."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in name
    )


ROWS = 4096  # images digested at a time


@dataclass(frozen=True)
class Identity:
    """The origin and the content of images.

    kind: a named dataset ("glyphs", "mnist"), "folder", "archive" or another kind of file; "array" by default
    path: the files' absolute path; None for images that are downloaded, drawn or in memory
    digest: SHA-256 of the images and labels, or of the files they were read from, whatever size they are resized to
    classes: the classes' names, in order of their labels
    count: the number of images
    """

    kind: str
    path: str | None
    digest: str
    classes: tuple[str, ...]
    count: int

    def same(self, other: "Identity") -> bool:
        """Whether both have the same images, labels and class names, regardless of path."""
        return (self.digest, self.classes) == (other.digest, other.classes)

    def plain(self) -> dict:
        """A dict for JSON."""
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def of(cls, plain: Any) -> "Identity | None":
        """The inverse of `plain`; None if `plain` is not such a dict."""
        try:
            found = cls(plain["kind"], plain["path"], plain["digest"], tuple(plain["classes"]), plain["count"])
        except (KeyError, TypeError):
            return None
        texts = (found.kind, found.digest, *found.classes, *([] if found.path is None else [found.path]))
        return found if all(isinstance(text, str) for text in texts) and isinstance(found.count, int) else None

    def __str__(self) -> str:
        """A few words that name the images in a sentence."""
        if self.kind == "array":
            return f"an array of {self.count:,} images"
        return self.kind if self.path is None else f"{printable(self.path)} ({self.kind})"


def digest_of_arrays(images: np.ndarray, labels: np.ndarray | None = None) -> str:
    """The digest of images (N, ...) and their labels (N,), regardless of memory layout."""
    digest = hashlib.sha256()
    for array in (images, *(() if labels is None else (labels,))):
        little = array.dtype.newbyteorder("<")
        digest.update(f"{little.str}{array.shape}".encode())
        for start in range(0, len(array), ROWS):
            digest.update(np.ascontiguousarray(array[start : start + ROWS], little))
    return digest.hexdigest()


def digest_of_files(digests: Iterable[bytes], labels: Iterable[int] | None) -> str:
    """The digest of several files, computed from their digests, in order, and their labels."""
    digest = hashlib.sha256(b"files")
    for of_file in digests:
        digest.update(of_file)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8"))
    return digest.hexdigest()


SHOWN = 12  # classes named in the line that describes a dataset


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and, optionally, their labels.

    images: (N, H, W, C), uint8; integers of other dtypes are converted
    labels: (N,), int64, indices into `classes`; None for unlabelled images. A list is accepted
    name: its name in messages
    classes: the classes' names, in order of their labels
    left_out: files that were found with these images but left out
    remarks: sentences about anything surprising in how the files were read
    raises DataError for arrays that are not images and labels
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    name: str = "images"
    classes: tuple[str, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    remarks: tuple[str, ...] = ()
    _origin: Identity | None = field(default=None, init=False)  # not in init, so that `replace` drops it

    def __post_init__(self):
        images = images_from(self.name, self.images, floats=False)
        object.__setattr__(self, "images", images)
        if not isinstance(self.classes, list | tuple | range | np.ndarray):
            given = type(self.classes).__name__
            raise DataError(f"{self.name}: classes are a {given}, expected a list of names in order of their labels")
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
                f"{self.name}: [{rows}] is one image; use .images[{rows}], or [{rows}:{rows + 1}] for a dataset"
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
            raise DataError(f"{self.name}: {count} images requested, but it has {len(self)}")
        return self[:count]

    @property
    def identity(self) -> Identity:
        """The identity of these images or of the whole they are part of: the reader's record, or else computed."""
        if self._origin is not None:
            return self._origin
        return Identity("array", None, digest_of_arrays(self.images, self.labels), self.classes, len(self))

    def known_as(self, origin: Identity) -> "Dataset":
        """Return the same dataset with this identity, which its parts keep."""
        known = replace(self)
        object.__setattr__(known, "_origin", origin)
        return known

    def check_classes(self, other: "Dataset", call: str, what: str) -> None:
        """Raise DataError if both have labels, but of different classes.

        call, what: the names of the caller and of the other dataset in error messages
        """
        if self.labels is not None and other.labels is not None and self.classes != other.classes:
            raise DataError(
                f"{call}: {what} has the classes {named(other.classes, 10)}, but the training images have "
                f"{named(self.classes, 10)}: the same label would mean another class"
            )

    def words(self) -> str:
        """A one-line description: images, their size, images per class, and what was left out."""
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
