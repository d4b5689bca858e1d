"""Any folder of images, or a tar archive of one, as a data set."""

import os
from itertools import takewhile
from pathlib import Path, PurePosixPath

import numpy as np

from minigan.data.archive import members
from minigan.data.dataset import Dataset
from minigan.data.pixels import Size, check_format
from minigan.data.reading import read_images
from minigan.errors import DataError

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def image_folder(
    path: str | os.PathLike,
    size: Size | None = None,
    channels: int = 3,
    count: int | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """Read the images of a folder, or of a .tar or .tar.gz of one (which is not extracted).

    Sub-folders are labels, in order of names; folders that all images share do not count. Images come in order
    of names, hidden files and files that are no images are left out.

    size: side in pixels, or (height, width), reached as in `pixels.resized`. None: all must have one size
    channels: 3 for colour, 1 for grey
    count: how many to take, spread evenly over the names so that every label is there; None takes all
    skip_unreadable: leave out images that cannot be read, and say so in `left_out`
    returns: images (N, H, W, channels), uint8; labels (N,), int64, or None where there are no sub-folders
    raises DataError where there is no image, listing those that cannot be read, or naming one of another size
    """
    check_format(size, channels)
    path = Path(path)
    names = sorted({name for name, _ in members(path) if _is_image(name)})
    if not names:
        raise DataError(f"{path}: no images in it (looked for {', '.join(ENDINGS)})")
    classes, labels = _labels(names, path)
    chosen = _spread(len(names), count, path)
    images = read_images(path, [names[i] for i in chosen], size, channels, skip_unreadable)
    labels = None if labels is None else labels[chosen][images.kept]
    return Dataset(images.pixels, labels, _title(path), classes, images.left_out, images.remarks)


def _is_image(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not any(part.startswith(".") for part in parts) and parts[-1].lower().endswith(ENDINGS)


def _labels(names: list[str], path: Path) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Name each image's class after the first folder that is not shared by all."""
    parts = [PurePosixPath(name).parts for name in names]
    # The names are sorted: what the first and the last share, all share.
    ends = zip(parts[0][:-1], parts[-1][:-1], strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    if all(len(part) == shared + 1 for part in parts):
        return (), None
    loose = [name for name, part in zip(names, parts, strict=True) if len(part) == shared + 1]
    if loose:
        raise DataError(
            f"{path}: {loose[0]} lies beside the sub-folders that are labels; "
            "put every image in a sub-folder, or all in one"
        )
    kinds = [part[shared] for part in parts]
    classes = tuple(sorted(set(kinds)))
    index = {kind: i for i, kind in enumerate(classes)}
    return classes, np.array([index[kind] for kind in kinds], np.int64)


def _spread(total: int, count: int | None, path: Path) -> np.ndarray:
    if count is None:
        return np.arange(total)
    if not 1 <= count <= total:
        raise DataError(f"{path}: {count} images wanted, but there are {total}")
    return np.arange(count) * total // count


def _title(path: Path) -> str:
    name = path.resolve().name
    for ending in (".gz", ".tgz", ".tar"):
        name = name.removesuffix(ending)
    return name or "images"
