"""`minigan prune`, as called."""

import json

import numpy as np
import pytest
from commands import draw_folder, keep_run

import minigan as mg

SHAPE = (8, 8, 3)


@pytest.fixture
def runs(tool, tmp_path):
    """The tool in a folder with pictures and a run of each kind of model for such."""
    draw_folder(tmp_path / "pictures", count=60)
    for name in ("mlp-gan", "vae", "cnn", "deconvnet"):
        classes = {"classes": 2} if name == "cnn" else {}
        model = mg.models.build(name, SHAPE, **classes)
        keep_run(f"runs/{name}-pictures", model, data="pictures", images=108, results={"accuracy": 1})
    return tool


PICTURES = ("--data", "pictures")


def test_a_gan_is_judged_before_and_after(runs, tmp_path):
    outcome = runs("prune", "runs/mlp-gan-pictures", *PICTURES, "--count", 20, "--share", 0.75, "--json", "found.json")
    assert outcome.code == 0, outcome.err
    found = json.loads((tmp_path / "found.json").read_text())
    model, weights = mg.gan.load("runs/mlp-gan-pictures"), (100 + 128 + 192) * 128
    judge, (train, test) = mg.classifier.load("runs/cnn-pictures"), mg.data.load_splits("pictures", size=8)
    for name, share in (("before", 0), ("after", 0.75)):
        mg.pruning.prune(model.generator, share)
        made = mg.evaluation.evaluate(mg.gan.sample(model, 20), judge, train, test).made
        kept = {"frechet": made.frechet, "kernel": made.kernel.mean, "score": made.score.mean}
        kept |= {"precision": made.precision, "recall": made.recall, "covered": made.covered}
        assert found[name] == {**kept, "deflated": mg.pruning.deflated_size(model.generator)}
    assert (found["zeros"], found["weights"], found["player"]) == (round(0.75 * weights), weights, "generator")
    lines = outcome.out.splitlines()
    assert (
        lines[0]
        == f"{found['zeros']:,} of {weights:,} weights of the generator of runs/mlp-gan-pictures are 0 (global)"
    )
    (row,) = [line.split() for line in lines if line.startswith("Frechet")]
    assert row[2:4] == [f"{found[name]['frechet']:.2f}" for name in ("before", "after")]
    assert np.count_nonzero(mg.gan.load("runs/mlp-gan-pictures").generator[0].weight.numpy()) > 0.9 * 100 * 128


def test_what_samples_are_made_with_is_pruned_and_kept_as_a_run(runs, tmp_path):
    model = mg.models.build("mlp-gan", SHAPE, 1)
    model.average = mg.models.build("mlp-gan", SHAPE, 2).generator
    keep_run("runs/averaged", model, data="pictures", images=108, results={"bound": 1}, shown={})
    how = ("--classifier", "runs/cnn-pictures", "--count", 12, "--scope", "layer", "--out", "runs/pruned")
    outcome = runs("prune", "runs/averaged", *PICTURES, *how)
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith("the pruned run is in runs/pruned\n")
    kept = mg.gan.load("runs/pruned")
    mg.pruning.prune(model.average, 0.5, "layer")
    for player, network in model.networks().items():
        for name, array in network.state_dict().items():
            assert np.array_equal(kept.networks()[player].state_dict()[name], array), (player, name)
    pruned = tmp_path / "runs" / "pruned"
    assert {path.name for path in pruned.iterdir()} == {"config.json", "weights.safetensors"}
    config = json.loads((pruned / "config.json").read_text())
    assert {name: config["pruned"][name] for name in ("from", "player", "share", "scope")} == {
        **{"from": "runs/averaged", "player": "average"},
        **{"share": 0.5, "scope": "layer"},
    }
    assert not {"results", "shown"} & set(config)
    assert runs("sample", "runs/pruned", "--out", "samples.npz").code == 0
    assert runs("evaluate", "runs/pruned", *PICTURES, "--classifier", "runs/cnn-pictures", "--count", 12).code == 0


def test_a_vae_is_judged_by_what_its_decoder_makes(runs, tmp_path):
    outcome = runs("prune", "runs/vae-pictures", *PICTURES, "--count", 12, "--share", 0.9, "--json", "found.json")
    assert outcome.code == 0, outcome.err
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["player"] == "decoder"
    assert found["after"]["deflated"] < found["before"]["deflated"] / 2


def test_a_classifier_is_judged_by_its_accuracy(runs, tmp_path):
    outcome = runs("prune", "runs/cnn-pictures", *PICTURES, "--share", 0.5, "--out", "kept", "--json", "found.json")
    assert outcome.code == 0, outcome.err
    found, (_, test) = json.loads((tmp_path / "found.json").read_text()), mg.data.load_splits("pictures", size=8)
    for name, run in (("before", "runs/cnn-pictures"), ("after", "kept")):
        right = float(np.mean(mg.classifier.load(run).predict(test.images) == test.labels))
        assert found[name]["accuracy"] == right
        assert f"{right:.2%}" in outcome.out


def test_a_deconvnet_is_judged_by_what_it_restores(runs, tmp_path):
    outcome = runs("prune", "runs/deconvnet-pictures", *PICTURES, "--share", 0.9, "--json", "found.json")
    assert outcome.code == 0, outcome.err
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["before"]["psnr"] != found["after"]["psnr"]
    assert f"{found['after']['psnr']:.2f}  " in outcome.out


def test_a_pruned_run_replaces_another_by_force_alone_and_never_its_own(runs, tmp_path):
    how = (*PICTURES, "--out")
    before = (tmp_path / "runs" / "cnn-pictures" / "weights.safetensors").read_bytes()
    assert "(--force)" in runs("prune", "runs/cnn-pictures", *how, "runs/vae-pictures").err
    assert runs("prune", "runs/cnn-pictures", *how, "runs/vae-pictures", "--force").code == 0
    assert mg.classifier.load("runs/vae-pictures").classes == 2
    assert "pruned" in json.loads((tmp_path / "runs" / "vae-pictures" / "config.json").read_text())
    assert runs("prune", "runs/cnn-pictures", *how, "runs/../runs/cnn-pictures", "--force").code == 1
    assert (tmp_path / "runs" / "cnn-pictures" / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs/cnn-pictures", "--share", 1), "--share"),
        (("runs/cnn-pictures", "--scope", "half"), "'half' is not one of 'global', 'layer'"),
        (("runs/cnn-pictures", *PICTURES, "--out", "runs/vae-pictures"), "exists and is not empty"),
        (("runs/cnn-pictures", *PICTURES, "--classifier", "runs/cnn-pictures"), "generates no images, so --classifier"),
        (("runs/mlp-gan-pictures", "--json", "nowhere/found.json"), "there is no folder nowhere"),
        (("runs/nothing",), "not a run of minigan"),
    ],
)
def test_what_cannot_be_pruned_is_said(runs, arguments, message):
    outcome = runs("prune", *arguments)
    assert outcome.code != 0
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_labels_that_the_classifier_does_not_know_are_refused(runs, tmp_path):
    draw_folder(tmp_path / "others", count=20, kinds=("a", "b", "c"))
    outcome = runs("prune", "runs/cnn-pictures", "--data", "others")
    others = tmp_path / "others"
    assert f"has the classes cats, dogs, but the classes of {others} (folder) are a, b, c" in outcome.err
    pictures = tmp_path / "pictures"
    assert outcome.out == (
        f"note: the run was trained on {pictures} (folder); this command uses {others} (folder); the classes differ\n"
    )
    draw_folder(tmp_path / "flat", count=20, kinds=(".",))
    outcome = runs("prune", "runs/cnn-pictures", "--data", "flat")
    assert "the classifier has 2 classes, but flat has other labels or none" in outcome.err
