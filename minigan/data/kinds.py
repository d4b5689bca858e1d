"""Which files are images that are read here: by their ending, or else by how they begin."""

import warnings
from typing import BinaryIO

from minigan.data.archive import Member
from minigan.data.decoding import FORMATS
from minigan.data.pixels import pillow
from minigan.errors import DataError

UNMARKED = ("DIB", "ICO", "PCX")  # begin as many other files do, so that only an ending tells


class Kinds:
    """The kinds of images that are read here, which depends on Pillow's version and on its plug-ins."""

    def __init__(self):
        self.module = pillow().Image
        registered = self.module.registered_extensions()  # which loads all of Pillow's plug-ins
        known = [name for name in FORMATS if name in self.module.OPEN]
        self.endings = tuple(ending for ending, name in registered.items() if name in known)
        self.marked = [name for name in known if name not in UNMARKED]

    def has(self, member: Member) -> bool:
        """Whether a file is an image, whole or damaged. Files that end as images do are not looked at."""
        if member.name.lower().endswith(self.endings):
            return True
        try:
            with member.open() as file:
                return self._begins_as_an_image(file)
        except DataError:  # it cannot be opened, as nobody may, or it has gone
            return False

    def _begins_as_an_image(self, file: BinaryIO) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.module.open(file, formats=self.marked).close()
            except self.module.DecompressionBombError:
                return True
            except Exception:  # decoders of damaged files raise nearly anything
                return False
            return True
