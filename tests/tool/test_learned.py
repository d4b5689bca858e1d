"""What later commands take for the images that a run learned from."""

import json
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from commands import SMALL, draw_folder, keep_run

import minigan as mg
from minigan.data import sources
from minigan.data.dataset import Identity
from minigan.errors import RunError
from minigan.tool.train import load_data
from minigan.tool.training_data import TrainingData, required_judge

COMMANDS = {
    "evaluate": ("evaluate", "runs/mlp-gan-glyphs", "--count", 10),
    "compare": ("compare", "runs/mlp-gan-glyphs", "runs/mlp-gan-glyphs", "--count", 10),
    "prune a GAN": ("prune", "runs/mlp-gan-glyphs", "--count", 10),
    "prune a classifier": ("prune", "runs/cnn-glyphs"),
    "ask": ("ask", "runs/mlp-gan-glyphs", "--out", "page.html", "--force", "--count", 5),
    "inspect": ("inspect", "runs/cnn-glyphs", "--out", "seen", "--force"),
}
TOLERANT = ("compare", "ask")  # they ask no classifier
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture
def runs(tool):
    """The tool beside a folder of images that is called as a set of minigan's is, and runs that learned from it."""
    draw_folder("glyphs", count=60)
    for name, count, how in (("mlp-gan", 120, {}), ("cnn", 108, {"classes": 2})):
        keep_run(f"runs/{name}-glyphs", mg.models.build(name, (8, 8, 3), **how), data="./glyphs", images=count)
        change(f"{name}-glyphs", data="glyphs")
    return tool


def config_of(run):
    return json.loads(Path(f"runs/{run}/config.json").read_text())


def change(run, **changes):
    Path(f"runs/{run}/config.json").write_text(json.dumps({**config_of(run), **changes}))


@every_command
def test_a_folder_that_is_called_as_a_set_is_never_taken_for_it(runs, monkeypatch, command):
    monkeypatch.setattr(sources, "glyphs", lambda *how: pytest.fail("digits were drawn"))
    outcome = runs(*command)
    assert outcome.code == 0, outcome.err
    assert "; this command uses" not in outcome.out


@every_command
def test_images_that_are_no_longer_there_are_missed(runs, tmp_path, command):
    Path("glyphs").rename("elsewhere")
    outcome = runs(*command)
    assert outcome.code == 1
    assert f"was trained on {tmp_path / 'glyphs'} (folder), which is no longer there" in outcome.err
    outcome = runs(*command, "--data", "elsewhere")
    assert outcome.code == 0, outcome.err
    assert "; this command uses" not in outcome.out  # the same images, wherever they lie


@every_command
def test_images_that_have_changed_are_said_to_be_others(runs, tmp_path, command):
    pixels = np.asarray(PIL.Image.open("glyphs/cats/3.png")).copy()
    pixels[0, 0, 0] ^= 1
    PIL.Image.fromarray(pixels).save("glyphs/cats/3.png")
    outcome = runs(*command)
    assert outcome.code == 0, outcome.err
    assert "these datasets have the same name but different images, or the images have changed" in outcome.out


@every_command
def test_runs_that_do_not_record_their_images_are_not_matched_by_name(runs, command):
    for name in ("mlp-gan-glyphs", "cnn-glyphs"):
        change(name, dataset=None)
    outcome = runs(*command)
    assert outcome.code == 1
    assert "records only the name of its images" in outcome.err or "give one (--classifier RUN)" in outcome.err
    if command[0] in TOLERANT:
        assert "so they may not be the same" in runs(*command, "--data", "./glyphs").out


@every_command
def test_other_classes_are_refused_by_classifiers_and_said_to_be_others(runs, command):
    draw_folder("others", count=60, kinds=("cats", "wolves"))  # the same pixels
    outcome = runs(*command, "--data", "others")
    if command[0] in TOLERANT:
        assert outcome.code == 0, outcome.err
        assert "the classes differ" in outcome.out
    else:
        assert outcome.code == 1
        assert "has the classes cats, dogs, but" in outcome.err


def test_the_judge_is_found_by_its_images_and_not_by_their_name(runs):
    Path("runs/cnn-glyphs").rename("runs/cnn-renamed")
    for name in ("no-run", "damaged"):
        Path(f"runs/cnn-{name}").mkdir()
    Path("runs/cnn-damaged/config.json").write_text("{")
    outcome = runs("evaluate", "runs/mlp-gan-glyphs", "--count", 10, "--json", "found.json")
    assert outcome.code == 0, outcome.err
    assert json.loads(Path("found.json").read_text())["classifier"] == "runs/cnn-renamed"


def test_a_classifier_of_another_folder_of_the_same_name_is_no_judge(tool):
    for seed, kinds in enumerate(("wild", "tame")):
        draw_folder(f"{kinds}/cats", count=60, seed=seed)
    for model, data in (("cnn", "wild/cats"), ("mlp-gan", "tame/cats")):
        assert tool("train", model, "--data", data, *SMALL, "--steps", 1).code == 0
    outcome = tool("evaluate", "runs/mlp-gan-cats", "--count", 10)
    assert outcome.code == 1
    assert "the folder runs has no classifier of " in outcome.err
    assert "minigan train cnn --data tame/cats" in outcome.err
    outcome = tool("evaluate", "runs/mlp-gan-cats", "--count", 10, "--classifier", "runs/cnn-cats")
    assert outcome.code == 0, outcome.err
    assert "tame/cats (folder), the classifier on " in outcome.out
    assert tool("train", "cnn", "--data", "tame/cats", *SMALL, "--steps", 1).code == 0
    outcome = tool("evaluate", "runs/mlp-gan-cats", "--count", 10, "--json", "found.json")
    assert outcome.code == 0, outcome.err
    found = json.loads(Path("found.json").read_text())
    assert (found["classifier"], found["dataset"]) == ("runs/cnn-cats-2", config_of("cnn-cats-2")["dataset"])


@pytest.mark.parametrize(
    ("kind", "path", "options"),
    [
        ("glyphs", None, "--data glyphs"),
        ("mnist", "files of it", "--data mnist --data-dir 'files of it'"),
        ("folder", "pets/cats", "--data pets/cats"),
        ("archive", "pets.tar", "--data pets.tar"),
        ("array file", "my pets.npz", "--data 'my pets.npz'"),
        ("array", None, "--data SOURCE"),
    ],
)
def test_whoever_has_no_judge_is_told_how_to_train_one_on_the_same_images(tmp_path, monkeypatch, kind, path, options):
    monkeypatch.chdir(tmp_path)
    identity = Identity(kind, None if path is None else str(tmp_path / path), "0", (), 60)
    with pytest.raises(RunError) as refused:
        required_judge(TrainingData("runs/gan", "the run", "a name", identity, 60))
    assert f"`minigan train cnn {options}`" in str(refused.value)


def test_a_folder_may_be_called_as_the_help_calls_any(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw_folder("FOLDER", count=12)
    dataset, _ = load_data("FOLDER", None, None, None)
    assert dataset.shape == (32, 32, 3)
    assert not capsys.readouterr().out


def test_a_folder_that_is_not_meant_by_its_name_is_pointed_out(runs):
    outcome = runs("train", "mlp-gan", "--data", "glyphs", *SMALL, "--steps", 1, "--out", "digits")
    assert outcome.out.startswith(
        "note: glyphs is one of minigan's datasets; to use the folder of this name, give --data ./glyphs"
    )
    assert config_of("../digits")["dataset"]["kind"] == "glyphs"


def test_a_folder_whose_name_no_terminal_shows_is_a_source(runs):
    name = os.fsdecode(b"p\xff\x1b[31m")
    draw_folder(name, count=12)
    outcome = runs("train", "mlp-gan", "--data", name, *SMALL, "--steps", 1, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(r"mlp-gan on p\udcff\x1b[31m: 24 images of 8 x 8 x 3")
    outcome = runs("ask", "run", "--count", 2, "--out", "page.html")
    assert outcome.code == 0, outcome.err


def test_files_of_a_named_set_are_asked_for_where_they_have_gone(tmp_path):
    learned = TrainingData("runs/gan", "the run", "mnist", Identity("mnist", str(tmp_path / "files"), "0", (), 60), 60)
    with pytest.raises(RunError, match=r"files \(mnist\), which is no longer there; give .* \(--data-dir DIR\)"):
        learned.source(None, None)
    assert learned.source(None, "moved") == ("mnist", "moved")


def test_arrays_are_asked_for(runs):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    mg.gan.fit("mlp-gan", images, steps=1, batch=8, out="runs/array")
    record = config_of("array")["dataset"]
    assert (record["kind"], record["path"], record["count"]) == ("array", None, 40)
    outcome = runs("ask", "runs/array", "--out", "page.html", "--force", "--count", 3)
    assert outcome.code == 1
    assert "runs/array: was trained on an array of 40 images; give its images (--data SOURCE)" in outcome.err


def test_a_classifier_that_learned_from_arrays_judges_the_same_images_in_a_file(runs):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    labels = np.arange(40) % 3
    np.savez("pets.npz", images=images, labels=labels)
    mg.classifier.fit("cnn", images, labels=labels, steps=1, batch=8, out="runs/cnn-array")
    for command in (("prune", "runs/cnn-array"), ("inspect", "runs/cnn-array", "--out", "seen")):
        outcome = runs(*command, "--data", "pets.npz")
        assert outcome.code == 0, outcome.err
        assert "; this command uses" not in outcome.out


def test_fewer_of_the_same_images_are_said_to_be_fewer(runs):
    mg.gan.fit("mlp-gan", mg.data.load("./glyphs")[:40], steps=1, batch=8, out="runs/part")
    outcome = runs("ask", "runs/part", "--out", "page.html", "--force", "--count", 3)
    assert "note: the run was trained on 40 of these 108 images" in outcome.out
    assert "; this command uses" not in outcome.out


def test_a_part_that_was_read_alone_is_said_to_have_another_size(runs):
    mg.gan.fit("mlp-gan", mg.data.load("./glyphs", count=40), steps=1, batch=8, out="runs/part")
    outcome = runs("ask", "runs/part", "--out", "page.html", "--force", "--count", 3)
    assert "the same name but different images (40 and 120 of them)" in outcome.out


def test_a_run_says_what_it_learns_from_and_what_was_left_out(runs, tmp_path):
    Path("glyphs/cats/notes.txt").write_text("about cats")
    outcome = runs("train", "mlp-gan", "--data", "./glyphs", *SMALL, "--steps", 1, "--out", "again")
    assert outcome.out.splitlines()[0] == (
        f"mlp-gan on {tmp_path.name}/glyphs: 120 images of 8 x 8 x 3 in 2 classes (cats 60, dogs 60); "
        "left out 1 file: not readable as an image (cats/notes.txt); 1 step, seed 0"
    )
    outcome = runs("ask", "again", "--out", "page.html", "--force", "--count", 3)
    assert f"note: {tmp_path.name}/glyphs: left out 1 file: not readable as an image (cats/notes.txt)" in outcome.out
