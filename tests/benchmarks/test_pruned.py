"""Scores of pruned runs, as they are kept and put into a table."""

import json

import numpy as np
import pytest

import minigan as mg
from benchmarks.experiments import pruned
from docs.build.errata import measured
from minigan.metrics import frechet_distance
from minigan.training import weights
from minigan.training.trainer import header_of


def test_all_runs_are_scored_at_all_shares_and_kept(tmp_path, monkeypatch, capsys):
    train, test = mg.data.glyphs(60), mg.data.glyphs(40, split="test")
    monkeypatch.setattr(pruned, "load_splits", lambda name, folder, **how: (train, test))
    for name in ("mlp-gan", "cnn"):
        model = mg.models.build(name)
        (tmp_path / name).mkdir()
        weights.save(tmp_path / name / "weights.safetensors", header_of(model), model.state())
        config = {"format": "minigan-run-1", "kind": model.kind}
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    file = tmp_path / "pruned.json"
    arguments = ["--runs", str(tmp_path), "--models", "mlp-gan", "cnn", "--classifier", str(tmp_path / "cnn")]
    pruned.main([*arguments, "--count", "30", "--shares", "0", "0.5", "0.9", "--out", str(file)])
    kept = json.loads(file.read_text())
    assert (kept["scope"], kept["count"], kept["training"], kept["test"]) == ("global", 30, 60, 40)
    judge, gan = mg.classifier.load(tmp_path / "cnn"), mg.gan.load(tmp_path / "mlp-gan")
    real, rows = judge.features(train.images), kept["runs"]
    assert [row["player"] for row in rows.values()] == ["generator", "network"]
    for share, at in rows["mlp-gan"]["shares"].items():
        mg.pruning.prune(gan.generator, float(share))
        assert at["frechet"] == frechet_distance(real, judge.features(mg.gan.sample(gan, 30)))
        assert at["deflated"] == mg.pruning.deflated_size(gan.generator)
        assert at["zeros"] == round(float(share) * rows["mlp-gan"]["weights"])
    for share, at in rows["cnn"]["shares"].items():
        mg.pruning.prune(judge.network, float(share))
        assert at["accuracy"] == np.mean(judge.predict(test.images) == test.labels)
    assert kept["judge"]["accuracy"] == rows["cnn"]["shares"]["0"]["accuracy"]
    assert capsys.readouterr().out.endswith(pruned.table(rows) + "\n")
    assert measured.show("pruned", tmp_path).endswith(pruned.table(rows))


@pytest.mark.parametrize("missing", ["cnn", "mlp-gan"])
def test_runs_that_are_not_there_are_named_before_anything_is_judged(missing, tmp_path, capsys):
    model = mg.models.build("cnn")
    (tmp_path / "judge").mkdir()
    weights.save(tmp_path / "judge" / "weights.safetensors", header_of(model), model.state())
    (tmp_path / "judge" / "config.json").write_text('{"format": "minigan-run-1", "kind": "classifier"}')
    judge = tmp_path / (missing if missing == "cnn" else "judge")
    with pytest.raises(SystemExit):
        pruned.main(["--runs", str(tmp_path), "--models", "judge", "mlp-gan", "--classifier", str(judge)])
    assert f"{tmp_path / missing}: not a run of minigan" in capsys.readouterr().err


def test_the_table_has_two_lines_for_a_run():
    shares = {
        share: {"frechet": distance, "deflated": size}
        for share, distance, size in (("0", 1234.56, 2e6), ("0.5", 9, 5e5))
    }
    rows = {"dcgan-seed-0": {"model": "dcgan", "shares": shares}}
    rows["cnn"] = {"model": "cnn", "shares": {share: {"accuracy": 0.98765, "deflated": 1e3} for share in shares}}
    assert pruned.table(rows).splitlines() == [
        "| model | share of weights set to 0 | 0% | 50% |",
        "|---|---|---|---|",
        "| `dcgan` | Frechet distance | 1,234.6 | 9.0 |",
        "| | deflated, kB | 2,000 | 500 |",
        "| `cnn` | accuracy | 98.77% | 98.77% |",
        "| | deflated, kB | 1 | 1 |",
    ]
