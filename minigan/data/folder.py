"""Read a folder of images, or an archive of one, as a dataset."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from minigan.data.archive import ARCHIVE_ENDINGS, Member, members
from minigan.data.array_files import IDX_NAME
from minigan.data.arrays import Size, check_format
from minigan.data.dataset import SPLITS, TEST, TRAIN, Dataset, Identity, LeftOut, digest_of_files
from minigan.data.files import EXTRACT, recognized
from minigan.data.reading import ImageFormats, read_images
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
CONFIG, RUN_MARK = "config.json", b'"format": "minigan-run-'  # a run folder's file, and a part of its content
INSIDE = "-inside"  # `minigan inspect` writes its pictures to a folder of the run's name and this suffix


@dataclass
class Part:
    """The images of one split.

    place: a folder or an archive
    names: the names of its images, in order
    left_out: its other files
    above: the split's folder within the place, with a final slash; "" if the split is the whole place
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
    """Read the images of a folder, or of a .zip, .tar or .tar.gz of one, without extracting it.

    Sub-folders are labels, ordered by name, or by value if all are numbers; a folder that contains all images does
    not count. Images are ordered by name, with 2 before 10. Links are followed. All formats that Pillow reads safely
    are accepted, whatever the file's extension; the dataset's `left_out` counts everything else.

    size: side in pixels, or (height, width), to resize to as `arrays.resized` does. None: all must have one size
    channels: 3 for colour, 1 for grey
    count: the number of images to take, evenly spaced over the names so that all labels occur; None takes all
    skip_unreadable: leave out images that cannot be read, and count them in `left_out`
    split: "train" or "test" if the folder is split, see `splits.split_folders`; labels are numbered as in training
    returns: images (N, H, W, channels), uint8; labels (N,), int64, or None without sub-folders
    raises DataError if there are no images, images cannot be read, or their sizes differ
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
    """Read one split of the result of `parts_of(path)`. Other arguments and errors are those of `image_folder`."""
    if split not in parts:
        raise DataError(f"{path}: no {split} split: it contains no folder {split} and no archive {split}.tar.gz")
    part = parts[split]
    training_names = parts[TRAIN].inside()
    classes, labels = labelled(training_names, str(parts[TRAIN]))
    if split != TRAIN:
        labels = labelled_as(part.inside(), training_names, classes, str(part)) if classes else None
    chosen = spread(len(part.names), count, path)
    training = parts[TRAIN].place, parts[TRAIN].names
    images = read_images(part.place, [part.names[i] for i in chosen], size, channels, skip_unreadable, training)
    labels = None if labels is None else labels[chosen][images.kept]
    left_out = LeftOut.merged(part.left_out, images.left_out)
    kind = "folder" if path.is_dir() else "archive"
    digest = digest_of_files(images.digests, labels)
    found = Identity(kind, os.path.abspath(path), digest, classes, len(images.pixels))
    return Dataset(images.pixels, labels, title(path), classes, left_out, images.remarks).known_as(found)


def parts_of(path: Path) -> dict[str, Part]:
    """Find the splits in a folder or an archive. If it is not split, all of it is "train".

    raises DataError if it contains no images, or the splits are ambiguous
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
            raise DataError(f"{part.place}: contains no images{also}{_hint(part)}")
    return parts


def _hint(part: Part) -> str:
    """Advice, for an error message, if one of the other files is in a format that datasets come in."""
    names = part.left_out.names(NO_IMAGE)
    for name in sorted(names, key=lambda name: TEST in map(split_named, PurePosixPath(name).with_suffix("").parts)):
        if name.lower().endswith(".npy") or IDX_NAME.fullmatch(name):
            return f"; to read {name} and its labels, name a folder that contains only arrays"
        if name.lower().endswith(NAME_ENDINGS):
            file = part.place / name
            return f"; to read {name}, name it directly: {file}" if part.place.is_dir() else f"; {EXTRACT}"
        if part.place.is_dir() and (description := recognized(part.place / name)):
            return f"; {name} is {description}"
    return ""


def find(place: Path) -> tuple[list[str], LeftOut]:
    """The names of the images in a folder or an archive, in order, and a record of its other files."""
    left_out, formats = LeftOut(), ImageFormats()
    images, others, runs = set(), set(), set()
    for member in members(place, left_out):
        if _is_config(member):
            runs.add(str(PurePosixPath(member.name).parent))
        elif formats.match(member):
            images.add(member.name)
        else:
            others.add(member.name)
    if "." in runs:
        raise DataError(f"{place}: a run of minigan, not a dataset; its pictures were made by a model")
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
    """The archives in a folder whose names are those of splits."""
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()) if path.is_dir() else ():
        ending = next((ending for ending in ARCHIVE_ENDINGS if file.name.lower().endswith(ending)), None)
        split = None if ending is None else split_named(file.name[: -len(ending)])
        if split and file.is_file():
            if split in found:
                raise DataError(f"{path}: {found[split].name} and {file.name} are both for {split}; remove one of them")
            found[split] = file
    return found


def _test_folder(names: list[str], path: Path, archive: Path) -> dict[str, str]:
    """The folder of test images beside an archive of training images. Raises DataError for other images beside it."""
    above = shared_folders(names)
    if above and split_named(above[0]) == TEST:
        return {TEST: f"{above[0]}/"}
    raise DataError(
        f"{path}: contains {archive.name} and images beside it, so it is unclear which to train on; name the archive "
        "itself, or move one of them away"
    )
