"""Links within an archive: the other names of its files, found once all of it was seen."""

import posixpath
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from minigan.data.left_out import LeftOut
from minigan.data.walk import BROKEN, LOOP, check_ways

HOPS = 40  # links that one name may lead through, as in Linux


def extracted(name: str) -> str:
    """The name that a file gets when it is extracted: relative, and never above the folder; "" for that folder."""
    return posixpath.normpath(f"/{name.lstrip('/')}")[1:]


class Links:
    """The links of an archive.

    files: its regular files by name, which the reader of the archive fills in
    """

    def __init__(self):
        self.files: dict[str, Any] = {}
        self._targets: dict[str, str] = {}
        self._ways: Counter[str] = Counter()  # in which folders are reached

    def add(self, name: str, target: str, hard: bool) -> None:
        """Note a link. A hard link's target is a name in the archive, a symbolic one's is relative to the link."""
        relative = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        self._targets[name] = extracted(target) if hard else relative

    def resolved(self, left_out: LeftOut) -> Iterator[tuple[str, Any]]:
        """Yield (name, file) for every file that links give another name, in the order in which the files lie.

        A link to a folder gives one to each file in it. Links out of the archive, and in a circle, are left out.
        """
        found = [(link + rest, file) for link in self._targets for rest, file in self._behind(link, left_out)]
        order = {id(file): place for place, file in enumerate(self.files.values())}
        yield from sorted(found, key=lambda pair: order[id(pair[1])])

    def _behind(self, link: str, left_out: LeftOut, inside: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
        """Yield (path below the link, file) for what a link leads to. inside: folders that the way there led through"""
        target = self._followed(link)
        inside |= {str(above) for above in PurePosixPath(link).parents}
        if target in self.files:
            yield "", self.files[target]
        elif target is None or target in inside:
            left_out.add(LOOP, link)
        else:
            self._ways[target] += 1
            check_ways(self._ways[target], target)
            below = f"{target}/"
            files = [name for name in self.files if name.startswith(below)]
            links = [name for name in self._targets if name.startswith(below)]
            yield from ((name[len(target) :], self.files[name]) for name in files)
            for name in links:
                for rest, file in self._behind(name, left_out, inside):
                    yield name[len(target) :] + rest, file
            if not files and not links:
                left_out.add(BROKEN, link)

    def _followed(self, name: str) -> str | None:
        """The name of what a link leads to in the end; None where links lead on without end."""
        for _ in range(HOPS):
            name = self._one_step(name)
            if name not in self._targets and not self._one_link_above(name):
                return name
        return None

    def _one_step(self, name: str) -> str:
        above = self._one_link_above(name)
        if name in self._targets:
            return self._targets[name]
        return posixpath.normpath(self._targets[above] + name[len(above) :]) if above else name

    def _one_link_above(self, name: str) -> str | None:
        """The first folder on the way to a name that is a link."""
        parts = name.split("/")
        paths = ("/".join(parts[:length]) for length in range(1, len(parts)))
        return next((path for path in paths if path in self._targets), None)
