"""Replacing a run by a new one without a moment in which neither is whole.

The new run is written into a folder inside the old one's. Once it is whole, one renaming decides: before it the folder
holds the old run, after it the new one, whose files then only have to be moved up. Whoever opens the folder next
finishes a move that was cut off, so each step below can be repeated:

    new-run/         being written, or left by a process that died; the old run is untouched
    new-run-whole/   decided; files of the old run that the new one does not overwrite are being removed
    new-run-moving/  the new run's files are being moved up, each over the old one's by one renaming
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from minigan.training import files

if TYPE_CHECKING:
    from minigan.training.folder import RunFolder

NEW, WHOLE, MOVING = "new-run", "new-run-whole", "new-run-moving"


def begin(folder: RunFolder, weights: str) -> Path:
    """Make the folder that the new run is written into.

    weights: the name of the file that makes an earlier new run, of a process that died, worth keeping until this one
        is whole
    """
    for left in _left_over(folder):
        if not (left / weights).is_file():
            left.remove()
    place, number = folder / NEW, 2
    while place.exists():
        place, number = folder / f"{NEW}-{number}", number + 1
    place.mkdir()
    return place


def commit(folder: RunFolder, place: Path) -> None:
    """Put the new run in the old one's place.

    raises RunError, before anything is decided, where a folder of the old run is not writable
    """
    for inner in (each for each in place.rglob("*") if each.is_dir()):
        target = folder / str(inner.relative_to(place))
        target.mkdir(exist_ok=True)
        files.check_writable(folder.path, target)
    os.rename(place, folder / WHOLE)
    files.flush_folder(folder.path)
    finish(folder)


def is_cut_off(folder: RunFolder) -> bool:
    """Whether a run was decided to be in place, but has not been moved there."""
    return where(folder) is not None


def where(folder: RunFolder) -> Path | None:
    """Where the files of a new run are that was decided to be in place, until they are moved there."""
    return next((place for place in (folder / WHOLE, folder / MOVING) if os.path.exists(place)), None)


def finish(folder: RunFolder) -> None:
    """Move a whole new run to its place, from wherever that was cut off. Nothing to do where there is none."""
    whole, moving = folder / WHOLE, folder / MOVING
    if whole.exists():
        for file in folder.own_files():
            if not (whole / file.relative_to(folder.path)).exists():
                file.unlink()
        os.rename(whole, moving)
    if moving.exists():
        for file in sorted(moving.rglob("*")):
            if not file.is_dir():
                target = folder / str(file.relative_to(moving))
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)
                files.flush_folder(target.parent)
        for left in _left_over(folder):
            left.remove()
        type(folder)(moving).remove_if_empty()


def _left_over(folder):
    """New runs that never became whole, as folders of the same class."""
    names = (each.name for each in folder.path.iterdir() if each.is_dir())
    return [type(folder)(folder / name) for name in names if is_ours(name) and name not in (WHOLE, MOVING)]


def is_ours(name: str) -> bool:
    """Whether a folder within a run's is taken for a new run that has not become whole, and removed in time."""
    return re.fullmatch(rf"{NEW}(-\d+|-whole|-moving)?", name) is not None
