"""A run folder: what training leaves on the disk, and the only files there that minigan ever touches.

config.json          what was asked for, and how it ended
environment.json     versions, processor, threads
log.jsonl            a line for every step
samples/             step-000400.png: what it makes of the same inputs, along the way
pictures/            what else was drawn at the end
weights.safetensors  all that was trained
report.html          all of it on one page
"""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from minigan.training import files
from minigan.training.errors import RunError

FORMAT = "minigan-run-1"
CONFIG, ENVIRONMENT, LOG = "config.json", "environment.json", "log.jsonl"
WEIGHTS, REPORT = "weights.safetensors", "report.html"
SAMPLES, PICTURES = "samples", "pictures"
ROOM = "room-for-weights"
ASIDE = "replaced"  # holds the run that a new one replaces, until that has weights
NAMES = (CONFIG, ENVIRONMENT, LOG, WEIGHTS, REPORT, ROOM)


class RunFolder:
    """A run's files by their names."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    # ------------------------------------------------------------------------------------------ making

    def check_free(self, force: bool = False) -> None:
        """Raise RunError where `create` would, as far as can be told without touching anything."""
        path = self.path
        try:
            if not path.exists():
                return self._check_parent()
            if not path.is_dir():
                raise RunError(f"{path}: is a file; a run needs a folder of its own (--out DIR)")
            if not any(path.iterdir()):
                return None
        except RunError:
            raise
        except OSError as error:
            raise files.failure(path, error) from error
        if not force:
            raise RunError(f"{path}: exists and is not empty; choose another folder (--out) or replace it (--force)")
        if not self.is_run():
            raise RunError(f"{path}: holds something other than a run of minigan; --force replaces runs only")
        return None

    def create(self, force: bool = False) -> None:
        """Make the folder, and change nothing in one that is there.

        raises RunError where it exists and is not empty (with force: is no run), or cannot be written
        """
        self.check_free(force)
        try:
            (self / SAMPLES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise files.failure(self.path, error) from error

    def clear(self, *but: str) -> None:
        """Remove the files that a run makes, and no others; `but` names some to keep."""
        try:
            for file in self.own_files():
                if file.name not in but:
                    file.unlink()
        except OSError as error:
            raise files.failure(self.path, error) from error

    def set_aside(self, *but: str) -> None:
        """Move the run that is here into a folder within, until `forget` or `restore`; `but` names files to leave."""
        aside = RunFolder(self / ASIDE)
        if aside.path.exists():  # of a process that was killed before it had anything better: it stays
            self.clear(*but)
            return
        try:
            for file in self.own_files():
                if file.name not in but:
                    place = aside / file.relative_to(self.path)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    file.rename(place)
        except OSError as error:
            raise files.failure(self.path, error) from error

    def restore(self) -> bool:
        """Bring back what was set aside, instead of what is here; whether there was anything."""
        aside = RunFolder(self / ASIDE)
        if not aside.path.exists():
            return False
        self.clear()
        try:
            for file in aside.own_files():
                (self / file.relative_to(aside.path)).parent.mkdir(exist_ok=True)
                file.rename(self / file.relative_to(aside.path))
        except OSError as error:
            raise files.failure(self.path, error) from error
        aside.remove_if_empty()
        return True

    def forget(self) -> None:
        """Remove what was set aside."""
        aside = RunFolder(self / ASIDE)
        aside.clear()
        aside.remove_if_empty()

    def remove_if_empty(self) -> None:
        """Remove the folder if nothing is in it."""
        for folder in (self / SAMPLES, self / PICTURES, self.path):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def own_files(self) -> list[Path]:
        """The files here that a run makes."""
        whole = [*(self / name for name in NAMES), *self.grids(), *self.pictures()]
        begun = [file.with_name(file.name + files.SUFFIX) for file in whole]
        return [file for file in (*whole, *begun) if file.is_file()]

    def is_run(self) -> bool:
        """Whether minigan made this folder."""
        try:
            return self.config().get("format") == FORMAT
        except RunError:
            return False

    def _check_parent(self):
        parent = self.path.absolute().parent
        while not parent.exists():
            parent = parent.parent
        if not parent.is_dir():
            raise RunError(f"{self.path}: cannot be made, {parent} is a file")
        if not os.access(parent, os.W_OK | os.X_OK):
            raise RunError(f"{self.path}: cannot be made, {parent} is not writable")

    # ------------------------------------------------------------------------------- writing and reading

    def write_json(self, name: str, content: dict) -> None:
        files.write(self / name, (json.dumps(content, indent=2) + "\n").encode())

    def write_grid(self, step: int, content: bytes) -> None:
        files.write(self / SAMPLES / f"step-{step:06d}.png", content)

    def write_picture(self, name: str, content: bytes) -> None:
        file = self / PICTURES / f"{name}.png"
        try:
            file.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise files.failure(file, error) from error
        files.write(file, content)

    def pictures(self) -> list[Path]:
        """The pictures that config.json names, there or not."""
        try:
            names = self.config().get("shown", {}).get("pictures", {})
        except RunError:
            return []
        return [self / PICTURES / f"{name}.png" for name in names if Path(name).name == name]

    def grids(self) -> list[Path]:
        """The sample grids, in the order of their steps."""
        found = (self / SAMPLES).glob("step-*.png")
        return sorted((grid for grid in found if step_of(grid) is not None), key=step_of)

    def config(self) -> dict:
        return self._json(CONFIG)

    def environment(self) -> dict:
        return self._json(ENVIRONMENT)

    def log(self) -> list[dict]:
        """The log's records. A last line that was cut off is left out."""
        records = []
        try:
            with open(self / LOG, encoding="utf-8") as file:
                for line in file:
                    if line.endswith("\n"):
                        records.append(json.loads(line))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise RunError(f"{self / LOG}: cannot be read ({error})") from error
        return records

    def _json(self, name):
        try:
            content = json.loads((self / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path}: not a run of minigan, there is no {name} in it") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{self / name}: cannot be read ({error})") from error
        if not isinstance(content, dict):
            raise RunError(f"{self / name}: not what minigan writes there")
        return content


def step_of(grid: Path) -> int | None:
    """The step that a sample grid's name tells; None for a name that is not one of ours."""
    digits = grid.stem.removeprefix("step-")
    return int(digits) if digits.isdecimal() and len(digits) >= 6 else None


def numbered(parent: str | os.PathLike, name: str, exists: Callable[[Path], bool] = os.path.lexists) -> Path:
    """parent/name, or the first of parent/name-2, parent/name-3, ... that does not exist."""
    path, number = Path(parent) / name, 2
    while exists(path):
        path, number = Path(parent) / f"{name}-{number}", number + 1
    return path
