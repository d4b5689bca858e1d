"""Any folder of images, or a tar archive of one, as a data set."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from minigan.data.archive import ARCHIVE_ENDINGS, Member, members
from minigan.data.array_files import IDX_NAME
from minigan.data.arrays import Size, check_format
from minigan.data.dataset import SPLITS, TEST, TRAIN, Dataset, Identity, LeftOut, digest_of_files
from minigan.data.files import EXTRACT, recognized
from minigan.data.reading import Kinds, read_images
from minigan.data.sources import NAME_ENDINGS
from minigan.data.splits import (
    in_order,
    labelled,
    labelled_as,
    shared_folders,
    split_folders,
    split_named,
    spread,
    title,
)
from minigan.errors import DataError

NO_IMAGE = "not readable as an image"
RUN = "in a run of minigan"
CONFIG, RUN_MARK = "config.json", b'"format": "minigan-run-'  # how a run's folder is known
INSIDE = "-inside"  # what `minigan inspect` adds to a run's name for its pictures


@dataclass
class Part:
    """The images of one split.

    place: a folder or an archive
    names: of the images in it, in order
    left_out: what else was found
    above: the split's folder within the place, with a slash at its end; "" where the place is all of the split's
    """

    place: Path
    names: list[str]
    left_out: LeftOut
    above: str = ""

    def inside(self) -> list[str]:
        """The names, relative to the split's folder."""
        return [name.removeprefix(self.above) for name in self.names]

    def __str__(self) -> str:
        return f"{self.place}/{self.above}".rstrip("/") if self.above else str(self.place)


def image_folder(
    path: str | os.PathLike,
    size: Size | None = None,
    channels: int = 3,
    count: int | None = None,
    skip_unreadable: bool = False,
    split: str = TRAIN,
) -> Dataset:
    """Read the images of a folder, or of a .tar or .tar.gz of one (which is not extracted).

    Sub-folders are labels, ordered by name, or by value if all are numbers; folders that all images share do not
    count. Images come in order of names, in which 2 is before 10. Links are followed. Every kind of image that Pillow
    reads is read, whatever the file's ending; the set's `left_out` counts everything else.

    size: side in pixels, or (height, width), reached as in `arrays.resized`. None: all must have one size
    channels: 3 for colour, 1 for grey
    count: how many to take, spread evenly over the names so that every label is there; None takes all
    skip_unreadable: leave out images that cannot be read, and say so in `left_out`
    split: "train" or "test" where the folder is split, see `splits.split_folders`; its labels are those of training
    returns: images (N, H, W, channels), uint8; labels (N,), int64, or None where there are no sub-folders
    raises DataError where there is no image, listing those that cannot be read, or naming one of another size
    """
    check_format(size, channels)
    path = Path(path)
    return read(parts_of(path), split, path, size, channels, count, skip_unreadable)


def read(
    parts: dict[str, Part],
    split: str,
    path: Path,
    size: Size | None,
    channels: int,
    count: int | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """One split of the parts that `parts_of(path)` found. Arguments and errors are those of `image_folder`."""
    if split not in parts:
        raise DataError(f"{path}: no {split} split: it holds neither a folder {split} nor an archive {split}.tar.gz")
    part = parts[split]
    learned = parts[TRAIN].inside()
    classes, labels = labelled(learned, str(parts[TRAIN]))
    if split != TRAIN:
        labels = labelled_as(part.inside(), learned, classes, str(part)) if classes else None
    chosen = spread(len(part.names), count, path)
    whole = parts[TRAIN].place, parts[TRAIN].names
    images = read_images(part.place, [part.names[i] for i in chosen], size, channels, skip_unreadable, whole)
    labels = None if labels is None else labels[chosen][images.kept]
    left_out = LeftOut.together(part.left_out, images.left_out)
    kind = "folder" if path.is_dir() else "archive"
    digest = digest_of_files(images.digests, labels)
    found = Identity(kind, os.path.abspath(path), digest, classes, len(images.pixels))
    return Dataset(images.pixels, labels, title(path), classes, left_out, images.remarks).known_as(found)


def parts_of(path: Path) -> dict[str, Part]:
    """What a folder or an archive holds of each split: all of it is "train" where it is not split.

    raises DataError where it holds no images, or it is not clear which are which
    """
    names, left_out = find(path)
    archives, folders = _split_archives(path), split_folders(names, str(path))
    if TRAIN in archives and not folders and names:
        folders = _test_folder(names, path, archives[TRAIN])
    parts = {}
    for split in SPLITS:
        if split in folders:
            above = folders[split]
            parts[split] = Part(path, [name for name in names if name.startswith(above)], left_out, above)
        elif split in archives:
            left_out.remove(NO_IMAGE, archives[split].name)
            parts[split] = Part(archives[split], *find(archives[split]))
    if TRAIN not in parts:
        parts[TRAIN] = Part(path, names, left_out=left_out)
    elif folders:
        used = tuple(folders.values())
        left_out.add(f"outside {' and '.join(used)}", *(name for name in names if not name.startswith(used)))
    for part in parts.values():
        if not part.names:
            also = f"; left out {part.left_out.words()}" if part.left_out else ""
            raise DataError(f"{part.place}: no images in it{also}{_hint(part)}")
    return parts


def _hint(part: Part) -> str:
    """What to do about files that are no images, where one is of a kind that people have data sets in."""
    names = part.left_out.names(NO_IMAGE)
    for name in sorted(names, key=lambda name: TEST in map(split_named, PurePosixPath(name).with_suffix("").parts)):
        if name.lower().endswith(".npy") or IDX_NAME.fullmatch(name):
            return f"; {name} is read, with its labels, where a folder of nothing but arrays is named"
        if name.lower().endswith(NAME_ENDINGS):
            file = part.place / name
            return f"; {name} is read where it is named itself: {file}" if part.place.is_dir() else f"; {EXTRACT}"
        if part.place.is_dir() and (said := recognized(part.place / name)):
            return f"; {name} is {said}"
    return ""


def find(place: Path) -> tuple[list[str], LeftOut]:
    """The names of the images in a folder or an archive, in order, and what else is there."""
    left_out, kinds = LeftOut(), Kinds()
    images, others, runs = set(), set(), set()
    for member in members(place, left_out):
        if _is_config(member):
            runs.add(str(PurePosixPath(member.name).parent))
        elif kinds.has(member):
            images.add(member.name)
        else:
            others.add(member.name)
    if "." in runs:
        raise DataError(f"{place}: is a run of minigan, not a data set; its pictures are of what a model made")
    within = {*runs, *(f"{run}{INSIDE}" for run in runs)}
    left_out.add(RUN, *in_order(name for name in images if _is_within(name, within)))
    left_out.add(NO_IMAGE, *in_order(name for name in others if not _is_within(name, within)))
    return in_order(name for name in images if not _is_within(name, within)), left_out


def _is_config(member: Member) -> bool:
    if PurePosixPath(member.name).name != CONFIG:
        return False
    with contextlib.suppress(DataError), member.open() as file:
        return RUN_MARK in file.read(1024)
    return False


def _is_within(name: str, folders: set[str]) -> bool:
    return bool(folders) and any(str(above) in folders for above in PurePosixPath(name).parents)


def _split_archives(path: Path) -> dict[str, Path]:
    """The archives in a folder that are named as splits are."""
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()) if path.is_dir() else ():
        ending = next((ending for ending in ARCHIVE_ENDINGS if file.name.lower().endswith(ending)), None)
        split = None if ending is None else split_named(file.name[: -len(ending)])
        if split and file.is_file():
            if split in found:
                raise DataError(f"{path}: {found[split].name} and {file.name} are both for {split}; keep one there")
            found[split] = file
    return found


def _test_folder(names: list[str], path: Path, archive: Path) -> dict[str, str]:
    """The folder of test images that lies beside an archive of training images; raises DataError for other images."""
    above = shared_folders(names)
    if above and split_named(above[0]) == TEST:
        return {TEST: f"{above[0]}/"}
    raise DataError(
        f"{path}: holds {archive.name}, and images beside it, so that it is not clear what to train on; name the "
        "archive itself, or move one of them away"
    )
