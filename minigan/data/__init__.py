"""Data sets, and the batches that training takes from them."""

from minigan.data.augment import Augment
from minigan.data.batches import Batches
from minigan.data.cifar import cifar10
from minigan.data.dataset import Dataset, scaled, to_uint8
from minigan.data.download import cache_folder
from minigan.data.folder import image_folder
from minigan.data.glyphs import glyphs
from minigan.data.idx import fashion_mnist, mnist, read_idx
from minigan.data.left_out import LeftOut
from minigan.data.sources import available, load, load_splits

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
