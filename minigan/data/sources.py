"""Every data set that the command line can name, and how to get it."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minigan.data import cifar, identity, idx, packed
from minigan.data.dataset import Dataset
from minigan.data.download import Remote, Report, cache_folder, fetch_all
from minigan.data.folder import NAME_ENDINGS, parts_of, read
from minigan.data.glyphs import glyphs
from minigan.data.identity import Identity
from minigan.data.pixels import Size, check_format, resized, sides, with_channels
from minigan.data.splits import SPLITS, TEST, TRAIN
from minigan.errors import DataError, UnknownNameError

EVERY = 10  # of which one is held out where a path has no test split


@dataclass(frozen=True)
class Source:
    """A data set that is downloaded.

    counts: images in each split
    files: what each split needs
    read: (folder, split) -> Dataset
    """

    name: str
    description: str
    shape: tuple[int, int, int]
    counts: dict[str, int]
    files: dict[str, tuple[Remote, ...]]
    read: Callable[[Path, str], Dataset]


@dataclass(frozen=True)
class Listing:
    """One line of `minigan data`.

    shape: (height, width, channels) of an image; None where the folder decides
    count: training images; None where there is no limit, or the folder decides
    place: where the files are, or would be; "" where there are none
    cached: whether it can be read without a network
    """

    name: str
    description: str
    shape: tuple[int, int, int] | None
    count: int | None
    place: str
    cached: bool


def load(
    source: str | os.PathLike = "glyphs",
    data_dir: str | os.PathLike | None = None,
    split: str = "train",
    size: Size | None = None,
    channels: int | None = None,
    count: int | None = None,
    seed: int = 0,
    report: Report | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """Have a data set by its name, or images by their path: a folder, an archive, an .npz or .npy file.

    source: "glyphs", "mnist", "fashion-mnist", "cifar10", or a path
    data_dir: a folder with the named set's files; nothing is downloaded then
    split: "train" or "test"; a path has splits where it holds train and test, folders or archives
    size: side in pixels to resize to, or (height, width); None keeps the set's own
    channels: 1 for grey, 3 for colour; None keeps the set's own, and takes colour for a path
    count: how many images; None takes all (20,000 glyphs)
    seed: of the glyphs; nothing else here is random
    report: called with a download's progress, (name, bytes so far, bytes in all)
    skip_unreadable: go on without a path's images that cannot be read; the set's `left_out` counts them
    A folder may also hold IDX files or .npy files; arrays are named images and labels, or x_train, y_train, x_test
    and y_test.
    raises UnknownNameError for a source that does not exist, DataError for files that are missing or broken
    """
    if split not in SPLITS:
        raise DataError(f"no split is called {split!r}; there are: {', '.join(SPLITS)}")
    check_format(size, 3 if channels is None else channels)
    source = _checked(source, data_dir)
    if source == "glyphs":
        drawn = glyphs(20_000 if count is None else count, seed, split, 28 if size is None else max(sides(size)))
        return _converted(drawn, size, channels)
    if source in SOURCES:
        dataset = _read(SOURCES[source], data_dir, split, report)
        return _converted(dataset if count is None else dataset.take(count), size, channels)
    path = _path(source)
    if arrays := packed.arrays_at(path):
        return _converted(packed.read(path, arrays, split, count), size, channels)
    return read(parts_of(path), split, path, size, 3 if channels is None else channels, count, skip_unreadable)


def load_splits(
    source: str | os.PathLike = "glyphs", data_dir: str | os.PathLike | None = None, **how
) -> tuple[Dataset, Dataset]:
    """Images to train on and others to test on.

    source, data_dir: as in `load`, and so are size, channels, seed, report and skip_unreadable
    A path that has no test split is split here: every tenth image is held out. 2,000 glyphs are.
    raises what `load` does
    """
    source = _checked(source, data_dir)
    if source == "glyphs":
        return load(source, **how), load(source, split=TEST, count=2000, **how)
    if source in SOURCES:
        return load(source, data_dir, **how), load(source, data_dir, split=TEST, **how)
    return _path_splits(_path(source), **how)


def _path_splits(
    path: Path,
    size: Size | None = None,
    channels: int | None = None,
    seed: int = 0,
    report: Report | None = None,
    skip_unreadable: bool = False,
) -> tuple[Dataset, Dataset]:
    check_format(size, 3 if channels is None else channels)
    if arrays := packed.arrays_at(path):
        splits = (TRAIN, TEST) if packed.has_test(path, arrays) else (TRAIN,)
        found = [_converted(packed.read(path, arrays, split), size, channels) for split in splits]
    else:
        parts, channels = parts_of(path), 3 if channels is None else channels
        splits = (TRAIN, TEST) if TEST in parts else (TRAIN,)
        found = [read(parts, split, path, size, channels, skip_unreadable=skip_unreadable) for split in splits]
    if len(found) == 2:
        return tuple(found)
    (train,) = found
    held_out = np.arange(len(train)) % EVERY == EVERY - 1
    if not held_out.any():
        raise DataError(f"{path}: {len(train)} images, of which every tenth is held out; there must be at least ten")
    return train[~held_out], train[held_out]


def available() -> list[Listing]:
    """Every source, in the order of the table, with where its files are."""
    drawn = Listing("glyphs", "digits drawn as strokes, any number of them", (28, 28, 1), None, "", True)
    path = Listing(
        "FOLDER",
        "a folder, .zip or .tar of images, sub-folders are labels; an .npz of images and labels",
        None,
        None,
        "",
        True,
    )
    return [drawn, *(_listing(source) for source in SOURCES.values()), path]


def _listing(source: Source) -> Listing:
    folder = cache_folder() / source.name
    cached = all((folder / remote.name).is_file() for remote in source.files["train"])
    return Listing(source.name, source.description, source.shape, source.counts["train"], str(folder), cached)


def _checked(source: str | os.PathLike, data_dir: str | os.PathLike | None) -> str:
    """The source's name or path. Raises DataError for none, and for a data_dir that would have no effect."""
    try:
        source = os.fspath(source)
    except TypeError as error:
        raise DataError(f"a data source is a name or a path, not {source!r}") from error
    if not source:
        raise DataError("the data source has no name; name a set, or a path (. is the current folder)")
    if data_dir is not None and source not in SOURCES:
        what = "glyphs are drawn" if source == "glyphs" else f"{source} is a place itself"
        raise DataError(
            f"--data-dir (from Python: data_dir=) is {data_dir}, but it says where the files of "
            f"{', '.join(SOURCES)} are, and {what}; to use a folder of images, name it as the source: --data FOLDER"
        )
    return source


def _read(source: Source, data_dir: str | os.PathLike | None, split: str, report: Report | None) -> Dataset:
    if data_dir is None:
        folder = cache_folder() / source.name
        fetch_all(source.files[split], folder, report)
    else:
        folder = _expanded(data_dir)
    dataset = source.read(folder, split)
    place = None if data_dir is None else os.path.abspath(folder)
    digest = identity.of_arrays(dataset.images, dataset.labels)
    return dataset.known_as(Identity(source.name, place, digest, dataset.classes, len(dataset)))


def _converted(dataset: Dataset, size: Size | None, channels: int | None) -> Dataset:
    images = dataset.images
    images = images if channels is None else with_channels(images, channels)
    images = images if size is None else resized(images, size)
    return replace(dataset, images=images).known_as(dataset.identity)


def _expanded(path: str | os.PathLike) -> Path:
    """A path with its ~ replaced. Raises DataError for the home of a user that there is not, or what is no path."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, TypeError) as error:
        raise DataError(f"{path}: {error}") from error


def _path(source: str) -> Path:
    path = _expanded(source)
    try:
        if path.exists():
            return path
    except OSError as error:
        raise DataError(f"{source}: {error.strerror}") from error
    if source.startswith(("~", ".")) or "/" in source or os.sep in source or source.endswith(NAME_ENDINGS):
        raise DataError(f"{source}: there is no such folder, archive or file of images")
    raise UnknownNameError("data source", source, ["glyphs", *SOURCES])


MNIST_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_MIRROR = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
CIFAR_SERVER = "https://www.cs.toronto.edu/~kriz/"
CIFAR_FILES = (
    Remote(
        CIFAR_SERVER + cifar.ARCHIVE,
        170052171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
)


def _idx_files(mirror: str, stem: str, images: tuple[int, str], labels: tuple[int, str]) -> tuple[Remote, Remote]:
    return (
        Remote(f"{mirror}{stem}-images-idx3-ubyte.gz", *images),
        Remote(f"{mirror}{stem}-labels-idx1-ubyte.gz", *labels),
    )


SOURCES = {
    source.name: source
    for source in (
        Source(
            "mnist",
            "handwritten digits",
            (28, 28, 1),
            {"train": 60_000, "test": 10_000},
            {
                "train": _idx_files(
                    MNIST_MIRROR,
                    "train",
                    (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                    (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                ),
                "test": _idx_files(
                    MNIST_MIRROR,
                    "t10k",
                    (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                    (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
                ),
            },
            idx.mnist,
        ),
        Source(
            "fashion-mnist",
            "pictures of clothes, in ten kinds",
            (28, 28, 1),
            {"train": 60_000, "test": 10_000},
            {
                "train": _idx_files(
                    FASHION_MIRROR,
                    "train",
                    (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                    (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                ),
                "test": _idx_files(
                    FASHION_MIRROR,
                    "t10k",
                    (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                    (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
                ),
            },
            idx.fashion_mnist,
        ),
        Source(
            "cifar10",
            "small photographs of ten kinds of things",
            (32, 32, 3),
            {"train": 50_000, "test": 10_000},
            {"train": CIFAR_FILES, "test": CIFAR_FILES},
            cifar.cifar10,
        ),
    )
}
