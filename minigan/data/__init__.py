"""Datasets, and the batches that training takes from them."""

from typing import TYPE_CHECKING

from minigan.data.arrays import scaled, to_uint8
from minigan.data.batches import Augment, Batches
from minigan.data.dataset import Dataset, LeftOut
from minigan.data.glyphs import glyphs
from minigan.data.sources import available, cache_folder, load, load_splits

if TYPE_CHECKING:
    from minigan.data.array_files import read_idx
    from minigan.data.folder import image_folder
    from minigan.data.published import cifar10, fashion_mnist, mnist

__all__ = [
    "Augment",
    "Batches",
    "Dataset",
    "LeftOut",
    "available",
    "cache_folder",
    "cifar10",
    "fashion_mnist",
    "glyphs",
    "image_folder",
    "load",
    "load_splits",
    "mnist",
    "read_idx",
    "scaled",
    "to_uint8",
]


def __getattr__(name: str):
    """Import the file readers when they are first used."""
    if name == "read_idx":
        from minigan.data.array_files import read_idx as found
    elif name == "image_folder":
        from minigan.data.folder import image_folder as found
    elif name in ("cifar10", "fashion_mnist", "mnist"):
        from minigan.data import published

        found = getattr(published, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__():
    return sorted([*globals(), *__all__])
