"""What names say: the split and the class of each image, the order of images, and a data set's title."""

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

# Folders of images to train on and to hold out, the most wanted first. Any case; "set", "data" or a number may follow.
NAMES = {
    TRAIN: ("train", "training"),
    TEST: ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation"),
}


def natural(name: str) -> tuple:
    """A key that sorts names by the numbers in them: 2 before 10, a2 before a10."""
    parts = re.split("0*([0-9]+)", name)
    return [(len(part), part) if place % 2 else (-1, part) for place, part in enumerate(parts)], name


def in_order(names: Iterable[str]) -> list[str]:
    """Paths sorted part by part, each as `natural` says."""
    return sorted(names, key=lambda name: [natural(part) for part in name.split("/")])


def classes_in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Classes' names, each once: by value where all are numbers, else as `natural` says."""
    names = sorted(set(names), key=natural)
    values = [_number(name) for name in names]
    if all(value is not None for value in values):
        names = [name for _, name in sorted(zip(values, names, strict=True), key=lambda pair: pair[0])]
    return tuple(names)


def split_named(name: str) -> str | None:
    """Which split a folder of this name holds, "train" or "test"; None where it is no split's name."""
    word = _word(name)
    return next((split for split, names in NAMES.items() if word in names), None)


def split_folders(names: Sequence[str], where: str) -> dict[str, str]:
    """The folder of each split, with a slash at its end; {} where the images are not split.

    names: of images, sorted
    where: what errors call the place
    Images are split where folders of both splits lie beside each other, alike in the rest of their names (seg_train,
    seg_test); of several to hold out, one with the classes of the training images comes first. A folder "train" that
    lies beside others is a class (bus, car, train).
    raises DataError where both lie beside other folders of images, or there is nothing to train on
    """
    above = shared_folders(names)
    inside = [PurePosixPath(name).parts[len(above) :] for name in names]
    folders = classes_in_order(parts[0] for parts in inside if len(parts) > 1)
    called = {folder: folder for folder in folders} | _without_what_they_share(folders)
    of = {split: [folder for folder in folders if split_named(called[folder]) == split] for split in SPLITS}
    others = [folder for folder in folders if split_named(called[folder]) is None]
    if len(folders) == 1 and of[TRAIN]:
        return _paths(above, {TRAIN: folders[0]})
    if len(folders) == 1 or not of[TEST] or (others and not of[TRAIN]):
        return {}
    if not of[TRAIN]:
        raise DataError(f"{where}: holds {named(folders)}, but no folder {TRAIN} to train on")
    if others:
        raise DataError(
            f"{where}: holds the splits {named(of[TRAIN] + of[TEST])} and beside them {named(others)}, so that it is "
            "not clear what to train on; name the folder itself, or move the others away"
        )
    if len(of[TRAIN]) > 1:
        raise DataError(f"{where}: {named(of[TRAIN])} are all names of what to train on; keep one of them there")
    kinds = {folder: {parts[1] for parts in inside if parts[0] == folder and len(parts) > 2} for folder in folders}
    of_train = kinds[of[TRAIN][0]]
    word = {folder: _word(called[folder]) for folder in of[TEST]}
    best = min(word, key=lambda folder: (kinds[folder].isdisjoint(of_train), NAMES[TEST].index(word[folder])))
    if list(word.values()).count(word[best]) > 1:
        raise DataError(f"{where}: {named(of[TEST])} are all names of what to test on; keep one of them there")
    return _paths(above, {TRAIN: of[TRAIN][0], TEST: best})


def shared_folders(names: Sequence[str]) -> tuple[str, ...]:
    """The folders that all images lie in, from the outside in. names: sorted"""
    if not names:
        return ()
    ends = zip(*(PurePosixPath(name).parts[:-1] for name in (names[0], names[-1])), strict=False)
    # The names are sorted: what the first and the last share, all share.
    return tuple(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], ends))


def labelled(names: Sequence[str], where: str) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Classes, and each image's among them: the first folder that is not shared by all; (), None where there is none.

    raises DataError for images that lie beside such folders
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
    kinds = [_class_named(part[depth]) for part in parts]
    classes = classes_in_order(kinds)
    return classes, _numbers(kinds, classes)


def labelled_as(
    names: Sequence[str], learned: Sequence[str], classes: tuple[str, ...], where: str
) -> np.ndarray | None:
    """The classes of test images, numbered as in training; None where they lie in no folder.

    learned: the names of the training images; a folder "images" that they lie in is no class here either
    raises DataError for a folder that is none of the classes
    """
    parts = [PurePosixPath(name).parts[:-1] for name in names]
    usual = len(shared_folders(learned))
    for depth in sorted(range(min(map(len, parts))), key=lambda depth: depth != usual):  # as deep as in training, first
        kinds = [_class_named(part[depth]) for part in parts]
        if set(kinds) <= set(classes):
            return _numbers(kinds, classes)
    found, _ = labelled(names, where)
    if not found:
        above = {folder for name in learned for folder in PurePosixPath(name).parts[:-1]}
        found = tuple(_class_named(folder) for folder in shared_folders(names) if folder not in above)
    strange = [name for name in found if name not in classes]
    if not strange:
        return None
    raise DataError(
        f"{where}: has the {'class' if len(strange) == 1 else 'classes'} {named(strange)}, but the images to train on "
        f"have {named(classes, 10)}; give the folders the same names in both"
    )


def spread(total: int, count: int | None, path: Path) -> np.ndarray:
    """The indices of `count` of a path's images, spread evenly; None takes all. Raises DataError for too many."""
    if count is None:
        return np.arange(total)
    count = whole(str(path), "count", count)
    if not 1 <= count <= total:
        raise DataError(f"{path}: {count} images wanted, but there are {total}")
    return np.arange(count) * total // count


def title(path: Path) -> str:
    """A folder's last name, with the one above it where the last is that of a split or of another set."""
    path = path.resolve()
    name = path.name
    ending = next((ending for ending in NAME_ENDINGS if name.lower().endswith(ending)), "")
    name = printable(name[: len(name) - len(ending)]) or "images"
    return f"{printable(path.parent.name)}/{name}".lstrip("/") if name in SOURCES or split_named(name) else name


def _without_what_they_share(folders: Iterable[str]) -> dict[str, str]:
    """The split's name in each folder's, where folders of both splits share the rest: seg_train and seg_test."""
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
    """A folder's class. Systems write one accented letter as one character or as two; they are one class."""
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


def _numbers(kinds, classes):
    index = {kind: number for number, kind in enumerate(classes)}
    return np.array([index[kind] for kind in kinds], np.int64)
