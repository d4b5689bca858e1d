"""`minigan train` and `minigan sample` for the models that are not GANs."""

import json

import numpy as np
import PIL.Image
import pytest
from commands import keep_run

import minigan as mg

SMALL = ("--data", "pictures", "--size", 8, "--batch", 4)


@pytest.fixture(autouse=True)
def pictures(tool, tmp_path):
    """Forty images of two kinds."""
    for number in range(40):
        kind = tmp_path / "pictures" / "ab"[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(kind / f"{number:02}.png")


def config_of(run):
    return json.loads((run / "config.json").read_text())


def test_a_classifier_is_trained_and_measured_on_images_held_out(tool, tmp_path):
    outcome = tool("train", "cnn", *SMALL, "--steps", 3, "--augment", "shift=1", "--out", "run")
    assert outcome.code == 0, outcome.err
    assert "cnn on pictures: 36 images" in outcome.out
    assert "accuracy" in outcome.err
    assert "minigan sample" not in outcome.out
    config = config_of(tmp_path / "run")
    assert np.shape(config["results"]["confusion_matrix"]) == (2, 2)
    assert np.sum(config["results"]["confusion_matrix"]) == 4
    assert mg.classifier.load("run").classes == 2
    refused = tool("sample", "run", "--out", "x.png")
    assert refused.code == 1
    assert "a run of a classifier, which generates no images" in refused.err


def test_a_classifiers_length_is_in_epochs(tool, tmp_path):
    outcome = tool("train", "cnn", *SMALL, "--learning-rate", 0.01)
    assert outcome.code == 0, outcome.err
    assert "5 epochs" in outcome.out
    assert config_of(tmp_path / "runs" / "cnn-pictures")["steps"] == 45
    assert "learning rate 0.01" in (tmp_path / "runs" / "cnn-pictures" / "report.html").read_text()


def test_a_vae_is_trained_and_sampled(tool):
    outcome = tool("train", "vae", *SMALL, "--steps", 3, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert "nats" in outcome.err
    assert "minigan sample run" in outcome.out
    assert tool("sample", "run", "--count", 5, "--out", "x.npz").code == 0
    assert np.array_equal(np.load("x.npz")["images"], mg.vae.sample(mg.vae.load("run"), 5))
    refused = tool("sample", "run", "--class", 1, "--out", "y.npz")
    assert refused.code == 1
    assert "vae has no classes" in refused.err


def test_a_deconvnet_has_a_task_and_its_classifier_takes_its_features(tool, tmp_path):
    outcome = tool(
        *("train", "deconvnet", *SMALL, "--steps", 2, "--task", "denoising"),
        *("--filters", 4, "--kernel", 2, "--depth", 2, "--adversarial", 0.1),
    )
    assert outcome.code == 0, outcome.err
    run = tmp_path / "runs" / "deconvnet-denoising-pictures"
    config = config_of(run)
    assert config["options"] == {"task": "denoising", "filters": 4, "kernel": 2, "depth": 2, "adversarial": True}
    assert config["adversarial"] == 0.1
    assert config["results"]["images"] == 4
    outcome = tool(
        *("train", "deconvnet", *SMALL, "--steps", 2, "--task", "classification", "--features", run),
        *("--filters", 4, "--kernel", 2, "--depth", 2, "--out", "classifier"),
    )
    assert outcome.code == 0, outcome.err
    hidden, features = mg.classifier.load("classifier").network, mg.restoration.load(run).network
    assert np.array_equal(hidden[4].weight.numpy(), features[4].weight.numpy())
    assert config_of(tmp_path / "classifier")["features"] == "of a deconvnet trained for denoising"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cnn", "--task", "denoising"], "--task is an option of deconvnet, not of cnn."),
        (["dcgan", "--filters", "3"], "--filters is an option of deconvnet, not of dcgan."),
        (["cnn", "--objective", "hinge"], "--objective is an option of GANs, not of cnn."),
        (["deconvnet", "--from", "run"], "--from is an option of GANs, not of deconvnet."),
        (["deconvnet", "--features", "run"], "--features applies to --task classification"),
        (["deconvnet", "--task", "classification", "--adversarial", "1"], "not to classification"),
        (["deconvnet", "--adversarial", "-1"], "-1"),
    ],
)
def test_options_of_other_models_are_refused(tool, tmp_path, arguments, words):
    outcome = tool("train", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_an_unknown_task_is_one_line(tool, tmp_path):
    outcome = tool("train", "deconvnet", *SMALL, "--task", "denoise")
    assert outcome.code == 1
    assert outcome.err == "error: no task is called 'denoise'; did you mean denoising?\n"
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_the_list_says_what_kind_each_model_is(tool):
    lines = {line.split()[0]: line.split()[1] for line in tool("models").out.splitlines()}
    assert lines == {name: mg.models.kind_of(name) for name in mg.models.available()}
    assert lines["cnn"] == "classifier"


@pytest.mark.parametrize(
    "command", [("sample", "run", "--out", "x.png"), ("evaluate", "run"), ("ask", "run", "--out", "x.html")]
)
def test_a_run_that_makes_no_images_is_refused_before_anything_else_is_asked_for(tool, command):
    """As a classifier to judge by, which has to be trained, or the place of real images."""
    keep_run("run", mg.models.build("deconvnet", (8, 8, 1)), data="nothing-here")
    outcome = tool(*command)
    assert outcome.code == 1
    assert outcome.err.startswith("error: run: a run of a restoration, which generates no images"), outcome.err
