"""Derive each image's split and class, the order of images, and a dataset's title from the names of files."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

import numpy as np

from minigan.data.arrays import whole
from minigan.data.dataset import SPLITS, TEST, TRAIN, named, printable
from minigan.data.sources import NAME_ENDINGS, SOURCES
from minigan.errors import DataError

# Names of folders for training and held-out images, preferred ones first. Case is ignored, and so are the suffixes
# "set", "data" and numbers.
NAMES = {
    TRAIN: ("train", "training"),
    TEST: ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation"),
}


def natural(name: str) -> tuple:
    """A sort key that compares the numbers in names by value: 2 before 10, a2 before a10."""
    parts = re.split("0*([0-9]+)", name)
    return [(len(part), part) if place % 2 else (-1, part) for place, part in enumerate(parts)], name


def in_order(names: Iterable[str]) -> list[str]:
    """Sort paths part by part, each with the key `natural`."""
    return sorted(names, key=lambda name: [natural(part) for part in name.split("/")])


def classes_in_order(names: Iterable[str]) -> tuple[str, ...]:
    """The distinct names of classes, sorted by value if all are numbers, and otherwise with the key `natural`."""
    names = sorted(set(names), key=natural)
    values = [_number(name) for name in names]
    if all(value is not None for value in values):
        names = [name for _, name in sorted(zip(values, names, strict=True), key=lambda pair: pair[0])]
    return tuple(names)


def split_named(name: str) -> str | None:
    """The split, "train" or "test", that a folder's name stands for; None if it does not name a split."""
    word = _word(name)
    return next((split for split, names in NAMES.items() if word in names), None)


def split_folders(names: Sequence[str], where: str) -> dict[str, str]:
    """The folder of each split, with a final slash; {} if the images are not split.

    names: the images' names, sorted
    where: the name of their place in error messages
    Images are split if folders of both splits lie beside each other and share the rest of their names (seg_train,
    seg_test). Among several held-out folders, one with the classes of the training images is preferred. A folder
    "train" beside folders that are not splits is a class (bus, car, train).
    raises DataError if both lie beside other folders of images, or there are no training images
    """
    above = shared_folders(names)
    inside = [PurePosixPath(name).parts[len(above) :] for name in names]
    folders = classes_in_order(parts[0] for parts in inside if len(parts) > 1)
    split_words = {folder: folder for folder in folders} | _without_shared_words(folders)
    by_split = {split: [name for name in folders if split_named(split_words[name]) == split] for split in SPLITS}
    others = [folder for folder in folders if split_named(split_words[folder]) is None]
    if len(folders) == 1 and by_split[TRAIN]:
        return _paths(above, {TRAIN: folders[0]})
    if len(folders) == 1 or not by_split[TEST] or (others and not by_split[TRAIN]):
        return {}
    if not by_split[TRAIN]:
        raise DataError(f"{where}: contains {named(folders)}, but no folder {TRAIN} to train on")
    if others:
        raise DataError(
            f"{where}: contains the splits {named(by_split[TRAIN] + by_split[TEST])} and beside them {named(others)}, "
            "so it is unclear what to train on; name the folder to use, or move the others away"
        )
    if len(by_split[TRAIN]) > 1:
        raise DataError(f"{where}: {named(by_split[TRAIN])} are all names for training images; keep only one of them")
    classes = {folder: {parts[1] for parts in inside if parts[0] == folder and len(parts) > 2} for folder in folders}
    training_classes = classes[by_split[TRAIN][0]]
    word = {folder: _word(split_words[folder]) for folder in by_split[TEST]}
    best = min(word, key=lambda folder: (classes[folder].isdisjoint(training_classes), NAMES[TEST].index(word[folder])))
    if list(word.values()).count(word[best]) > 1:
        raise DataError(f"{where}: {named(by_split[TEST])} are all names for test images; keep only one of them")
    return _paths(above, {TRAIN: by_split[TRAIN][0], TEST: best})


def shared_folders(names: Sequence[str]) -> tuple[str, ...]:
    """The nested folders that contain all images, outermost first. names: sorted"""
    if not names:
        return ()
    ends = zip(*(PurePosixPath(name).parts[:-1] for name in (names[0], names[-1])), strict=False)
    # Since the names are sorted, all of them share what the first and the last share.
    return tuple(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], ends))


def labelled(names: Sequence[str], where: str) -> tuple[tuple[str, ...], np.ndarray | None]:
    """The classes, and each image's label: its outermost folder that not all images share. ((), None) without folders.

    raises DataError for images beside such folders
    """
    depth = len(shared_folders(names))
    parts = [PurePosixPath(name).parts for name in names]
    loose = [name for name, part in zip(names, parts, strict=True) if len(part) == depth + 1]
    if len(loose) == len(names):
        return (), None
    if loose:
        raise DataError(
            f"{where}: {loose[0]} lies beside the sub-folders that are labels; "
            "put every image in a sub-folder, or all in one"
        )
    folders = [_class_named(part[depth]) for part in parts]
    classes = classes_in_order(folders)
    return classes, _numbers(folders, classes)


def labelled_as(
    names: Sequence[str], training_names: Sequence[str], classes: tuple[str, ...], where: str
) -> np.ndarray | None:
    """The labels of test images, numbered as in training; None if they are in no folder.

    training_names: the names of the training images; a folder "images" that contains all of them is not a class here
        either
    raises DataError for a folder that is not one of the classes
    """
    parts = [PurePosixPath(name).parts[:-1] for name in names]
    usual = len(shared_folders(training_names))
    for depth in sorted(range(min(map(len, parts))), key=lambda depth: depth != usual):  # first as deep as in training
        folders = [_class_named(part[depth]) for part in parts]
        if set(folders) <= set(classes):
            return _numbers(folders, classes)
    found, _ = labelled(names, where)
    if not found:
        above = {folder for name in training_names for folder in PurePosixPath(name).parts[:-1]}
        found = tuple(_class_named(folder) for folder in shared_folders(names) if folder not in above)
    unknown = [name for name in found if name not in classes]
    if not unknown:
        return None
    raise DataError(
        f"{where}: has the {'class' if len(unknown) == 1 else 'classes'} {named(unknown)}, but the training images "
        f"have {named(classes, 10)}; give the folders the same names in both"
    )


def spread(total: int, count: int | None, path: Path) -> np.ndarray:
    """The indices of `count` evenly spaced images of a path; None takes all. Raises DataError for too many."""
    if count is None:
        return np.arange(total)
    count = whole(str(path), "count", count)
    if not 1 <= count <= total:
        raise DataError(f"{path}: {count} images requested, but it has {total}")
    return np.arange(count) * total // count


def title(path: Path) -> str:
    """A folder's name, preceded by its parent's name if it is the name of a split or of a named dataset."""
    path = path.resolve()
    name = path.name
    ending = next((ending for ending in NAME_ENDINGS if name.lower().endswith(ending)), "")
    name = printable(name[: len(name) - len(ending)]) or "images"
    return f"{printable(path.parent.name)}/{name}".lstrip("/") if name in SOURCES or split_named(name) else name


def _without_shared_words(folders: Iterable[str]) -> dict[str, str]:
    """The split's name within each folder's, if folders of both splits share the rest: seg_train and seg_test."""
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for folder in folders:
        words = re.split(r"[\W_]+|(?<=[a-z])(?=[A-Z])", folder)
        for place, word in enumerate(words):
            if split_named(word):
                groups.setdefault((*words[:place], "", *words[place + 1 :]), {})[folder] = word
    both = [group for group in groups.values() if {split_named(word) for word in group.values()} == set(SPLITS)]
    return {folder: word for group in both for folder, word in group.items()}


def _paths(above, folders):
    return {split: "/".join((*above, folder, "")) for split, folder in folders.items()}


def _class_named(folder: str) -> str:
    """The class that a folder names, normalized: an accented letter may be one character or two."""
    return unicodedata.normalize("NFC", folder)


def _word(name: str) -> str:
    word = re.sub(r"[\W_]", "", name).lower().rstrip("0123456789")
    for ending in ("set", "data"):
        word = word.removesuffix(ending)
    return word


def _number(name: str) -> float | None:
    if not re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", name):
        return None
    value = float(name)
    return value if math.isfinite(value) else None


def _numbers(names, classes):
    index = {name: number for number, name in enumerate(classes)}
    return np.array([index[name] for name in names], np.int64)
