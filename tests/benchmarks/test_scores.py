"""Scores of runs beside one another."""

import numpy as np
import PIL.Image
import pytest

import minigan as mg
from benchmarks import scores
from minigan.metrics import frechet_distance


def test_a_score_is_on_the_classifiers_features():
    model = mg.models.build("cnn", (8, 8, 1), classes=3)
    images, others = (np.random.default_rng(n).integers(0, 256, (20, 8, 8, 1), np.uint8) for n in (0, 1))
    real = model.features(others)
    distance, counts, surety = scores.score(model, images, real)
    assert distance == frechet_distance(real, model.features(images)) > 0
    assert counts == np.bincount(model.predict(images), minlength=3).tolist()
    logits = model.logits(images)
    assert surety == pytest.approx((np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).max(1).mean(), rel=1e-5)
    assert scores.score(model, others, real)[0] == pytest.approx(0, abs=1e-3)


def test_independent_pixels_are_those_of_their_places():
    images = np.arange(4)[:, None, None, None] * 10 + np.arange(6).reshape(2, 3, 1)  # a place is the last digit
    drawn = scores.independent_pixels(images, 50, 0)
    assert drawn.shape == (50, 2, 3, 1)
    assert (drawn % 10 == np.arange(6).reshape(2, 3, 1)).all()
    of_image = drawn // 10
    assert np.unique(of_image).tolist() == [0, 1, 2, 3]
    assert any(len(np.unique(image)) > 1 for image in of_image)


def test_runs_of_gans_and_vaes_are_scored(tmp_path, capsys):
    for number in range(40):
        kind = tmp_path / "pictures" / "ab"[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
        PIL.Image.fromarray(pixels).save(kind / f"{number:02}.png")
    images = mg.data.load(tmp_path / "pictures")
    runs = [tmp_path / name for name in ("cnn", "gan", "vae")]
    mg.classifier.fit("cnn", images, steps=2, batch=8, out=runs[0])
    mg.gan.fit("mlp-gan", images, steps=2, batch=8, out=runs[1])
    mg.vae.fit("vae", images, steps=2, batch=8, out=runs[2])
    scores.main(
        [*map(str, runs[1:]), "--classifier", str(runs[0]), "--data", str(tmp_path / "pictures"), "--count", "9"]
    )
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert "of a cnn (" in lines[0]
    assert [line.split(" | ")[0] for line in lines[4:]] == [
        f"| {name}" for name in ("test split", "independent pixels", *map(str, runs[1:]))
    ]
    for line in lines[5:]:
        assert sum(map(int, line.split(" | ")[3].removesuffix(" |").split())) == 9
