"""The measurement of quality, on sizes at which nothing is learned."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import minigan as mg
from benchmarks import quality
from benchmarks.errata import measured
from minigan import models
from minigan.errors import DataError

EPOCH = "--epochs", "1"


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Runs the command on 200 drawn digits instead of MNIST, scores 100 images, and gives the results it kept."""

    def drawn(name, folder, split="train", size=None):
        assert name == "mnist"
        return mg.data.glyphs(200, split=split, size=size or 28)

    monkeypatch.setattr(quality.data, "load", drawn)
    monkeypatch.setattr(quality, "COUNT", 100)

    def run(*arguments):
        quality.main(["--data-dir", "nowhere", "--out", str(tmp_path), *arguments])
        return {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*-seed-*.json")}

    return run


@pytest.mark.parametrize("model", ["mlp-gan", "cgan", "vae"])
def test_models_of_each_kind_are_scored(measure, tmp_path, model, capsys):
    results = measure("--model", model, "--only", "minigan", "--seeds", "2", *EPOCH)
    assert sorted(results) == [f"{model}-1-epochs-seed-{seed}-minigan" for seed in (0, 1)]
    for name, result in results.items():
        assert sum(result["digits"]) == result["images"] == 100
        with np.load(tmp_path / f"{name}.npz") as kept:
            assert kept["images"].shape == (100, 28, 28, 1)
    scores = [results[name]["frechet"] for name in sorted(results)]
    assert scores[0] != scores[1]
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"minigan  mean {np.mean(scores):.3f}, standard deviation {np.std(scores, ddof=1):.3f} (2 seeds)" == last


def test_images_of_another_size_are_learned_from_and_scored_as_mnists(measure, tmp_path):
    measure("--model", "rgan", "--only", "minigan", "--seeds", "1", *EPOCH)
    with np.load(tmp_path / "rgan-1-epochs-seed-0-minigan.npz") as kept:
        assert kept["images"].shape == (100, 28, 28, 1)


def test_both_engines_begin_alike_and_what_is_there_is_not_trained_again(measure, monkeypatch):
    first = measure("--model", "mlp-gan", "--seeds", "1", *EPOCH)
    ours, theirs = (first[f"mlp-gan-1-epochs-seed-0-{engine}"]["frechet"] for engine in quality.ENGINES)
    assert ours == pytest.approx(theirs, rel=0.02)  # of three steps, in other orders of summation
    monkeypatch.setattr(quality, "train_ours", None)
    assert measure("--model", "mlp-gan", "--seeds", "1", *EPOCH) == first


def test_what_makes_no_images_is_refused(measure, capsys):
    with pytest.raises(SystemExit):
        measure("--model", "cnn")
    assert "invalid choice: 'cnn'" in capsys.readouterr().err


def test_scores_of_first_runs_go_into_the_file_of_results(measure, tmp_path, monkeypatch, capsys):
    file = tmp_path / "results.json"

    def build(*arguments, **options):
        model = models.build(*arguments, **options)
        model.first_run = tuple(length)
        return model

    length = [2, 16]

    monkeypatch.setattr(quality, "models", SimpleNamespace(build=build, size_for=models.size_for))
    for model, seeds in (("vae", "2"), ("mlp-gan", "1"), ("mlp-gan", "2")):
        kept = measure("--model", model, "--only", "minigan", "--seeds", seeds, "--results", str(file))
    of_model = json.loads(file.read_text())["models"]
    assert list(of_model) == ["vae", "mlp-gan"]
    for model, found in of_model.items():
        assert (found["steps"], found["batch"]) == (2, 16)
        for seed, score in found["networks"]["minigan"].items():
            whole = kept[f"{model}-first-run-seed-{seed}-minigan"]
            assert (whole["frechet"], whole["digits"], whole["steps"]) == (score["frechet"], score["digits"], 2)
    table = measured.quality(json.loads(file.read_text()))
    assert table.count("| 2 x 16 |") == 2
    assert f"at {json.loads(file.read_text())['floor']:.2f}" in table
    length[:] = 3, 8
    kept = measure("--model", "vae", "--only", "minigan", "--seeds", "1", "--results", str(file))
    assert kept["vae-first-run-seed-0-minigan"]["steps"] == 3  # trained anew, as it is of another length
    assert json.loads(file.read_text())["models"]["vae"]["steps"] == 3
    before = file.read_bytes()
    (tmp_path / "classifier.pt").unlink()
    monkeypatch.setattr(quality.torch, "manual_seed", lambda seed, set=torch.manual_seed: set(1))
    with pytest.raises(DataError, match="name another file as --results"):
        measure("--model", "vae", "--only", "minigan", "--results", str(file))
    assert file.read_bytes() == before
    with pytest.raises(SystemExit):
        measure("--results", str(file), *EPOCH)
    assert "--results is for first runs" in capsys.readouterr().err
