import json

import numpy as np
import PIL.Image
import pytest
from commands import SMALL, draw_folder

import minigan as mg
from minigan.gan import RunError
from minigan.kernels.cpu.runtime import threads
from minigan.training.folder import RunFolder

FEW = ("--data", "animals", "--size", "8", "--batch", "8")  # of draw_folder


def arrays_of(run):
    gan = mg.gan.load(run)
    return {**gan.generator.state_dict(), **{f"d.{k}": v for k, v in gan.discriminator.state_dict().items()}}


def steps_in(run):
    return RunFolder(run).config()["steps"]


def test_training_leaves_a_run_and_says_where(tool, tmp_path):
    outcome = tool("train", "mlp-gan", *SMALL, "--steps", 3)
    assert outcome.code == 0, outcome.err
    assert "runs/mlp-gan-glyphs/report.html" in outcome.out
    assert (tmp_path / "runs" / "mlp-gan-glyphs" / "report.html").is_file()
    assert "step 3/3" in outcome.err
    config = json.loads((tmp_path / "runs" / "mlp-gan-glyphs" / "config.json").read_text())
    assert config["image_shape"] == [8, 8, 1]


def test_runs_are_numbered_and_the_same_seed_gives_the_same_weights(tool, tmp_path):
    for seed in (5, 5, 6):
        assert tool("train", "mlp-gan", *SMALL, "--steps", 3, "--seed", seed).code == 0
    runs = tmp_path / "runs"
    assert sorted(run.name for run in runs.iterdir()) == ["mlp-gan-glyphs", "mlp-gan-glyphs-2", "mlp-gan-glyphs-3"]
    first, again, other = (arrays_of(runs / f"mlp-gan-glyphs{end}") for end in ("", "-2", "-3"))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


@pytest.mark.slow
def test_weights_do_not_depend_on_the_number_of_threads(tool, monkeypatch):
    limits = []
    monkeypatch.setattr("threadpoolctl.threadpool_limits", limits.append)
    monkeypatch.setattr(threads, "_count", threads.get_threads())  # put back at the end
    for number in (1, 3):
        assert tool("train", "--batch", 16, "--steps", 2, "--threads", number, "--out", f"by-{number}").code == 0
        assert threads.get_threads() == number
    one, three = arrays_of("by-1"), arrays_of("by-3")
    assert all(np.array_equal(one[name], three[name]) for name in one)
    assert limits == [1, 3]


def test_the_default_model_is_a_dcgan(tool):
    outcome = tool("train", "--steps", 1, "--batch", 2, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert mg.gan.load("run").name == "dcgan"


def test_a_folder_of_images_by_epochs_with_augmentation(tool, tmp_path):
    (tmp_path / "cats").mkdir()
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 9, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "cats" / f"{number}.png")
    outcome = tool(
        "train", "mlp-gan", "--data", "cats", "--size", 8, "--epochs", 2, "--batch", 4, "--out", "run",
        "--augment", "flip, shift=1", "--channels", 1, "--learning-rate", 0.001,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["steps"], config["epochs"], config["image_shape"]) == (4, 2, [8, 8, 1])
    assert config["augment"] == {"flip": True, "shift": 1, "crop": 0}
    assert (config["recipe"]["generator_rate"], config["recipe"]["discriminator_rate"]) == (0.001, 0.001)


def test_an_existing_folder_needs_force(tool):
    assert tool("train", "mlp-gan", *SMALL, "--steps", 1, "--out", "run").code == 0
    refused = tool("train", "mlp-gan", *SMALL, "--steps", 2, "--out", "run")
    assert refused.code == 1
    assert "--force" in refused.err
    assert steps_in("run") == 1
    assert tool("train", "mlp-gan", *SMALL, "--steps", 2, "--out", "run", "--force").code == 0
    assert steps_in("run") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dcgn"], "no model is called 'dcgn'; did you mean dcgan"),
        (["--data", "mnits"], "no data source is called 'mnits'; did you mean mnist?"),
        (["--data", "./nowhere"], "no such folder"),
        (["--data", "mnist", "--data-dir", "nowhere"], "nowhere"),
        (["--device", "gpu"], "no device is called 'gpu'; did you mean cuda"),
        (["--size", "30"], "dcgan: images are 30 x 30"),
        (["--batch", "20001"], "there are 20000"),
        (["--out", "file"], "file: this is a file"),
    ],
)
def test_what_cannot_be_done_is_one_line_on_standard_error(tool, tmp_path, arguments, words):
    (tmp_path / "file").write_text("mine")
    outcome = tool("train", *arguments)
    assert outcome.code == 1
    assert words in outcome.err
    assert outcome.err.startswith("error: ")
    assert len(outcome.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "0"], "0 is not in the range x>=1"),
        (["--batch", "-3"], "-3 is not in the range x>=1"),
        (["--threads", "0"], "0 is not in the range x>=1"),
        (["--seed", "-1"], "-1 is not in the range x>=0"),
        (["--epochs", "1", "--steps", "1"], "give one of them"),
        (["--augment", "shift"], "'shift' is not flip, shift=N or crop=N"),
        (["--learning-rate", "0"], "0"),
        (["--stepz", "3"], "--stepz"),
    ],
)
def test_what_cannot_be_meant_is_refused(tool, tmp_path, arguments, words):
    outcome = tool("train", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert not list(tmp_path.iterdir())


def test_the_notes_of_an_error_are_shown_with_it(tool, monkeypatch):
    def fail(*arguments, **settings):
        error = RunError("run/log.jsonl: the disk is full")
        error.add_note("The weights of step 400 are in run/weights.safetensors.")
        raise error

    monkeypatch.setattr("minigan.training.fitting.run", fail)
    outcome = tool("train", "mlp-gan", *SMALL)
    assert outcome.code == 1
    assert outcome.err == (
        "error: run/log.jsonl: the disk is full\nThe weights of step 400 are in run/weights.safetensors.\n"
    )


def test_single_settings_of_a_recipe_are_options(tool):
    draw_folder("animals")
    outcome = tool(
        "train", "mlp-gan", *FEW, "--steps", 1, "--out", "run", "--objective", "wasserstein", "--critic-steps", 2,
        "--gradient-penalty", 10, "--generator-rate", 1e-4, "--discriminator-rate", 3e-4, "--betas", 0.5, 0.9,
        "--ema", 0.99, "--instance-noise", 0.1, "--minibatch-std", "--no-spectral-norm",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert RunFolder("run").config()["recipe"] == {
        "objective": "wasserstein",
        "optimiser": "adam",
        "generator_rate": 1e-4,
        "discriminator_rate": 3e-4,
        "betas": [0.5, 0.9],
        "critic_steps": 2,
        "gradient_penalty": 10,
        "r1": 0,
        "clip": 0,
        "label_smoothing": 0,
        "instance_noise": 0.1,
        "ema": 0.99,
        "spectral_norm": False,
        "minibatch_std": True,
    }
    assert mg.gan.load("run").changes == ("minibatch-std",)


@pytest.mark.slow
def test_images_are_enlarged_for_a_model_that_is_made_for_larger_ones(tool):
    outcome = tool("train", "rgan", "--data", "glyphs", "--steps", 1, "--batch", 2, "--out", "run")
    assert outcome.code == 0, outcome.err
    assert "images of 32 x 32" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dcgan", "--gradient-penalty", "10"], "batch norm (3)"),
        (["mlp-gan", "--objective", "wasserstein"], "nothing bounds the critic"),
        (["mlp-gan", "--objective", "hinge", "--label-smoothing", "0.1"], "nothing to smooth"),
        (["mlp-gan", "--objective", "wasser"], "no objective is called 'wasser'; did you mean wasserstein"),
        (["mlp-gan", "--from", "nowhere"], "nowhere: not a run of minigan"),
        (["mlp-gan", "--freeze", "generator.77"], "no part of mlp-gan is called 'generator.77'"),
    ],
)
def test_a_recipe_that_cannot_work_is_one_line(tool, tmp_path, arguments, words):
    draw_folder("animals")
    outcome = tool("train", *arguments, "--data", "animals", "--size", 28, "--steps", 1, "--batch", 8, "--out", "run")
    assert outcome.code == 1
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["animals"]


def test_a_run_goes_on_from_another_with_parts_frozen(tool):
    draw_folder("animals")
    assert tool("train", "mlp-gan", *FEW, "--steps", 2, "--out", "first").code == 0
    begun = ("--from", "first", "--freeze", "generator.0, generator.2")
    outcome = tool("train", "wgan", *FEW, "--steps", 1, "--out", "second", *begun)
    assert outcome.code == 0, outcome.err
    assert "first is a mlp-gan, this is a wgan" in outcome.err
    assert "generator: 6 of 6 arrays from first" in outcome.err
    before, after = arrays_of("first"), arrays_of("second")
    same = {name for name in before if np.array_equal(before[name], after[name])}
    # the critic's last bias adds the same to both means, so no Wasserstein loss ever moves it
    assert same == {"0.weight", "0.bias", "2.weight", "2.bias", "d.5.bias"}
