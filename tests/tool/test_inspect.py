"""`minigan inspect`, as called."""

import json

import numpy as np
import PIL.Image
import pytest
from commands import SMALL, draw_folder

from minigan import models, random
from minigan.data import Dataset
from minigan.errors import RunError
from minigan.models.cgan import cgan


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pictures and runs of several kinds."""
    from minigan.tool.__main__ import main

    folder = tmp_path_factory.mktemp("inspected")
    data = ("--data", str(draw_folder(folder / "pictures", count=40)))
    for model in ("cnn", "mlp-gan", "vae"):
        assert main(["train", model, *data, *SMALL, "--steps", "2", "--out", str(folder / "runs" / model)]) == 0
    repaired = folder / "runs" / "deconvnet"
    repaired.mkdir()
    config = json.loads((folder / "runs" / "vae" / "config.json").read_text())
    (repaired / "config.json").write_text(json.dumps({**config, "kind": "restoration"}))
    return folder


@pytest.fixture
def runs(tool, trained, monkeypatch):
    """The tool in that folder."""
    monkeypatch.chdir(trained)
    return tool


def drawn(outcome):
    """The pictures that the tool says it has made, by name, each with something in it."""
    assert outcome.code == 0, outcome.err
    pictures = {}
    for line in outcome.out.splitlines():
        pictures[line] = np.asarray(PIL.Image.open(line).convert("L"))
        assert pictures[line].std() > 5
    return pictures


def test_a_classifier_is_looked_into_beside_its_run(runs, trained):
    before = sorted(trained.glob("runs/cnn/**/*"))
    found = drawn(runs("inspect", "runs/cnn", "--data", "pictures"))
    names = ["views-2.png", "views-6.png", "views-10.png", "saliency.png"]
    assert list(found) == [f"runs/cnn-inside/{name}" for name in names]
    assert sorted(trained.glob("runs/cnn/**/*")) == before
    assert runs("inspect", "runs/cnn/", "--data", "pictures", "--force").out.splitlines() == list(found)  # replaced


def test_a_gan_with_a_classifier_and_real_images(runs):
    arguments = ("--out", "seen/gan", "--seed", 1)
    found = drawn(
        runs("inspect", "runs/mlp-gan", "--force", *arguments, "--classifier", "runs/cnn", "--data", "pictures")
    )
    assert list(found) == [f"seen/gan/{name}.png" for name in ("interpolation", "directions", "classes", "saliency")]
    alone = drawn(runs("inspect", "runs/mlp-gan", "--force"))
    assert [name.split("/")[-1] for name in alone] == ["interpolation.png", "directions.png", "saliency.png"]
    beside = "runs/mlp-gan-inside"
    assert alone[f"{beside}/saliency.png"].shape[0] < found["seen/gan/saliency.png"].shape[0]  # generated ones only
    assert not np.array_equal(alone[f"{beside}/interpolation.png"], found["seen/gan/interpolation.png"])  # of a seed


def test_a_vae_has_no_discriminator(runs):
    found = drawn(runs("inspect", "runs/vae", "--force"))
    assert list(found) == ["runs/vae-inside/interpolation.png", "runs/vae-inside/directions.png"]


def test_where_all_images_are_of_one_class_there_is_no_step(capsys):
    from minigan.tool.inspect import of_classes

    judge = models.build("cnn", (8, 8, 1), classes=2)
    judge.network[-1].bias.data[...] = [100, 0]
    assert list(of_classes(models.build("mlp-gan", (8, 8, 1)), "gan", judge, seed=0)) == []
    assert "note: the classifier predicts one class for all images of gan" in capsys.readouterr().out


def test_a_conditional_gan_is_drawn_class_by_class_and_refuses_a_classifier(runs, trained, monkeypatch):
    """Its images are too large to train on here: only what is drawn of it is looked at."""
    from minigan.tool import inspect

    gan = cgan((28, 28, 1), random.derived(0, "init"), classes=3, latent_size=4, maps=2)
    words = []
    monkeypatch.setattr(inspect.pictures, "rows", lambda images, beside=(), *_, **__: words.append((images, beside)))
    real = Dataset(np.zeros((5, 28, 28, 1), np.uint8), np.array([0, 1, 2, 0, 1]), "real", ("a", "b", "c"))
    names = [name for name, _ in inspect.of_generator(gan, "real", real, None, seed=0)]
    assert names == ["interpolation.png", "directions.png", "saliency.png"]
    assert words[0][1] == ["class 0", "class 1", "class 2"]
    assert words[2][1] == ["generated", "gradient", "SmoothGrad", "real", "gradient", "SmoothGrad"]
    assert words[2][0].shape == (6, 5, 28, 28, 1)
    unlabelled = Dataset(real.images, None, "unlabelled")
    with pytest.raises(RunError, match="unlabelled: the images have no labels"):
        list(inspect.of_discriminator(gan, "cgan", unlabelled, 0))
    monkeypatch.setattr(inspect.fitting, "load", lambda _: gan)
    outcome = runs("inspect", "runs/mlp-gan", "--classifier", "runs/cnn", "--force")
    assert "cgan takes the class as an input, so its noise does not encode it" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs/nothing",), "not a run of minigan"),
        (("runs/deconvnet",), "a run of a restoration; only classifiers, GANs and VAEs can be inspected"),
        (("runs/cnn", "--classifier", "runs/cnn"), "runs/cnn is itself a classifier"),
        (("runs/mlp-gan", "--classifier", "runs/vae"), "a run of a vae, not of a classifier"),
        (("runs/mlp-gan", "--out", "runs/mlp-gan"), "this is the folder of a run; choose another one"),
        (("runs/mlp-gan", "--out", "runs/cnn"), "is the folder of a run"),
        (("runs/mlp-gan", "--out", "runs/cnn/config.json"), "is a file"),
        (("runs/mlp-gan", "--out", "runs/cnn/config.json/seen"), "config.json is not a folder"),
        (("runs/mlp-gan", "--data", "nowhere"), "no data source is called 'nowhere'"),
    ],
)
def test_what_cannot_be_looked_into_is_said(runs, trained, arguments, message):
    outcome = runs("inspect", *arguments, "--force")
    assert outcome.code == 1
    assert message in outcome.err
    assert "Traceback" not in outcome.err
