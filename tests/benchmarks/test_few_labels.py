"""The measurement of generated images as training data, on sizes at which nothing is learned."""

import json

import numpy as np
import PIL.Image
import pytest

import minigan as mg
from benchmarks.experiments import few_labels
from minigan.data import Dataset


@pytest.fixture(scope="module")
def glyphs():
    return mg.data.glyphs(200, size=8)


def test_the_labelled_images_are_equally_many_of_every_class(glyphs):
    first, again, other = (few_labels.few(glyphs, 30, seed) for seed in (1, 1, 2))
    assert np.bincount(first.labels).tolist() == [3] * 10
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)
    assert len(np.unique(first.images.reshape(30, -1), axis=0)) == 30
    with pytest.raises(mg.DataError, match="25 labelled images cannot be divided equally among 10 classes"):
        few_labels.few(glyphs, 25, 0)
    with pytest.raises(mg.DataError, match="1000 images of every class"):
        few_labels.few(glyphs, 10_000, 0)


def test_the_smaller_set_is_repeated_until_it_is_half():
    labelled, others = (
        Dataset(np.full((n, 2, 2, 1), n, np.uint8), np.zeros(n, np.int64), "x", ("a",)) for n in (3, 10)
    )
    for both in (few_labels.together(labelled, others), few_labels.together(others, labelled)):
        assert np.bincount(both.images[:, 0, 0, 0], minlength=11)[[3, 10]].tolist() == [9, 10]
        assert len(both.labels) == 19


def test_gans_without_classes_are_trained_one_for_each(glyphs):
    labelled = few_labels.few(glyphs, 20, 0)
    images = few_labels.generated(labelled, "mlp-gan", 2, 3, 0)
    assert images.images.shape == (30, 8, 8, 1)
    assert np.bincount(images.labels).tolist() == [3] * 10
    assert not np.array_equal(images.images[:3], images.images[3:6])


@pytest.mark.slow
def test_a_gan_that_knows_classes_is_asked_for_each():
    labelled = few_labels.few(mg.data.glyphs(100), 20, 0)
    images = few_labels.generated(labelled, "cgan", 1, 2, 0)
    assert images.images.shape == (20, 28, 28, 1)
    assert np.bincount(images.labels).tolist() == [2] * 10


def test_the_table_has_means_spreads_and_paired_differences():
    draws = (0.5, 0.6, 0.8, 0.7), (0.7, 0.9, 0.8, 0.8)
    rows = [dict(zip(few_labels.WAYS, accuracies, strict=True)) for accuracies in draws]
    lines = few_labels.table({50: rows}).splitlines()[2:]
    assert lines[0] == "| 50 | real | 60.00 ± 14.14 % |  |"
    assert lines[1] == "| 50 | real + generated | 75.00 ± 21.21 % | +15.00 ± 7.07 % |"
    assert lines[3] == "| 50 | both | 75.00 ± 7.07 % | -5.00 ± 7.07 % |"


def test_the_command_measures_every_way_and_keeps_it(tmp_path, capsys):
    for number in range(40):
        kind = tmp_path / "pictures" / "ab"[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
        PIL.Image.fromarray(pixels).save(kind / f"{number:02}.png")
    few_labels.main(
        ["--data", str(tmp_path / "pictures"), "--size", "8", "--labels", "4", "--seeds", "2", "--model", "mlp-gan",
         "--gan-steps", "1", "--generated", "6", "--steps", "2", "--out", str(tmp_path / "few.json")]
    )  # fmt: skip
    kept = json.loads((tmp_path / "few.json").read_text())
    assert [set(row) for row in kept["accuracies"]["4"]] == [set(few_labels.WAYS)] * 2
    assert (kept["gan_steps"], kept["seeds"]) == (1, 2)
    assert "data_dir" not in kept
    printed = capsys.readouterr().out
    assert printed.count("4 labels, seed") == 2
    assert "| 4 | both |" in printed
