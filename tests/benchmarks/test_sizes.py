"""Sizes and speeds of models, as they are measured and put into a table."""

import json

import pytest

import minigan as mg
from benchmarks.experiments import sizes
from docs.build.errata import measured


def test_models_are_measured_and_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sizes, "SAMPLE", 0)
    monkeypatch.setattr(sizes, "MADE", 8)
    file = tmp_path / "sizes.json"
    sizes.main(["--only", "mlp-gan", "vae", "--samples", "3", "--out", str(file)])
    kept = json.loads(file.read_text())
    assert (kept["samples"], kept["threads"]) == (3, mg.get_threads())
    assert list(kept["models"]) == ["mlp-gan", "vae"]
    for name, row in kept["models"].items():
        model = mg.models.build(name)
        assert row["sizes"] == {player: vars(size) for player, size in mg.models.size(model).items()}
        assert (row["image"], row["batch"]) == ([28, 28, 1], model.first_run[1])
        assert row["step_ms"] > 0 < row["images_per_second"]
    assert capsys.readouterr().out == sizes.table(kept["models"]) + "\n"
    assert measured.show("sizes", tmp_path).endswith(sizes.table(kept["models"]))


@pytest.mark.parametrize("name", ["cgan", "wgan", "cnn", "deconvnet"])
def test_a_step_trains_and_use_does_not(name):
    case = sizes.Case(name, batch=2)
    network = next(iter(case.model.networks().values()))
    before = network.state_dict()
    assert len(case.use()) == sizes.MADE
    assert all((network.state_dict()[key] == array).all() for key, array in before.items())
    case.step()
    assert any((network.state_dict()[key] != array).any() for key, array in before.items())
    case.batches.close()


def test_calls_take_turns_and_medians_count(monkeypatch):
    monkeypatch.setattr(sizes, "PAUSE", 0)
    calls, clock = [], iter(range(1000))

    class Fake:
        def __init__(self, name):
            self.step, self.use = (lambda what=what: calls.append((name, what)) for what in ("step", "use"))

        def plain(self, steps, uses):
            return steps, uses

    monkeypatch.setattr(sizes, "seconds", lambda call, times: (call(), next(clock))[1] + 1)
    found = sizes.measure({name: Fake(name) for name in "ab"}, samples=2)
    turns = [(name, what) for name in "ab" for what in ("step", "use")]
    assert calls == [turn for turn in turns for _ in range(2)] + turns * 2
    assert found == {"a": ([9, 13], [10, 14]), "b": ([11, 15], [12, 16])}


def test_the_table_has_both_networks_of_a_gan():
    row = {"image": [28, 28, 1], "player": "generator", "batch": 32, "step_ms": 12.345, "images_per_second": 4321.9}
    row["sizes"] = {
        "generator": {"parameters": 771969, "bytes": 3_000_000, "multiply_adds": 7_250_432},
        "discriminator": {"parameters": 1000, "bytes": 4000, "multiply_adds": 1},
    }
    assert sizes.table({"dcgan": row}).splitlines()[2] == (
        "| `dcgan` | 28 x 28 | 771,969 + 1,000 | 3.00 | 7.25 million | 32 | 12.3 ms | 4,322 images/s |"
    )
