"""`minigan evaluate`, as called."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from commands import SMALL, Tool, draw_folder

from minigan.tool.__main__ import main


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pictures, a GAN and a classifier of them, and a copy of what was in it at first."""
    folder, kept = (tmp_path_factory.mktemp("evaluate") / name for name in ("folder", "kept"))
    draw_folder(folder / "pictures", count=60)
    with contextlib.chdir(folder):
        for model in ("mlp-gan", "cnn"):
            assert main(["train", model, "--data", "pictures", *SMALL, "--steps", "2"]) == 0
    shutil.copytree(folder, kept)
    return folder, kept


@pytest.fixture
def runs(trained, capsys, monkeypatch):
    """The tool in that folder, as it was at first."""
    folder, kept = trained
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    monkeypatch.chdir(folder)
    capsys.readouterr()
    return Tool(capsys)


def test_a_run_is_judged_by_the_classifier_beside_it(runs):
    outcome = runs("evaluate", "runs/mlp-gan-pictures", "--count", 30, "--data", "pictures", "--json", "found.json")
    assert outcome.code == 0, outcome.err
    *notes, lines = *outcome.out.splitlines()[:2], outcome.out.splitlines()[2:]
    assert notes == [
        "note: the run was trained on 120 images, including the test images",
        "note: 12 of the images are evaluated, as there are only that many real ones",
    ]
    assert lines[0].startswith("30 images of runs/mlp-gan-pictures, by 128 features of a cnn (")
    assert "108 training images of pictures" in lines[1]
    found = json.loads(Path("found.json").read_text())
    assert (found["run"], found["seed"], found["classifier"]) == ("runs/mlp-gan-pictures", 0, "runs/cnn-pictures")
    for name, column in (("made", 1), ("floor", 2)):
        row = next(line.split("  ") for line in lines if line.startswith("Frechet"))
        assert f"{found[name]['frechet']:.2f}" in [cell.strip() for cell in row if cell][column]
    assert found["count"] == 12  # as many as there are test images


def test_a_fresh_discriminator_is_asked_too(runs):
    outcome = runs(
        *("evaluate", "runs/mlp-gan-pictures", "--count", 30, "--data", "pictures"),
        *("--adversarial", "--json", "found.json"),
    )
    assert outcome.code == 1
    assert "30 generated and 12 real images; at least 20" in outcome.err
    draw_folder("more", count=150)
    outcome = runs(
        *("evaluate", "runs/mlp-gan-pictures", "--count", 40, "--data", "more"),
        *("--adversarial", "--json", "found.json"),
    )
    assert outcome.code == 0, outcome.err
    found = json.loads(Path("found.json").read_text())["adversarial"]
    assert found["held_out"] == 15
    low, high = found["interval"]
    assert (
        f"classifies {found['accuracy']:.1%} of held-out images (95% interval {low:.1%} to {high:.1%})" in outcome.out
    )


def test_the_nearest_are_drawn(runs):
    outcome = runs("evaluate", "runs/mlp-gan-pictures", "--count", 30, "--data", "pictures", "--picture", "nearest.png")
    assert outcome.code == 0, outcome.err
    picture = np.asarray(PIL.Image.open("nearest.png"))
    assert picture.shape[0] * 6 == pytest.approx(picture.shape[1], rel=0.2)  # two rows of twelve


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs/cnn-pictures", "--data", "pictures"), "generates no images"),
        (("runs/nothing",), "not a run of minigan"),
        (("runs/mlp-gan-pictures", "--classifier", "runs/mlp-gan-pictures"), "a run of a gan"),
        (("runs/mlp-gan-pictures", "--json", "nowhere/found.json"), "there is no folder nowhere"),
        (("runs/mlp-gan-pictures", "--json", "runs"), "--json runs: this is a folder; give the name of a file"),
        (("runs/mlp-gan-pictures", "--picture", "nearest.jpg"), "must end in .png"),
        (("runs/mlp-gan-pictures", "--data", "pictures", "--count", 5), "x>=10"),
    ],
)
def test_what_cannot_be_judged_is_said(runs, arguments, message):
    outcome = runs("evaluate", *arguments)
    assert outcome.code != 0
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_other_data_are_said_to_be_others(runs):
    draw_folder("others", count=60, seed=1)
    outcome = runs("evaluate", "runs/mlp-gan-pictures", "--count", 30, "--data", "others")
    assert outcome.code == 0, outcome.err
    pictures, others = (f"{Path.cwd() / name} (folder)" for name in ("pictures", "others"))
    assert f"note: the run was trained on {pictures}, the classifier on {pictures}; this command uses {others}\n" in (
        outcome.out
    )


def test_a_judge_is_kept_with_its_hash_and_its_weights_must_be_those(runs):
    config = Path("runs") / "cnn-pictures" / "config.json"
    arguments = "evaluate", "runs/mlp-gan-pictures", "--count", 30, "--data", "pictures"
    kept = json.loads(config.read_text())["results"]["digest"]
    assert f"cnn ({kept}), which" in runs(*arguments).out
    config.write_text(config.read_text().replace(kept, "01234567"))
    outcome = runs(*arguments)
    assert outcome.code == 1
    assert f"the weights' digest is {kept}, but config.json records 01234567; train" in outcome.err


def test_what_the_judge_is_and_how_images_came_to_it_is_said(runs):
    arguments = "evaluate", "runs/mlp-gan-pictures", "--count", 30, "--data", "pictures"
    assert "note: the classifier" not in runs(*arguments).out
    config = Path("runs") / "cnn-pictures" / "config.json"
    kept = config.read_text()
    config.write_text(kept.replace('"outcome": "finished"', '"outcome": "interrupted"'))
    assert "note: the training of the classifier in runs/cnn-pictures did not finish" in runs(*arguments).out
    config.write_text(json.dumps({**json.loads(kept), "pruned": {"share": 0.5}}))
    assert "note: the classifier in runs/cnn-pictures is pruned" in runs(*arguments).out
    config.write_text(kept)
    size = "--size", "12", "--batch", "8"
    assert runs("train", "mlp-gan", "--data", "pictures", *size, "--steps", 1, "--out", "runs/larger").code == 0
    outcome = runs("evaluate", "runs/larger", "--classifier", "runs/cnn-pictures", *arguments[2:])
    assert "note: generated images are resized from 12 x 12 to 8 x 8 pixels; real ones are not" in outcome.out


def test_without_a_classifier_it_is_said_how_to_have_one(tool, tmp_path):
    draw_folder(tmp_path / "pictures", count=20)
    assert tool("train", "mlp-gan", "--data", "pictures", *SMALL, "--steps", 1).code == 0
    outcome = tool("evaluate", "runs/mlp-gan-pictures")
    assert outcome.code != 0
    assert "train one (`minigan train cnn --data pictures`)" in outcome.err
