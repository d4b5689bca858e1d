"""What a run folder holds wherever the process that writes it dies, as databases are tested.

Every change of the file system is counted. In one run after another the process dies before its k-th change: from then
on nothing it does reaches the disk, no clean-up either, and the system releases its locks.
"""

import builtins
import contextlib
import errno
import itertools
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minigan.data import Batches
from minigan.nn import Linear
from minigan.training import Callback, Loop, Recorder, RunError, Shown, inputs, loop, recorder, report
from minigan.training.files import Lock
from minigan.training.folder import RunFolder

SETTINGS = {"model": "none", "data": "noise", "images": 4, "image_shape": [2, 2, 1], "batch": 4}
CHANGES = ("rename", "replace", "unlink", "mkdir", "rmdir", "ftruncate", "pwrite", "posix_fallocate")


class Still(Loop):
    """Learns nothing, and leaves a run whose every file says which run it is of."""

    def __init__(self, seed, steps):
        batches = Batches(np.zeros((4, 2, 2, 1), np.uint8), batch_size=4, ahead=0)
        super().__init__("none", batches, steps=steps, seed=seed)

    def train_step(self, images, labels=None):
        return {"loss": float(self.seed)}

    def networks(self):
        return {"Network": Linear(1, 1)}

    def state(self):
        return {"weight": np.full(3, self.seed, np.float32)}

    def header(self):
        return {"seed": self.seed}

    def preview(self):
        return np.full((1, 2, 2, 1), self.seed, np.uint8)

    def results(self):
        return {"seed": self.seed} if self.step == self.steps else {}

    def pictures(self):
        return {f"of-{self.seed}": self.preview().tobytes()}

    def shown(self):
        return Shown(pictures={f"of-{self.seed}": "what it is of"})


class Fails(Callback):
    def on_step(self, trainer, record):
        if trainer.step == 2:
            raise ValueError("no")


class Died(BaseException):
    pass


class Disk:
    """Counts changes, and from the one with the number `last` on makes none any more."""

    def __init__(self, monkeypatch):
        self.count, self.last, self.locks = 0, None, []
        for name in CHANGES:
            monkeypatch.setattr(os, name, self.watched(getattr(os, name)))
        monkeypatch.setattr(builtins, "open", self.watched(builtins.open, lambda mode="rb", *_, **__: mode[0] in "wax"))
        monkeypatch.setattr(os, "open", self.watched(os.open, lambda flags, *_, **__: flags & os.O_CREAT))
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)
        monkeypatch.setattr(Lock, "__init__", self.watched_lock(Lock.__init__))

    def watched(self, act, writes=lambda *_, **__: True):
        def watching(path, *arguments, **how):
            if writes(*arguments, **how):
                self.count += 1
                if self.last is not None and self.count >= self.last:
                    raise Died
            return act(path, *arguments, **how)

        return watching

    def watched_lock(self, init):
        def watching(lock, path):
            self.locks.append(lock)
            init(lock, path)

        return watching

    @contextlib.contextmanager
    def dying(self, last):
        """Let the process die before its change number `last`; None: never."""
        self.count, self.last = 0, last
        self.locks.clear()
        try:
            with contextlib.suppress(Died):
                yield
        finally:
            self.last = None
            for lock in self.locks:
                if lock._descriptor is not None:
                    os.close(lock._descriptor)


@pytest.fixture
def tmp_path():
    """In memory where the system has a file system there: thousands of files are made and removed."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def disk(monkeypatch):
    clock = SimpleNamespace(perf_counter=lambda: 0.0)
    for module in (loop, recorder):
        monkeypatch.setattr(module, "time", clock)  # equal runs leave equal bytes
    monkeypatch.setattr(recorder, "peak_memory", lambda: 1)
    monkeypatch.setattr(recorder, "environment", lambda: {"minigan": "this one"})
    monkeypatch.setattr(inputs, "require", lambda *_: None)
    monkeypatch.setattr(report, "render", lambda folder: f"of {folder.config()['seed']}")  # what takes time
    monkeypatch.setattr(recorder, "grid_png", lambda images, columns: images.tobytes())
    return Disk(monkeypatch)


def train(out, seed, steps=3, force=False, fails=False):
    trainer = Still(seed, steps)
    trainer.callbacks += [Recorder(out, {**SETTINGS, "seed": seed, "steps": steps}, force, every=2)]
    trainer.callbacks += [Fails()] if fails else []
    trainer.run()


def content(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def copied(content, folder):
    for name, what in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(what)
    return folder


def held(folder):
    """What somebody who opens the run finds: the files, without what belongs to a run that is not whole."""
    RunFolder(folder).config()
    return {name: what for name, what in content(folder).items() if not name.startswith(("new-run", "lock"))}


@pytest.fixture
def runs(tmp_path, disk):
    """The bytes of the old run and of the new one."""
    train(tmp_path / "old", 7, steps=4)
    train(tmp_path / "new", 8)
    return {"old": content(tmp_path / "old"), "new": content(tmp_path / "new")}


def crashed(disk, folder, start, run):
    """What the folder holds after each crash of a run that begins with `start`, until one ends without."""
    for last in itertools.count(1):
        place = copied(start, folder / str(last))
        alive = []
        with disk.dying(last):
            run(place)
            alive.append(True)
        yield place
        shutil.rmtree(place)
        if alive:
            return


def test_a_run_that_replaces_another_never_loses_both_wherever_it_dies(tmp_path, disk, runs):
    found = []
    for place in crashed(disk, tmp_path, runs["old"], lambda place: train(place, 8, force=True)):
        assert (place / "weights.safetensors").is_file()
        found.append(held(place) == runs["new"])
        assert held(place) in runs.values()
        train(place, 9, force=True)
        assert RunFolder(place).config()["seed"] == 9
        assert not [name for name in content(place) if name.startswith(("new-run", "lock"))]
    assert found == sorted(found)
    assert len(found) > 30
    assert 5 < sum(found) < len(found) - 5  # it died on both sides of the decision


def fails(place):
    with contextlib.suppress(ValueError):
        train(place, 9, force=True, fails=True)


@pytest.mark.parametrize("second", [fails, lambda place: train(place, 8, force=True)], ids=["fails", "dies"])
def test_no_second_run_loses_what_a_dead_one_left(tmp_path, disk, runs, second):
    states = {}  # one of each kind: what the folder is in the middle of, and which weights it has
    for place in crashed(disk, tmp_path / "first", runs["old"], lambda place: train(place, 8, force=True)):
        left = content(place)
        begun = {name.partition("/")[0] for name in left if name.startswith("new-run")}
        weights = {name: what for name, what in left.items() if name.endswith("weights.safetensors")}
        states.setdefault((*sorted(begun), *sorted(weights.items())), left)
    assert len(states) > 4
    for number, left in enumerate(states.values()):
        for place in crashed(disk, tmp_path / f"second-{number}", left, second):
            assert held(place) in runs.values()


def test_a_first_run_that_died_never_keeps_the_next_from_its_folder(tmp_path, disk, runs):
    for place in crashed(disk, tmp_path, {}, lambda place: train(place, 7, steps=4)):
        place.mkdir(exist_ok=True)
        started = RunFolder(place).is_run()
        train(place, 8, force=started)
        assert held(place) == runs["new"]


def test_a_new_run_that_failed_with_weights_is_kept_beside_the_old_one(tmp_path, disk, runs):
    place = copied(runs["old"], tmp_path / "run")
    with pytest.raises(ValueError, match="no") as caught:
        train(place, 9, force=True, fails=True)
    assert held(place) == runs["old"]
    assert caught.value.__notes__ == [
        f"The weights of step 2 are in {place / 'new-run' / 'weights.safetensors'}.",
        f"The old run is still in {place}.",
    ]
    assert (place / "new-run" / "weights.safetensors").is_file()
    train(place, 8, force=True)
    assert content(place) == runs["new"]


def test_a_replacement_that_is_not_let_into_a_folder_changes_nothing(tmp_path, disk, runs, monkeypatch):
    place = copied(runs["old"], tmp_path / "run")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != place / "samples")
    with pytest.raises(RunError, match="samples is not writable") as caught:
        train(place, 8, force=True)
    assert held(place) == runs["old"]
    assert caught.value.__notes__ == [
        f"The weights of step 3 are in {place / 'new-run' / 'weights.safetensors'}.",
        f"The old run is still in {place}.",
    ]


def test_a_replacement_that_is_cut_off_says_where_the_weights_are(tmp_path, disk, runs, monkeypatch):
    def refused(file, target, real=os.replace):
        if file.parent.parent.name == "new-run-moving":
            raise PermissionError(errno.EACCES, "Permission denied")
        real(file, target)

    place = copied(runs["old"], tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refused)
        with pytest.raises(RunError, match="Permission denied") as caught:
            train(place, 8, force=True)
    kept = place / "new-run-moving" / "weights.safetensors"
    assert caught.value.__notes__ == [f"The weights of step 3 are in {kept}."]
    assert kept.is_file()
    assert held(place) == runs["new"]


def test_files_of_others_stay_through_a_replacement(tmp_path, disk, runs):
    mine = {"notes.txt": b"mine", "samples/step-by-step.png": b"mine too", "new-run-notes/a": b"and this"}
    for place in crashed(disk, tmp_path, {**runs["old"], **mine}, lambda place: train(place, 8, force=True)):
        found = content(place)
        assert {name: found[name] for name in mine} == mine


def test_a_folder_that_is_being_written_is_refused_by_name(tmp_path, disk, runs):
    class Second(Callback):
        def on_step(self, trainer, record):
            for force in (False, True):
                with pytest.raises(
                    RunError, match=rf"written there by process {os.getpid()} on .*, since .*--out"
                ) as e:
                    train(place, 9, force=force)
                said.append(str(e.value))

    for start in ({}, runs["old"]):
        place, said = copied(start, tmp_path / f"run-{len(start)}"), []
        trainer = Still(8, 3)
        trainer.callbacks += [Recorder(place, {**SETTINGS, "seed": 8, "steps": 3}, bool(start), every=2), Second()]
        trainer.run()
        assert len(said) == 6
        assert content(place) == runs["new"]


@pytest.mark.parametrize("name", ["new-run", "new-run-2", "new-run-whole", "new-run-moving"])
def test_no_run_goes_where_replacing_another_one_would_remove_it(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.write_json("config.json", {"format": "minigan-run-1"})
    for ask in (RunFolder.check_free, RunFolder.claim):
        with pytest.raises(RunError, match="choose another folder"):
            ask(RunFolder(folder / name))
    assert not (folder / name).exists()
    RunFolder(tmp_path / name).check_free()
