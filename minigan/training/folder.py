"""A run folder: the files that training writes. minigan never changes other files in it.

config.json          the settings, and how the run ended
environment.json     versions, processor, threads
log.jsonl            a line for every step
samples/             step-000400.png: images from the same inputs at several steps
pictures/            other pictures, drawn at the end
weights.safetensors  the trained weights
report.html          everything on one page

While a run is being written, `lock` names the process, and `new-run` holds a run that will replace the one here.
"""

import contextlib
import json
import os
from pathlib import Path

import numpy as np

from minigan.data.arrays import python_number
from minigan.errors import RunError
from minigan.training import files, reading, weights
from minigan.training.files import Lock

FORMAT = "minigan-run-1"
CONFIG, ENVIRONMENT, LOG = "config.json", "environment.json", "log.jsonl"
WEIGHTS, REPORT = "weights.safetensors", "report.html"
SAMPLES, PICTURES = "samples", "pictures"
ROOM = "room-for-weights"
LOCK = "lock"
NAMES = (CONFIG, ENVIRONMENT, LOG, WEIGHTS, REPORT, ROOM)


class RunFolder:
    """A run folder and its files."""

    def __init__(self, path: str | os.PathLike):
        try:
            self.path = Path(path)
            with contextlib.suppress(OSError):  # the next use of the folder reports the problem
                os.stat(self.path)
        except (TypeError, ValueError) as error:  # ValueError: a NUL or a lone surrogate
            raise RunError(f"a run folder must be a path, not {path!r}") from error

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    # ------------------------------------------------------------------------------------------ making

    def check_free(self, force: bool = False) -> None:
        """Raise RunError if `claim` evidently would. Changes nothing."""
        path = self.path
        self._check_name()
        try:
            if not path.exists():
                return files.check_place(path)
            if not path.is_dir():
                raise RunError(f"{path}: this is a file; give a folder for the run (--out DIR)")
            lock = Lock(self / LOCK)
            if lock.is_held():
                raise self._in_use(lock)
            files.check_writable(path, path)
            return self._check_replaceable(force)
        except RunError:
            raise
        except OSError as error:
            raise files.failure(path, error) from error

    def claim(self, force: bool = False) -> "Claim":
        """Create the folder if needed, and lock it against other processes.

        raises RunError if another process has locked it, it is not empty (with force: holds something other than a
            run), or it cannot be written
        """
        self._check_name()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if self.path.exists():
                self.check_free(force)  # has a better message for a file
            raise files.failure(self.path, error) from error
        lock = Lock(self / LOCK)
        if not lock.take():
            raise self._in_use(lock)
        try:
            files.finish_replacement(self)
            self._check_replaceable(force)
            return Claim(self, lock)
        except BaseException as error:
            lock.release()
            if isinstance(error, OSError) and not isinstance(error, RunError):
                raise files.failure(self.path, error) from error
            raise

    def recover(self) -> None:
        """Finish the replacement of this run by a new one, if it was interrupted.

        raises RunError if the folder cannot be written
        """
        if not files.is_cut_off(self):
            return
        lock = Lock(self / LOCK)
        lock.take(wait=True)  # another process that is finishing it takes milliseconds
        try:
            files.finish_replacement(self)
        except OSError as error:
            raise files.failure(self.path, error) from error
        finally:
            lock.release()

    def _in_use(self, lock):
        return RunError(
            f"{self.path}: a run is being written there by {lock.holder()}; wait until it ends, "
            "or choose another folder (--out)"
        )

    def _check_replaceable(self, force):
        """Raise RunError unless the folder is empty but for the remains of a start or, with force, holds a run."""
        if all(self._is_remains(entry) for entry in self.path.iterdir()):
            return
        if not force:
            raise RunError(
                f"{self.path}: exists and is not empty; choose another folder (--out) or replace it (--force)"
            )
        if not self.is_run():
            raise RunError(f"{self.path}: is not a run of minigan; --force replaces only runs")

    def _is_remains(self, entry):
        """Return whether this was left by a process that ended before it wrote config.json."""
        return entry.name in (LOCK, ROOM, CONFIG + files.SUFFIX)

    def remove(self) -> None:
        """Remove the run's files, and the folder if it is then empty."""
        try:
            for file in self.own_files():
                file.unlink(missing_ok=True)
        except OSError as error:
            raise files.failure(self.path, error) from error
        self.remove_if_empty()

    def remove_if_empty(self) -> None:
        """Remove the folder if it is empty."""
        for folder in (self / SAMPLES, self / PICTURES, self.path):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def own_files(self) -> list[Path]:
        """Return the files in the folder that belong to the run."""
        whole = [*(self / name for name in NAMES), *self.grids(), *self._pictures_of(self._config)]
        begun = [file.with_name(file.name + files.SUFFIX) for file in whole]
        begun += (self / SAMPLES).glob("step-*.png" + files.SUFFIX)
        return [file for file in (*whole, *begun) if file.is_file()]

    def is_run(self) -> bool:
        """Return whether the folder holds a run of minigan."""
        try:
            return self.config().get("format") == FORMAT
        except RunError:
            return False

    def _check_name(self):
        """Raise RunError for a temporary folder of another run, which that run may remove."""
        path = self.path.absolute()
        if files.is_new_run(path.name) and RunFolder(path.parent).is_run():
            raise RunError(
                f"{self.path}: {path.parent} is a run, whose folders of this name are temporary; choose another folder "
                "(--out)"
            )

    # ------------------------------------------------------------------------------- writing and reading

    def write_json(self, name: str, content: dict) -> None:
        files.write(self / name, (json.dumps(content, indent=2, default=python_number) + "\n").encode())

    def write_grid(self, step: int, content: bytes) -> None:
        self._write_image(self / SAMPLES / f"step-{step:06d}.png", content)

    def write_picture(self, name: str, content: bytes) -> None:
        self._write_image(self / PICTURES / f"{name}.png", content)

    def _write_image(self, file, content):
        try:
            file.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise files.failure(file, error) from error
        files.write(file, content)

    def pictures(self) -> list[Path]:
        """Return the paths of the pictures that config.json names. They may not exist."""
        return self._pictures_of(self.config)

    def _pictures_of(self, config):
        try:
            names = config().get("shown", {}).get("pictures", {})
        except RunError:
            return []
        return [self / PICTURES / f"{name}.png" for name in names if Path(name).name == name]

    def grids(self) -> list[Path]:
        """Return the sample grids in the order of their steps."""
        found = (self / SAMPLES).glob("step-*.png")
        return sorted((grid for grid in found if step_of(grid) is not None), key=step_of)

    def config(self) -> dict:
        """Read config.json. Everything that reads a run calls this first."""
        self.recover()
        return self._config()

    def _config(self):
        path, config = self / CONFIG, self._json(CONFIG)
        found = config.get("format") if isinstance(config, dict) else None
        reading.check_format(path, found, FORMAT, "not a file that minigan wrote")
        return reading.check_fields(path, config, reading.CONFIG)

    def weights(self) -> tuple[dict[str, str], dict[str, np.ndarray]]:
        """Return the header and arrays of the run's weights, as `weights.read` does.

        raises RunError if they are missing, damaged, or from another run than config.json
        """
        config = self.config()
        header, arrays = weights.read(self / WEIGHTS)
        if header.get("run") != config.get("run"):
            raise RunError(
                f"{self / WEIGHTS}: is from another run than {CONFIG} beside it; keep the files of a run together"
            )
        return header, arrays

    def environment(self) -> dict:
        environment = self._json(ENVIRONMENT)
        if not reading.ENVIRONMENT(environment):
            raise RunError(f"{self / ENVIRONMENT}: not a file that minigan wrote")
        return environment

    def log(self) -> list[dict]:
        """Return the log's records, without an incomplete last line."""
        path = self / LOG
        if not path.exists():
            return []
        lines = reading.content_of(path).split(b"\n")[:-1]
        records = [reading.parsed(path, line) for line in lines]
        if not all(map(reading.LOG, records)):
            raise RunError(f"{path}: damaged; a line is not one that minigan writes")
        return records

    def _json(self, name):
        try:
            os.stat(self / name)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunError(f"{self.path}: not a run of minigan; it has no {name}") from error
        except OSError:
            pass  # reading it reports the problem
        return reading.json_of(self / name)


def step_of(grid: Path) -> int | None:
    """Return the step in a sample grid's file name; None for another name."""
    digits = grid.stem.removeprefix("step-")
    return int(digits) if digits.isdecimal() and len(digits) >= 6 else None


def make_numbered(parent: str | os.PathLike, name: str) -> Path:
    """Create the folder parent/name, or the first of parent/name-2, parent/name-3, ... that does not exist.

    Two processes that call it at the same time get different folders.
    raises RunError if the folder cannot be created
    """
    path, number = Path(parent) / name, 2
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            return path
        except FileNotFoundError:  # another process just removed the parent
            continue
        except FileExistsError as error:
            if not path.parent.is_dir():
                raise RunError(f"{path}: cannot be created; {path.parent} is not a folder") from error
            path, number = Path(parent) / f"{name}-{number}", number + 1
        except OSError as error:
            raise files.failure(path, error) from error


class Claim:
    """A run folder that is locked by this process, from `RunFolder.claim`.

    folder: the run folder
    place: the RunFolder to write to: the folder itself or, if it already holds a run, a subfolder
    """

    def __init__(self, folder: RunFolder, lock: Lock):
        self.folder, self._lock = folder, lock
        self.replaces = (folder / CONFIG).exists()
        if self.replaces:
            self.place = RunFolder(files.begin_replacement(folder, WEIGHTS))
        else:
            self.place = folder

    def commit(self) -> None:
        """Declare the run in `place` complete. It replaces the run in the folder, which is removed."""
        if self.replaces:
            try:
                files.commit_replacement(self.folder, self.place.path)
            except OSError as error:
                if moving := files.decided_place(self.folder):
                    self.replaces = False
                    self.place = RunFolder(moving) if (moving / WEIGHTS).exists() else self.folder
                raise files.failure(self.folder.path, error) from error
            self.place, self.replaces = self.folder, False

    def end(self) -> None:
        """Unlock the folder. An uncommitted replacement without weights is removed."""
        try:
            if self.replaces and not (self.place / WEIGHTS).exists():
                self.place.remove()
        finally:
            self._lock.release()
            if not (self.folder / CONFIG).exists():
                self.folder.remove_if_empty()
