"""The measurement of fine-tuning, on sizes at which nothing is learned."""

import json
import tempfile

import numpy as np
import PIL.Image
import pytest

import minigan as mg
from benchmarks.experiments import fine_tuning
from docs.build.errata import measured
from minigan.training.folder import RunFolder


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    """The folder of a cnn's run."""
    folder = tmp_path_factory.mktemp("cnn") / "run"
    mg.classifier.fit("cnn", mg.data.glyphs(40), steps=1, batch=20, out=folder)
    return RunFolder(folder).path


@pytest.mark.slow
def test_all_ways_are_measured_at_all_lengths_and_kept(cnn, tmp_path, capsys):
    file = tmp_path / "distances.json"
    sizes = ["--first-steps", "1", "--lengths", "1", "2", "--batch", "2", "--count", "20", "--seeds", "2"]
    fine_tuning.main(["--classifier", str(cnn), "--data", "glyphs", *sizes, "--out", str(file)])
    kept = json.loads(file.read_text())
    assert kept["first"] == "glyphs"
    judge, test = mg.classifier.load(cnn), mg.data.load("glyphs", split="test", count=2000)
    accuracy = np.mean(judge.predict(test.images) == test.labels)
    assert kept["judge"] == {"name": "cnn", "accuracy": accuracy, "digest": judge.digest()}
    about = measured.of_fine_tuning(kept)
    said = f"Frechet distance of 20 images to the training images, on features of a cnn with {accuracy:.2%}"
    assert about.startswith(said)
    assert [set(found) for found in kept["distances"]] == [set(fine_tuning.WAYS)] * 2
    assert all(list(of_way) == ["1", "2"] for found in kept["distances"] for of_way in found.values())
    first = kept["distances"][0]
    assert len({json.dumps(of_way) for of_way in first.values()}) == 3  # three ways, and not one of them thrice
    assert "| 2 | " in capsys.readouterr().out


@pytest.mark.slow
def test_data_of_two_shapes_are_refused(cnn, capsys):
    draw = np.random.default_rng(0).integers(0, 256, (12, 8, 8), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        for number, pixels in enumerate(draw):
            PIL.Image.fromarray(pixels).save(f"{folder}/{number}.png")
        with pytest.raises(SystemExit):
            fine_tuning.main(["--classifier", str(cnn), "--data", folder])
    assert "weights fit one shape" in capsys.readouterr().err


def test_frozen_layers_stay_and_others_move():
    first = mg.models.build("dcgan", seed=3)
    before = {name: tensor.numpy().copy() for name, tensor in first.discriminator.named_parameters()}
    result = mg.gan.fit(
        "dcgan", mg.data.glyphs(8), steps=1, batch=2, **{**fine_tuning.WAYS["partly frozen"], "start": first}
    )
    stayed = {
        name for name, t in result.gan.discriminator.named_parameters() if np.array_equal(t.numpy(), before[name])
    }
    layers = {name.removeprefix("discriminator.") for name in fine_tuning.FROZEN}
    assert stayed == {name for name in before if name.split(".")[0] in layers}


def test_the_table_has_means_and_spreads():
    rows = [
        {way: {10: value} for way, value in zip(fine_tuning.WAYS, of, strict=True)} for of in ((1, 2, 3), (3, 2, 5))
    ]
    assert fine_tuning.table(rows).splitlines()[2:] == ["| 10 | 2.0 ± 1.4 | 2.0 ± 0.0 | 4.0 ± 1.4 |"]
