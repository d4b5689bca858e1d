"""Images whose faults are known, as the measures see them."""

import json

import numpy as np
import pytest

import minigan as mg
from benchmarks.experiments import yardsticks


@pytest.mark.slow
def test_all_sets_are_judged_kept_and_put_into_a_table(tmp_path, monkeypatch, capsys):
    def drawn(name, folder):
        return mg.data.glyphs(300), mg.data.glyphs(200, split="test")

    monkeypatch.setattr(yardsticks, "load_splits", drawn)
    mg.classifier.fit("cnn", mg.data.glyphs(300), steps=60, batch=32, out=tmp_path / "cnn")
    file = tmp_path / "yardsticks.json"
    yardsticks.main(["--classifier", str(tmp_path / "cnn"), "--data", "glyphs", "--out", str(file)])
    kept = json.loads(file.read_text())
    assert (kept["data"], kept["training"], kept["classes"], kept["judge"]["name"]) == ("glyphs", 300, 10, "cnn")
    rows = kept["sets"]
    of_one = int(np.sum(mg.data.glyphs(200, split="test").labels == yardsticks.ALONE))
    assert [row["count"] for row in rows.values()] == [200, 200, of_one, 200, 200]
    distances = {name: row["frechet"] for name, row in rows.items()}
    assert min(distances, key=distances.get) == "test images"
    assert rows["only class 3"]["recall"] < rows["test images"]["recall"]
    lines = yardsticks.table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[2].startswith(f"| test images | {distances['test images']:,.1f} | ")
    assert capsys.readouterr().out.endswith("\n".join(lines) + "\n")


def test_blurred_images_keep_their_mean_and_lose_their_edges():
    images = mg.data.glyphs(10).images
    coloured = images.repeat(3, 3)
    blurred = yardsticks.blurred(images)
    np.testing.assert_array_equal(yardsticks.blurred(coloured), blurred.repeat(3, 3))
    assert abs(blurred.mean() - images.mean()) < 2
    assert (
        np.abs(np.diff(blurred.astype(int), axis=1)).mean() < 0.8 * np.abs(np.diff(images.astype(int), axis=1)).mean()
    )


def test_independent_pixels_are_those_of_their_places():
    images = np.arange(4)[:, None, None, None] * 10 + np.arange(6).reshape(2, 3, 1)  # a place is the last digit
    drawn = yardsticks.independent_pixels(images, 50, 0)
    assert drawn.shape == (50, 2, 3, 1)
    assert (drawn % 10 == np.arange(6).reshape(2, 3, 1)).all()
    of_image = drawn // 10
    assert np.unique(of_image).tolist() == [0, 1, 2, 3]
    assert any(len(np.unique(image)) > 1 for image in of_image)
