"""What a data set is, beyond its name: by this, runs and commands tell whether they mean the same images."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigan.data.left_out import printable

SETS = ("glyphs", "mnist", "fashion-mnist", "cifar10")  # that have names of their own
ROWS = 4096  # images digested at a time


@dataclass(frozen=True)
class Identity:
    """Where images are from, and what they are.

    kind: a named set ("glyphs", "mnist"), "folder", "archive" or another kind of file; "array" where nobody said
    path: where the files lie, absolute; None for what is downloaded, drawn or in memory
    digest: SHA-256 of the images and labels, or of the files that they were read from: the same at every size
    classes: the labels' names, in order
    count: how many images that is
    """

    kind: str
    path: str | None
    digest: str
    classes: tuple[str, ...]
    count: int

    def same(self, other: "Identity") -> bool:
        """Whether both are the same images with the same labels, wherever they lie."""
        return (self.digest, self.classes) == (other.digest, other.classes)

    def plain(self) -> dict:
        """All of it as JSON keeps it."""
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def of(cls, plain: Any) -> "Identity | None":
        """The inverse of `plain`; None for anything that is not such a record."""
        try:
            found = cls(plain["kind"], plain["path"], plain["digest"], tuple(plain["classes"]), plain["count"])
        except (KeyError, TypeError):
            return None
        texts = (found.kind, found.digest, *found.classes, *([] if found.path is None else [found.path]))
        return found if all(isinstance(text, str) for text in texts) and isinstance(found.count, int) else None

    def __str__(self) -> str:
        """The images in a few words, as a sentence names them."""
        if self.kind == "array":
            return f"an array of {self.count:,} images"
        return self.kind if self.path is None else f"{printable(self.path)} ({self.kind})"


def of_arrays(images: np.ndarray, labels: np.ndarray | None = None) -> str:
    """The digest of images (N, ...) and their labels (N,), which says nothing of their order in memory."""
    digest = hashlib.sha256()
    for array in (images, *(() if labels is None else (labels,))):
        little = array.dtype.newbyteorder("<")
        digest.update(f"{little.str}{array.shape}".encode())
        for start in range(0, len(array), ROWS):
            digest.update(np.ascontiguousarray(array[start : start + ROWS], little))
    return digest.hexdigest()


def of_files(digests: Iterable[bytes], labels: Iterable[int] | None) -> str:
    """The digest of files, each given by its own, in order, with their labels."""
    digest = hashlib.sha256(b"files")
    for each in digests:
        digest.update(each)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8"))
    return digest.hexdigest()
