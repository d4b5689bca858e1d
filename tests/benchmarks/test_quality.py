"""The measurement of quality, on sizes at which nothing is learned."""

import json
import re
import shutil

import drawn_mnist
import numpy as np
import PIL.Image
import pytest

import minigan as mg
from benchmarks.experiments import quality
from docs.build.errata import measured
from minigan.tool.__main__ import main as minigan

COUNT = 40


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with drawn digits as MNIST, and the run of a classifier of them."""
    folder = tmp_path_factory.mktemp("drawn")
    drawn_mnist.write(folder / "mnist")
    train, test = mg.data.load_splits("mnist", folder / "mnist")
    mg.classifier.fit("cnn", train, test=test, steps=30, batch=32, out=folder / "cnn")
    return folder


@pytest.fixture
def measure(written, tmp_path):
    """Runs a rehearsal of the command, and gives its exit status and the scores that it kept."""

    def run(*arguments, steps=2):
        where = "--runs", tmp_path / "runs", "--classifier", written / "cnn", "--data-dir", written / "mnist"
        status = quality.main([*map(str, (*where, "--steps", steps, "--count", COUNT, *arguments))])
        file = tmp_path / "runs" / "quality.json"
        return status, json.loads(file.read_text()) if file.exists() else None

    return run


@pytest.mark.slow
def test_models_of_each_kind_are_trained_judged_and_drawn(measure, tmp_path, capfd):
    names = ("vae", "cgan", "mlp-gan")
    status, kept = measure("--only", *names, "--engine", "minigan", "--seeds", 1)
    assert status == 0
    assert list(kept["models"]) == ["cgan", "mlp-gan", "vae"]  # in the page's order
    out = capfd.readouterr().out
    for name, model in kept["models"].items():
        assert (model["steps"], model["batch"]) == (2, mg.models.build(name).first_run[1])
        score = model["networks"]["minigan"]["0"]
        assert sum(score["counts"]) == kept["count"] == COUNT
        assert f"{name}, seed 0, minigan: Frechet distance {score['frechet']:.2f}" in out
        with PIL.Image.open(tmp_path / "runs" / "pictures" / f"documents-{name}.png") as picture:
            width = picture.size[0]
        assert width == pytest.approx(quality.WIDE, rel=0.3)
    assert out.endswith(measured.quality(kept) + "\n")


@pytest.mark.slow
def test_scores_are_those_of_minigan_evaluate(measure, written, tmp_path, monkeypatch):
    _, kept = measure("--only", "mlp-gan", "--engine", "minigan", "--seeds", 2)
    monkeypatch.chdir(tmp_path)
    judge = "--classifier", str(written / "cnn"), "--data-dir", str(written / "mnist")
    arguments = "evaluate", "runs/mlp-gan-seed-1", "--seed", "1", "--count", str(COUNT), *judge, "--json", "found.json"
    assert minigan(list(arguments)) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    score = kept["models"]["mlp-gan"]["networks"]["minigan"]["1"]
    assert {name: value for name, value in score.items() if name != "digest"} == found["made"]
    assert kept["floor"]["1"] == found["floor"]
    assert kept["judge"] == found["judge"]


@pytest.mark.slow
def test_what_is_there_is_neither_trained_nor_judged_again(measure, tmp_path, monkeypatch, capfd):
    arguments = "--only", "vae", "--engine", "minigan", "--seeds", 1
    _, first = measure(*arguments)
    assert "run folder" in capfd.readouterr().out
    monkeypatch.setattr(quality.Reference, "evaluate", None)
    assert measure(*arguments) == (0, first)
    assert "run folder" not in capfd.readouterr().out
    monkeypatch.undo()
    status, longer = measure(*arguments, steps=3)
    assert status == 0
    assert "run folder" in capfd.readouterr().out
    assert longer["models"]["vae"]["steps"] == 3
    assert longer["models"]["vae"]["networks"]["minigan"]["0"] != first["models"]["vae"]["networks"]["minigan"]["0"]
    shutil.rmtree(tmp_path / "runs" / "vae-seed-0")
    assert measure(*arguments, steps=3) == (0, longer)  # trained anew, to the same bit
    assert "run folder" in capfd.readouterr().out


@pytest.mark.slow
def test_scores_by_another_judge_are_not_mixed_in(measure, written, tmp_path, capsys):
    arguments = "--only", "vae", "--engine", "minigan", "--seeds", 1
    measure(*arguments)
    before = (tmp_path / "runs" / "quality.json").read_bytes()
    other = tmp_path / "other"
    train = mg.data.load("mnist", written / "mnist")
    mg.classifier.fit("cnn", train, test=train, steps=3, batch=32, seed=1, out=other)
    assert measure(*arguments, "--classifier", other)[0] == 1
    assert "choose another --results" in capsys.readouterr().err
    (tmp_path / "runs" / "quality.json").write_text("{}")
    assert measure(*arguments)[0] == 1
    assert "not results of this experiment" in capsys.readouterr().err
    (tmp_path / "runs" / "quality.json").write_bytes(before)
    assert measure(*arguments)[0] == 0
    assert measure(*arguments, "--results", tmp_path / "nowhere" / "quality.json")[0] == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.slow
def test_the_judge_is_trained_where_there_is_none(written, tmp_path, monkeypatch):
    taught = []

    def trained(folder, arguments, steps=None):
        taught.append([folder.name, *arguments])
        return real(folder, [*arguments, "--steps", "2", "--batch", "16"] if folder.name == "cnn" else arguments, steps)

    real = quality.trained
    monkeypatch.setattr(quality, "trained", trained)
    runs, source = str(tmp_path / "runs"), ["--data", "mnist", "--data-dir", str(written / "mnist")]
    where = "--runs", runs, "--steps", "1", "--count", "20", *source[2:]
    assert quality.main(["--only", "vae", "--seeds", "1", *where]) == 0
    assert taught[0] == ["cnn", "cnn", *source]
    judge = json.loads((tmp_path / "runs" / "quality.json").read_text())["judge"]
    assert judge["digest"] == mg.classifier.load(tmp_path / "runs" / "cnn").digest()


def test_the_page_has_what_was_measured(measure, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "documents.md").write_text(
        "".join(f"<!-- figures: {name} -->\n<!-- end -->\n" for name in ("vae", "dcgan", "quality"))
    )
    status, kept = measure("--only", "vae", "--engine", "minigan", "--seeds", 2, "--docs", docs)
    assert status == 0
    text = (docs / "documents.md").read_text()
    score, floor = kept["models"]["vae"]["networks"]["minigan"]["0"], kept["floor"]["0"]
    assert f"Frechet distance {score['frechet']:.1f} (test images: {floor['frechet']:.1f})" in text.replace("\n", " ")
    assert "<!-- figures: dcgan -->\n<!-- end -->" in text  # of which nothing is known
    frechet = [one["frechet"] for one in kept["models"]["vae"]["networks"]["minigan"].values()]
    assert f"| `vae` | 2 x 128 | 2 | {np.mean(frechet):,.1f} ± {np.std(frechet, ddof=1):,.1f} |" in text
    assert (docs / "pictures" / "documents-vae.png").exists()


def test_a_row_has_means_spreads_and_the_rarest_class():
    def network(offset):
        return {
            "frechet": 10.0 + offset,
            "kernel": {"mean": 2.0 + offset, "deviation": 9},
            "score": {"mean": 8.0 + offset, "deviation": 9},
            "precision": 0.5 + offset / 10,
            "recall": 0.25,
            "counts": [30 - offset, 20 + offset, 50],
        }

    figures = {
        **{"data": "mnist", "training": 1000, "classes": 3, "count": 100, "floor": {"0": network(0)}},
        "judge": {"name": "cnn", "features": 128, "accuracy": 0.99, "digest": "01234567"},
        "models": {"dcgan": {"steps": 5, "batch": 4, "networks": {"minigan": {"0": network(0), "1": network(2)}}}},
    }
    table = [re.split(r" *\| *", line)[1:-1] for line in measured.quality(figures).splitlines()[-2:]]
    assert table == [
        ["test images", "", "1", "10.0", "2.0", "8.00", "0.50", "0.25", "20"],
        ["`dcgan`", "5 x 4", "2", "11.0 ± 1.4", "3.0 ± 1.4", "9.00 ± 1.41", "0.60 ± 0.14", "0.25 ± 0.00", "20"],
    ]


def test_what_makes_no_images_is_refused(measure, capsys):
    for arguments, message in (
        (("--only", "cnn"), "invalid choice: 'cnn'"),
        (("--seeds", 0), "0 is not at least 1"),
    ):
        with pytest.raises(SystemExit):
            measure(*arguments)
        assert message in capsys.readouterr().err
