"""`minigan compare`, as called."""

import json
import re

import pytest
from commands import draw_folder, keep_run

import minigan as mg
from minigan.evaluation.intervals import percent

SHAPE = (8, 8, 3)


@pytest.fixture
def runs(tool, tmp_path):
    """The tool in a folder with pictures and two runs of GANs for such."""
    draw_folder(tmp_path / "pictures", count=60)
    for seed in (0, 1):
        keep_run(f"runs/{seed}", mg.models.build("mlp-gan", SHAPE, seed), data="pictures", images=120)
    return tool


def test_two_runs_are_compared(runs, tmp_path):
    outcome = runs("compare", "runs/0", "runs/1", "--data", "pictures", "--count", 50, "--json", "found.json")
    assert outcome.code == 0, outcome.err
    notes, table = outcome.out.splitlines()[:2], outcome.out.splitlines()[2:]
    assert notes == [f"note: runs/{seed} was trained on 120 images, including the test images" for seed in (0, 1)]
    assert table[0].split("  ")[0] == "error rate, 95% interval"
    kept = json.loads((tmp_path / "found.json").read_text())
    assert (kept["runs"], kept["data"], kept["seed"]) == (["runs/0", "runs/1"], "pictures", 0)
    _, test = mg.data.load_splits("pictures", size=8)
    found = mg.evaluation.swapped(mg.gan.load("runs/0"), mg.gan.load("runs/1"), test, 50)
    assert {name: kept[name] for name in found.plain()} == json.loads(json.dumps(found.plain()))
    for line, rates in zip(table[1:], (found.test, *zip(*found.made, strict=True)), strict=False):
        assert line.split("  ")[0].startswith(f"{rates[0].count} ")
        assert re.split("  +", line)[1:] == [f"{percent(of.rate)} ({of.interval})" for of in rates]
    assert table[-1] == found.words("runs/0", "runs/1")


def test_a_critics_boundary_is_found_with_the_training_images(runs, tmp_path):
    model = mg.models.build("mlp-gan", SHAPE, 2)
    model.recipe = model.recipe.changed(objective="wasserstein", gradient_penalty=10)
    keep_run("runs/critic", model, data="pictures", images=108)
    outcome = runs("compare", "runs/critic", "runs/0", "--data", "pictures", "--count", 500, "--json", "found.json")
    assert outcome.code == 0, outcome.err
    critic, train = mg.gan.load("runs/critic"), mg.data.load_splits("pictures", size=8)[0]
    own = critic.generate(critic.noise(500, mg.random.Philox(0, "boundary")))
    means = [critic.scores(mg.tensor(images)).numpy().mean() for images in (mg.data.scaled(train.images), own)]
    boundaries = json.loads((tmp_path / "found.json").read_text())["boundaries"]
    assert boundaries == [pytest.approx(sum(means) / 2, rel=1e-4), 0]
    assert boundaries[0] != 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs/0", "runs/nothing"), "not a run of minigan"),
        (("runs/0",), "Missing argument"),
        (("runs/0", "runs/1", "--data", "pictures", "--count", 9), "x>=10"),
        (("runs/0", "runs/1", "--json", "nowhere/found.json"), "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_compared_is_said(runs, arguments, message):
    outcome = runs("compare", *arguments)
    assert outcome.code != 0
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_runs_of_other_kinds_shapes_and_data_are_said_to_be_such(runs, tmp_path):
    keep_run("runs/vae", mg.models.build("vae", SHAPE), data="pictures")
    outcome = runs("compare", "runs/0", "runs/vae", "--data", "pictures")
    assert (outcome.code, outcome.out) == (1, "")
    assert "runs/vae: a run of a vae, which has no discriminator to swap" in outcome.err
    keep_run("runs/larger", mg.models.build("mlp-gan", (12, 12, 3)), data="pictures")
    outcome = runs("compare", "runs/0", "runs/larger", "--data", "pictures")
    assert "makes images of (8, 8, 3) and mlp-gan of (12, 12, 3)" in outcome.err
    draw_folder(tmp_path / "others", count=60, seed=1)
    pictures, others = (f"{tmp_path / name} (folder)" for name in ("pictures", "others"))
    keep_run("runs/others", mg.models.build("mlp-gan", SHAPE), data="others")
    outcome = runs("compare", "runs/0", "runs/others")
    assert f"runs/0 was trained on {pictures}, but runs/others on {others}; choose which" in outcome.err
    outcome = runs("compare", "runs/0", "runs/others", "--data", "others", "--count", 20)
    assert outcome.out.startswith(
        f"note: runs/0 was trained on {pictures}, runs/others on {others}; this command uses {others}\n"
    )
