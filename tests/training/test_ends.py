"""What is kept of a run of any kind, whatever fails on the way from its last step to its report."""

import json
import os
import signal
import warnings

import numpy as np
import pytest

import minigan as mg
from minigan import training
from minigan.training import RunWarning, files, recorder, report, weights
from minigan.training.folder import RunFolder

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8)
LABELS = np.arange(24) % 2
KINDS = {
    "gan": lambda **how: mg.gan.fit("mlp-gan", IMAGES, steps=3, batch=8, **how),
    "classifier": lambda **how: mg.classifier.fit(
        "cnn", IMAGES, labels=LABELS, test=(IMAGES, LABELS), steps=3, batch=8, **how
    ),
    "vae": lambda **how: mg.vae.fit("vae", IMAGES, test=IMAGES, steps=3, batch=8, **how),
    "restoration": lambda **how: mg.restoration.fit(
        "deconvnet", IMAGES, test=IMAGES, task="denoising", steps=3, batch=8, filters=4, **how
    ),
    "deconvnet": lambda **how: mg.classifier.fit(
        "deconvnet", IMAGES, labels=LABELS, test=(IMAGES, LABELS), steps=3, batch=8, filters=4, **how
    ),
}
MEASURED = sorted(KINDS.keys() - {"gan"})


def trainer_of(kind):
    module = {"deconvnet": mg.classifier}.get(kind) or getattr(mg, kind)
    return module.fit.__globals__["Trainer"]


def breaking(monkeypatch, target, name, error, from_step=0):
    """Let a method or function fail, of a trainer from one of its steps on."""
    real = getattr(target, name)

    def broken(*arguments, **how):
        if arguments and getattr(arguments[0], "step", from_step) < from_step:
            return real(*arguments, **how)
        raise error

    monkeypatch.setattr(target, name, broken)


def is_whole(run):
    """Weights, log and configuration are those of the last step."""
    config, header = RunFolder(run).config(), weights.read(run / "weights.safetensors")[0]
    return (config["steps_done"], config["outcome"], header["step"], len(RunFolder(run).log())) == (
        *(3, "finished", "3", 3),
    )


@pytest.fixture
def quick(monkeypatch):
    """Reports without curves, which take most of the time."""
    monkeypatch.setattr(report, "curves", lambda *_: "")


@pytest.mark.parametrize(
    ("kind", "part", "error"),
    [
        ("classifier", "measure", MemoryError()),
        ("deconvnet", "measure", ValueError("too small")),
        ("restoration", "measure", KeyError("a")),
        ("vae", "measure", RecursionError("deep")),
        *((kind, "figures", AssertionError()) for kind in MEASURED),
    ],
)
def test_weights_are_there_where_measuring_fails(tmp_path, monkeypatch, quick, kind, part, error):
    breaking(monkeypatch, trainer_of(kind), part, error)
    with pytest.warns(RunWarning, match=rf"could not be measured \({type(error).__name__}.*step 3 are in .*run/weig"):
        KINDS[kind](out=tmp_path / "run")
    assert is_whole(tmp_path / "run")
    config = RunFolder(tmp_path / "run").config()
    assert config["results"] == {}
    assert ["could not be measured" in problem for problem in config["problems"]] == [True]
    assert "could not be measured" in (tmp_path / "run" / "report.html").read_text()


PARTS = ["preview", "shown", "pictures", "report", "environment", "grid"]


@pytest.mark.parametrize(("kind", "part"), [("gan", "preview"), *(("restoration", part) for part in PARTS)])
def test_weights_are_there_whatever_cannot_be_drawn(tmp_path, monkeypatch, quick, kind, part):
    target, name = {
        "report": (report, "render"),
        "environment": (RunFolder, "environment"),
        "grid": (recorder, "grid_png"),
    }.get(part, (trainer_of(kind), part))
    breaking(monkeypatch, target, name, MemoryError(), from_step=1)
    with pytest.warns(RunWarning, match="MemoryError"):
        KINDS[kind](out=tmp_path / "run")
    assert RunFolder(tmp_path / "run").config()["problems"]
    assert is_whole(tmp_path / "run")


@pytest.mark.parametrize("kind", MEASURED)
def test_a_model_is_returned_where_measuring_fails(monkeypatch, kind):
    breaking(monkeypatch, trainer_of(kind), "measure", ValueError("too small"))
    with pytest.warns(RunWarning, match="could not be measured"):
        assert KINDS[kind]().history.column("step").tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_was_trained_until_it_was_stopped_is_in_the_interrupt(kind):
    stop = mg.gan.Every(2, lambda trainer, record: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(training.Interrupted) as caught:
        KINDS[kind](callbacks=[stop])
    left = caught.value.result
    assert left.history.column("step").tolist() == [1, 2]
    assert getattr(left, "gan" if kind == "gan" else "model").name in repr(left)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_weights_are_written_before_anything_is_measured_or_drawn(tmp_path, monkeypatch, quick, kind):
    written = []
    real = files.write
    monkeypatch.setattr(files, "write", lambda path, content: (written.append(path.name), real(path, content))[1])
    trainer = trainer_of(kind)
    for name in ("results", "preview", "pictures", "shown"):
        real_one = getattr(trainer, name)

        def watched(self, real_one=real_one):
            if self.step == 3:
                written.append("measured or drawn")
            return real_one(self)

        monkeypatch.setattr(trainer, name, watched)
    KINDS[kind](out=tmp_path / "run")
    at = written.index("measured or drawn")
    assert written[at - 2 : at] == ["weights.safetensors", "config.json"]
    assert RunFolder(tmp_path / "run").config()["problems"] == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_equal_runs_leave_equal_files(tmp_path, quick, kind):
    for run in ("one", "two"):
        KINDS[kind](out=tmp_path / run)
    for file in sorted(file for file in (tmp_path / "one").rglob("*") if file.is_file()):
        if file.name not in ("log.jsonl", "environment.json", "report.html"):  # hold times, the peak of memory
            other = tmp_path / "two" / file.relative_to(tmp_path / "one")
            assert file.read_bytes() == other.read_bytes(), file.name


def test_weights_have_one_order_of_bytes():
    header = {f"name {number}": number for number in range(12)}
    content = weights.packed(header, {"b": np.zeros(3), "a": np.ones((2, 5), np.float32)})
    found = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert list(found["__metadata__"]) == sorted(found["__metadata__"])
    assert header.keys() <= found["__metadata__"].keys()
    assert int.from_bytes(content[:8], "little") % 8 == 0


def test_what_a_run_cannot_do_without_is_an_error(tmp_path, monkeypatch):
    real = files.write

    def full(path, content):
        if path.name == "weights.safetensors":
            raise training.RunError(f"{path}: the disk is full; free some space")
        real(path, content)

    monkeypatch.setattr(files, "write", full)
    monkeypatch.setattr(recorder, "GRIDS", ())
    with pytest.raises(training.RunError, match="the disk is full") as caught:
        mg.gan.fit("mlp-gan", IMAGES, steps=1, batch=8, out=tmp_path / "run")
    assert caught.value.__notes__ == ["No weights were saved yet."]
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_room_on_the_disk_is_kept_for_the_weights(tmp_path, kind):
    def measure(trainer, record):
        state = weights.packed(trainer.header(), trainer.state())
        found.append(((tmp_path / "run" / "room-for-weights").stat().st_blocks * 512, len(state)))

    found = []
    KINDS[kind](out=tmp_path / "run", callbacks=[mg.gan.Every(1, measure)])
    assert len(found) == 3
    assert all(kept >= size for kept, size in found)
    assert not (tmp_path / "run" / "room-for-weights").exists()


def test_weights_that_may_not_be_read_are_not_said_to_be_missing(tmp_path, monkeypatch):
    KINDS["gan"](out=tmp_path / "run")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may read every file
    with pytest.raises(training.RunError, match=r"cannot be read \(Permission denied"):
        weights.read(tmp_path / "run" / "weights.safetensors")


def test_last_weights_that_are_no_numbers_are_an_error(tmp_path):
    def poison(trainer, record):
        trainer.gan.generator.parameters()[0].data[...] = np.nan

    with pytest.raises(training.RunError, match=r"weights of step 3 contain NaN or infinity.*"):
        KINDS["gan"](out=tmp_path / "run", callbacks=[mg.gan.Every(3, poison)])
    assert weights.read(tmp_path / "run" / "weights.safetensors")[0]["step"] == "2"


def test_the_log_has_the_step_whose_callback_failed(tmp_path):
    def fail(trainer, record):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        KINDS["gan"](out=tmp_path / "run", callbacks=[mg.gan.Every(2, fail)])
    config = RunFolder(tmp_path / "run").config()
    assert config["steps_done"] == len(RunFolder(tmp_path / "run").log()) == 2


def test_nothing_is_warned_of_where_nothing_fails(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        KINDS["classifier"](out=tmp_path / "run")
    assert not caught
