"""Judging generated images by a classifier: what better and worse images get, and what is refused."""

import json

import numpy as np
import pytest

import minigan as mg
from minigan.errors import DataError, ShapeError
from minigan.evaluation import digest, evaluate
from minigan.evaluation.judging import words

CLASSES = 10


@pytest.fixture(scope="module")
def splits():
    return mg.data.glyphs(1200), mg.data.glyphs(400, split="test")


@pytest.fixture(scope="module")
def judge(splits):
    return mg.classifier.fit("cnn", splits[0], steps=120, batch=32).model


@pytest.fixture(scope="module")
def found(splits, judge):
    """Sets of images, worse and worse in some respect -> what was found."""
    train, test = splits
    other = mg.data.glyphs(400, seed=9).images
    blurred = np.stack([np.roll(other, shift, (1, 2)) for shift in ((0, 0), (0, 3), (3, 0), (3, 3))]).mean(0)
    rng = np.random.default_rng(0)
    sets = {
        "real": other,
        "blurred": blurred.astype(np.uint8),
        "one digit": train.images[train.labels == 3][:100],
        "noise": rng.integers(0, 256, other.shape, np.uint8),
    }
    return {name: evaluate(images, judge, train, test) for name, images in sets.items()}


def test_real_images_get_what_test_images_get(found):
    made, floor = found["real"].made, found["real"].floor
    assert made.frechet < 2 * floor.frechet + 1
    assert abs(made.kernel.mean) < 3 * max(made.kernel.deviation, floor.kernel.deviation)
    assert made.precision > 0.7
    assert made.recall > 0.7
    assert (made.covered, floor.covered) == (CLASSES, CLASSES)
    assert made.copies < 0.05


def test_worse_images_get_worse_scores(found):
    frechet = {name: one.made.frechet for name, one in found.items()}
    kernel = {name: one.made.kernel.mean for name, one in found.items()}
    for distances in (frechet, kernel):
        assert distances["real"] < distances["blurred"] < distances["noise"]
        assert distances["real"] < distances["one digit"]
    assert found["one digit"].made.score.mean < 2 < found["real"].made.score.mean
    assert found["one digit"].made.covered <= 2  # the judge takes a few for another
    assert found["one digit"].made.precision > 0.9
    assert found["one digit"].made.recall < 0.3
    assert found["noise"].made.precision < 0.2


def test_copies_of_training_images_are_found_out(found, judge, splits):
    train, test = splits
    assert found["one digit"].made.copies == 1  # they are the training images
    assert found["one digit"].made.nearest == 0
    copied = evaluate(train.images[5:25], judge, train, test, pairs=4)
    assert copied.likest.shape == (8, 28, 28, 1)
    for number in range(4):
        assert np.array_equal(copied.likest[2 * number], copied.likest[2 * number + 1])


def test_the_judge_is_named_with_its_accuracy_and_its_weights(found, judge, splits):
    one = found["real"].judge
    assert (one.name, one.features, one.digest) == ("cnn", 128, digest(judge))
    assert one.accuracy == np.mean(judge.predict(splits[1].images) == splits[1].labels) > 0.8
    other = mg.models.build("cnn", seed=1)
    assert digest(other) != digest(judge)
    weight = next(iter(other.network.parameters()))
    before = digest(other)
    weight.data[0] += 1
    assert digest(other) != before


def test_all_that_is_found_is_kept_and_said(found):
    plain = json.loads(json.dumps(found["blurred"].plain()))
    assert plain["made"]["kernel"] == {
        "mean": found["blurred"].made.kernel.mean,
        "deviation": found["blurred"].made.kernel.deviation,
    }
    text = words(found["blurred"], "400 images")
    assert f"cnn ({found['blurred'].judge.digest}) with {found['blurred'].judge.accuracy:.2%}" in text
    assert "1,200 training images of glyphs" in text
    assert f"{found['blurred'].made.frechet:.2f}" in text
    assert "FID" not in text
    assert "Inception" not in text


def test_the_same_seed_finds_the_same(found, judge, splits):
    again = evaluate(mg.data.glyphs(400, seed=9).images, judge, *splits)
    assert again.plain() == found["real"].plain()


def test_images_of_another_size_are_resized(judge, splits):
    small = mg.data.glyphs(60, seed=9, size=20).images
    assert evaluate(small, judge, *splits).likest.shape[1:] == (28, 28, 1)


def test_what_cannot_be_judged_is_refused(judge, splits):
    train, test = splits
    images = test.images[:20]
    unlabelled = mg.data.Dataset(images, None, "plain")
    for arguments, error, message in (
        ((images[:9], judge, train, test), DataError, "there are 9 generated images"),
        ((images, judge, train, test[:5]), DataError, "there are 5 test images"),
        ((images, judge, unlabelled, test), DataError, "train .plain. has no labels"),
        ((images.repeat(3, 3), judge, train, test), DataError, r"images are \(28, 28, 3\)"),
        ((images / 255, judge, train, test), DataError, "uint8"),
        ((images, judge, mg.data.glyphs(20, size=20), test), ShapeError, "cnn is for images of"),
    ):
        with pytest.raises(error, match=message):
            evaluate(*arguments)
