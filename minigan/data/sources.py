"""Load images from any source; a table of the datasets that have names."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minigan.data.arrays import Size, check_format, resized, sides, with_channels
from minigan.data.dataset import SPLITS, TEST, TRAIN, Dataset, Identity, digest_of_arrays
from minigan.data.glyphs import glyphs
from minigan.errors import DataError, UnknownNameError

EVERY = 10  # if a path has no test split, one image in this many is held out
NAME_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip", ".npz", ".npy")

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Remote:
    """A file on a server: its address, its size in bytes and its SHA-256."""

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Request:
    """The arguments of `load`: which images a caller requests, and in what form."""

    split: str = TRAIN
    size: Size | None = None
    channels: int | None = None
    count: int | None = None
    seed: int = 0
    report: Report | None = None
    skip_unreadable: bool = False


@dataclass(frozen=True)
class Source:
    """A dataset that has a name.

    shape: (height, width, channels) of an image
    counts: the number of images in each split; {} if any number can be drawn
    files: the downloads that each split is read from; {} if it needs none
    read: reads the dataset, given the folder of its files (or None) and the arguments of `load`, some of which it may
        ignore
    held_out: the number of test images that `load_splits` takes; None takes all
    """

    name: str
    description: str
    shape: tuple[int, int, int]
    counts: dict[str, int]
    files: dict[str, tuple[Remote, ...]]
    read: Callable[[Path | None, Request], Dataset]
    held_out: int | None = None


@dataclass(frozen=True)
class Listing:
    """One line of `minigan data`.

    shape: (height, width, channels) of an image; None if it depends on the folder
    count: the number of training images; None if it is unlimited or depends on the folder
    place: the folder of the files, even if they are not downloaded yet; "" if there are none
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
    split: str = TRAIN,
    size: Size | None = None,
    channels: int | None = None,
    count: int | None = None,
    seed: int = 0,
    report: Report | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """Load a dataset by name, or images by path: a folder, an archive, an .npz or .npy file.

    source: "glyphs", "mnist", "fashion-mnist", "cifar10", or a path
    data_dir: a folder with the named dataset's files; if given, nothing is downloaded
    split: "train" or "test"; a path has splits if it contains train and test folders or archives
    size: side in pixels to resize to, or (height, width); None keeps the dataset's own
    channels: 1 for grey, 3 for colour; None keeps the dataset's own, and means colour for a path
    count: the number of images to take; None takes all (20,000 glyphs)
    seed: for the glyphs; nothing else here is random
    report: called with a download's progress, (name, bytes so far, total bytes)
    skip_unreadable: leave out a path's images that cannot be read; the dataset's `left_out` counts them
    A folder may also contain IDX files or .npy files, with arrays named images and labels, or x_train, y_train, x_test
    and y_test.
    raises UnknownNameError if the source does not exist, DataError if files are missing or broken
    """
    if split not in SPLITS:
        raise DataError(f"there is no split {split!r}; choose one of {', '.join(SPLITS)}")
    check_format(size, 3 if channels is None else channels)
    source = _checked(source, data_dir)
    request = Request(split, size, channels, count, seed, report, skip_unreadable)
    return _named(SOURCES[source], data_dir, request) if source in SOURCES else _at_path(_path(source), request)


def load_splits(
    source: str | os.PathLike = "glyphs",
    data_dir: str | os.PathLike | None = None,
    size: Size | None = None,
    channels: int | None = None,
    seed: int = 0,
    report: Report | None = None,
    skip_unreadable: bool = False,
) -> tuple[Dataset, Dataset]:
    """Load training images and test images.

    The arguments and errors are those of `load`. If a path has no test split, every tenth image is held out. Glyphs
    have 2,000 test images.
    """
    check_format(size, 3 if channels is None else channels)
    source = _checked(source, data_dir)
    request = Request(TRAIN, size, channels, None, seed, report, skip_unreadable)
    if source not in SOURCES:
        return _splits_at_path(_path(source), request)
    found = SOURCES[source]
    test = replace(request, split=TEST, count=found.held_out)
    return _named(found, data_dir, request), _named(found, data_dir, test)


def available() -> list[Listing]:
    """List every source, in the order of the table, with the folder of its files."""
    what = "a folder, .zip or .tar of images, where sub-folders are labels; an .npz of images and labels"
    path = Listing("FOLDER", what, shape=None, count=None, place="", cached=True)
    return [*map(_listing, SOURCES.values()), path]


def cache_folder() -> Path:
    """The folder for downloads: the environment's MINIGAN_DATA, or ~/.cache/minigan/data.

    For a user without a home directory, as in many containers, it is in the system's temporary folder.
    """
    try:
        return Path(os.environ.get("MINIGAN_DATA") or "~/.cache/minigan/data").expanduser()
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"minigan-{os.getuid()}" / "data"


def _listing(source: Source) -> Listing:
    folder = cache_folder() / source.name
    cached = all((folder / remote.name).is_file() for remote in source.files.get(TRAIN, ()))
    place = str(folder) if source.files else ""
    return Listing(source.name, source.description, source.shape, source.counts.get(TRAIN), place, cached)


def _checked(source: str | os.PathLike, data_dir: str | os.PathLike | None) -> str:
    """The source as a string. Raises DataError if it is empty, or if data_dir would have no effect."""
    try:
        source = os.fspath(source)
    except TypeError as error:
        raise DataError(f"a data source is a name or a path, not {source!r}") from error
    if not source:
        raise DataError("the data source is empty; give a dataset's name, or a path (. is the current folder)")
    downloaded = [name for name, known in SOURCES.items() if known.files]
    if data_dir is not None and source not in downloaded:
        what = f"{source} are drawn" if source in SOURCES else f"{source} is a path"
        raise DataError(
            f"--data-dir (from Python: data_dir=) is {data_dir}, but it is only for the downloaded files of "
            f"{', '.join(downloaded)}, and {what}; to use a folder of images, name it as the source: --data FOLDER"
        )
    return source


def _named(source: Source, data_dir: str | os.PathLike | None, request: Request) -> Dataset:
    if not source.files:
        return _converted(source.read(None, request), request)
    if data_dir is None:
        from minigan.data.download import fetch_all

        folder, place = cache_folder() / source.name, None
        fetch_all(source.files[request.split], folder, request.report)
    else:
        folder = _expanded(data_dir)
        place = os.path.abspath(folder)
    dataset = source.read(folder, request)
    digest = digest_of_arrays(dataset.images, dataset.labels)
    dataset = dataset.known_as(Identity(source.name, place, digest, dataset.classes, len(dataset)))
    return _converted(dataset if request.count is None else dataset.take(request.count), request)


def _at_path(path: Path, request: Request) -> Dataset:
    from minigan.data import array_files, folder

    if arrays := array_files.arrays_at(path):
        return _converted(array_files.read(path, arrays, request.split, request.count), request)
    channels = 3 if request.channels is None else request.channels
    parts = folder.parts_of(path)
    return folder.read(parts, request.split, path, request.size, channels, request.count, request.skip_unreadable)


def _splits_at_path(path: Path, request: Request) -> tuple[Dataset, Dataset]:
    from minigan.data import array_files, folder

    if arrays := array_files.arrays_at(path):
        splits = SPLITS if array_files.has_test(path, arrays) else (TRAIN,)
        found = [_converted(array_files.read(path, arrays, split), request) for split in splits]
    else:
        parts, channels = folder.parts_of(path), 3 if request.channels is None else request.channels
        how = {"size": request.size, "channels": channels, "skip_unreadable": request.skip_unreadable}
        found = [folder.read(parts, split, path, **how) for split in SPLITS if split in parts]
    if len(found) == 2:
        return found[0], found[1]
    (train,) = found
    held_out = np.arange(len(train)) % EVERY == EVERY - 1
    if not held_out.any():
        raise DataError(f"{path}: {len(train)} images, but at least ten are needed, as every tenth is held out")
    return train[~held_out], train[held_out]


def _converted(dataset: Dataset, request: Request) -> Dataset:
    images = dataset.images
    images = images if request.channels is None else with_channels(images, request.channels)
    images = images if request.size is None else resized(images, request.size)
    return replace(dataset, images=images).known_as(dataset.identity)


def _expanded(path: str | os.PathLike) -> Path:
    """A path with ~ expanded. Raises DataError if it is not a path, or names the home of an unknown user."""
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
        raise DataError(f"{source}: there is no such folder, archive or image file")
    raise UnknownNameError("data source", source, list(SOURCES))


MNIST_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_MIRROR = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
MNIST_NAMES = ("images-idx3", "labels-idx1")
CIFAR = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    170052171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)


def _mnist_files(mirror: str, **digests: tuple[int, str]) -> dict[str, tuple[Remote, ...]]:
    """The files of both splits. digests: the size and SHA-256 of each"""
    train, test = (
        tuple(Remote(f"{mirror}{stem}-{name}-ubyte.gz", *digests[f"{split}_{name[:6]}"]) for name in MNIST_NAMES)
        for split, stem in ((TRAIN, "train"), (TEST, "t10k"))
    )
    return {TRAIN: train, TEST: test}


def _drawn(_: Path | None, request: Request) -> Dataset:
    count = 20_000 if request.count is None else request.count
    return glyphs(count, request.seed, request.split, 28 if request.size is None else max(sides(request.size)))


def _mnist(folder: Path, request: Request) -> Dataset:
    from minigan.data.published import mnist

    return mnist(folder, request.split)


def _fashion_mnist(folder: Path, request: Request) -> Dataset:
    from minigan.data.published import fashion_mnist

    return fashion_mnist(folder, request.split)


def _cifar10(folder: Path, request: Request) -> Dataset:
    from minigan.data.published import cifar10

    return cifar10(folder, request.split)


# A new source is an entry here and a module that reads it, which is imported only when the source is used.
SOURCES = {
    source.name: source
    for source in (
        Source("glyphs", "digits drawn as strokes, in any number", (28, 28, 1), {}, {}, _drawn, held_out=2000),
        Source(
            "mnist",
            "handwritten digits",
            (28, 28, 1),
            {"train": 60_000, "test": 10_000},
            _mnist_files(
                MNIST_MIRROR,
                train_images=(9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                train_labels=(28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
                test_images=(1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                test_labels=(4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            ),
            _mnist,
        ),
        Source(
            "fashion-mnist",
            "pictures of clothes, in ten kinds",
            (28, 28, 1),
            {"train": 60_000, "test": 10_000},
            _mnist_files(
                FASHION_MIRROR,
                train_images=(26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                train_labels=(29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                test_images=(4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                test_labels=(5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            ),
            _fashion_mnist,
        ),
        Source(
            "cifar10",
            "small photographs of animals and vehicles, in ten kinds",
            (32, 32, 3),
            {"train": 50_000, "test": 10_000},
            {"train": (CIFAR,), "test": (CIFAR,)},
            _cifar10,
        ),
    )
}
