"""The measurement of quality, with networks in PyTorch beside minigan's."""

import json

import drawn_mnist
import numpy as np
import pytest

import minigan as mg
from benchmarks.experiments import quality
from benchmarks.peers import torch_recipes


@pytest.fixture
def measure(tmp_path):
    """Runs a rehearsal of the command on drawn digits, and gives the scores that it kept."""
    drawn_mnist.write(tmp_path / "mnist")
    train, test = mg.data.load_splits("mnist", tmp_path / "mnist")
    mg.classifier.fit("cnn", train, test=test, steps=30, batch=32, out=tmp_path / "cnn")

    def run(*arguments, expect=0):
        where = "--runs", tmp_path / "runs", "--classifier", tmp_path / "cnn", "--data-dir", tmp_path / "mnist"
        assert quality.main([*map(str, (*where, "--steps", 3, "--count", 50, "--seeds", 1, *arguments))]) == expect
        return json.loads((tmp_path / "runs" / "quality.json").read_text())["models"]

    return run


def test_both_engines_learn_alike_and_what_is_there_is_not_trained_again(measure, tmp_path, monkeypatch, capsys):
    kept = measure("--only", *quality.PEERS)
    assert list(kept) == sorted(quality.PEERS)
    for name, model in kept.items():
        ours, theirs = (model["networks"][engine]["0"] for engine in quality.ENGINES)
        assert ours["frechet"] == pytest.approx(
            theirs["frechet"], rel=0.02
        )  # three steps, in other orders of summation
        network = mg.gan.load(tmp_path / "runs" / f"{name}-seed-0")
        with np.load(tmp_path / "runs" / f"{name}-seed-0-torch.npz") as file:
            difference = np.abs(file["images"].astype(int) - mg.gan.sample(network, 50).astype(int))
        assert difference.mean() < 1  # of 255
    monkeypatch.setattr(torch_recipes, "trained", None)
    assert measure("--only", *quality.PEERS) == kept
    (tmp_path / "runs" / "wgan-seed-0-torch.npz").write_bytes(b"no images")
    measure("--only", "wgan", expect=1)
    assert "remove it to train again" in capsys.readouterr().err


def test_samples_are_by_the_average_where_there_is_one():
    gan = mg.models.build("mlp-gan", seed=1)
    trainer = torch_recipes.RecipeTraining(gan, gan.recipe.changed(ema=0.5))
    expected = mg.gan.sample(gan, 5)
    with torch_recipes.torch.no_grad():
        trainer.generator[0].weight.zero_()
    difference = torch_recipes.sampled(trainer, gan, 5, 0).astype(int) - expected.astype(int)
    assert np.abs(difference).max() <= 1
