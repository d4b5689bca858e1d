"""Judging generated images by a classifier: what better and worse images get, and what is refused."""

import json
import re

import numpy as np
import pytest

import minigan as mg
from minigan import metrics
from minigan.errors import DataError, ShapeError
from minigan.evaluation import Reference, Scores, evaluate
from minigan.evaluation.judging import parts, words

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
    assert found["real"].count == 400
    assert 1 / 3 < made.frechet / floor.frechet < 3  # chance: 400 of either
    assert abs(made.kernel.mean) < 3 * max(made.kernel.deviation, floor.kernel.deviation)
    assert made.precision > 0.7
    assert made.recall > 0.7
    assert (made.covered, floor.covered) == (CLASSES, CLASSES)
    assert made.near < 0.05


def test_worse_images_get_worse_scores(found):
    frechet = {name: one.made.frechet for name, one in found.items()}
    kernel = {name: one.made.kernel.mean for name, one in found.items()}
    for distances in (frechet, kernel):
        assert distances["real"] < distances["blurred"] < distances["noise"]
        assert distances["real"] < distances["one digit"]
    assert found["one digit"].made.score.mean < 2 < found["real"].made.score.mean
    assert found["one digit"].made.covered <= 2  # the judge takes a few for another
    assert found["one digit"].made.precision > 0.8
    assert found["one digit"].made.recall < 0.3
    assert found["noise"].made.precision < 0.2


def test_copies_of_training_images_are_found_out(found):
    assert found["one digit"].made.near == 1  # they are the training images
    assert found["one digit"].made.nearest == 0
    assert found["one digit"].floor.near < 0.1


def test_all_is_measured_on_as_many_images_of_each_kind(judge, splits):
    train, test = splits
    images = mg.data.glyphs(60, seed=9).images
    few = evaluate(images, judge, train, test, seed=4)
    assert few.count == 60
    rng = np.random.default_rng(4)
    real, held_out = judge.features(train.images), judge.features(test.images)
    held_out = held_out[np.sort(rng.choice(400, 60, replace=False))]
    among = real[np.sort(rng.choice(1200, 60, replace=False))]
    usual = np.quantile(metrics.nearest(held_out, real)[1], 0.01)
    for scores, features in ((few.made, judge.features(images)), (few.floor, held_out)):
        distances = metrics.nearest(features, real)[1]
        assert scores == Scores(
            metrics.frechet_distance(real, features),
            metrics.kernel_distance(real, features, seed=4),
            metrics.classifier_score(judge.logits_of(features), splits=1, seed=4),
            *metrics.precision_recall(among, features, 3),
            metrics.classes_covered(judge.logits_of(features).argmax(1), train.labels, 10),
            tuple(np.sum(judge.logits_of(features).argmax(1) == kind) for kind in range(10)),
            np.median(distances),
            np.mean(distances <= usual),
        )
    many = evaluate(mg.data.glyphs(700, seed=9).images, judge, train, test)
    assert many.count == 400
    assert 1 / 3 < many.made.frechet / many.floor.frechet < 3


def test_where_there_are_fewer_test_images_generated_ones_are_drawn_from_all(judge, splits):
    train, test = splits
    images = mg.data.glyphs(900, seed=9).images
    order = np.concatenate([np.zeros_like(images[:500]), images[500:]])  # nothing, and then digits
    counts = evaluate(order, judge, train, test).made.counts
    assert max(counts) == pytest.approx(400 * 5 / 9 + 400 * 4 / 90, rel=0.2)


@pytest.mark.parametrize(("count", "expected"), [(10, 1), (999, 1), (1000, 2), (4999, 9), (5000, 10), (60_000, 10)])
def test_the_classifier_score_has_parts_of_five_hundred_images(count, expected):
    assert parts(count) == expected


def test_the_nearest_come_first_each_before_its_training_image(judge, splits):
    train, test = splits
    noise = np.random.default_rng(0).integers(0, 2, (40, 28, 28, 1)) * np.arange(40)[::-1, None, None, None]
    images = np.clip(train.images[:40] + noise, 0, 255).astype(np.uint8)  # the last are copies, the first are not
    indices, distances = metrics.nearest(judge.features(images), judge.features(train.images))
    order = distances.argsort(kind="stable")[:6]
    found = evaluate(images, judge, train, test, pairs=6).nearest
    np.testing.assert_array_equal(found[0::2], images[order])
    np.testing.assert_array_equal(found[1::2], train.images[indices[order]])
    assert distances[order[0]] < distances[order[-1]] < distances.max()


def test_the_judge_is_named_with_its_accuracy_and_its_weights(found, judge, splits):
    one = found["real"].judge
    assert (one.name, one.features, one.digest) == ("cnn", 128, judge.digest())
    assert one.accuracy == np.mean(judge.predict(splits[1].images) == splits[1].labels) > 0.8


def test_sets_judged_one_after_another_get_what_each_gets_alone(judge, splits, found):
    few = mg.data.glyphs(200), mg.data.glyphs(40, split="test")
    reference = Reference(judge, *few)
    sets = {"real": mg.data.glyphs(40, seed=9).images, "many": mg.data.glyphs(70, seed=9).images}
    for images, seed in ((sets["many"], 0), (sets["real"], 1), (sets["real"], 0), (sets["many"], 1)):
        assert reference.evaluate(images, seed).plain() == evaluate(images, judge, *few, seed).plain()
    of_all = Reference(judge, *splits).evaluate(mg.data.glyphs(400, seed=9).images)
    assert of_all.plain() == found["real"].plain()


def test_all_that_is_found_is_kept_and_said(found):
    plain = json.loads(json.dumps(found["blurred"].plain()))
    assert plain["made"]["kernel"] == {
        "mean": found["blurred"].made.kernel.mean,
        "deviation": found["blurred"].made.kernel.deviation,
    }
    text = words(found["blurred"], "400 images")
    assert f"cnn ({found['blurred'].judge.digest}), which is right about {found['blurred'].judge.accuracy:.2%}" in text
    assert "1,200 training images of glyphs" in text
    assert "400 generated and 400 test images" in text
    assert "FID" not in text
    assert "Inception" not in text


def test_each_line_says_what_generated_and_test_images_get(found):
    made, floor = found["blurred"].made, found["blurred"].floor
    lines = [re.split(r"\s{2,}", line)[:3] for line in words(found["blurred"], "images").splitlines()[4:]]
    assert lines == [
        ["Frechet distance", f"{made.frechet:.2f}", f"{floor.frechet:.2f}"],
        ["kernel distance", *(f"{of.kernel.mean:.4f} ± {of.kernel.deviation:.4f}" for of in (made, floor))],
        ["classifier score", f"{made.score.mean:.2f}", f"{floor.score.mean:.2f}"],
        ["precision", f"{made.precision:.3f}", f"{floor.precision:.3f}"],
        ["recall", f"{made.recall:.3f}", f"{floor.recall:.3f}"],
        ["classes covered", f"{made.covered}", f"{floor.covered}"],
        ["rarest class", f"{min(made.counts)}", f"{min(floor.counts)}"],
        ["nearest training image", f"{made.nearest:.2f}", f"{floor.nearest:.2f}"],
        ["unusually close to one", f"{made.near:.1%}", f"{floor.near:.1%}"],
    ]


def test_the_same_seed_finds_the_same(found, judge, splits):
    again = evaluate(mg.data.glyphs(400, seed=9).images, judge, *splits)
    assert again.plain() == found["real"].plain()
    other = evaluate(mg.data.glyphs(400, seed=9).images, judge, *splits, seed=1).made
    assert other.kernel != again.made.kernel
    assert other.precision != again.made.precision


def test_images_of_another_size_are_resized(judge, splits):
    small = mg.data.glyphs(60, seed=9, size=20).images
    assert evaluate(small, judge, *splits).nearest.shape[1:] == (28, 28, 1)


def test_what_cannot_be_judged_is_refused(judge, splits):
    train, test = splits
    images = test.images[:20]
    unlabelled = mg.data.Dataset(images, None, "plain")
    for arguments, error, message in (
        ((images[:9], judge, train, test), DataError, "there are 9 generated images"),
        ((images, judge, train, test[:5]), DataError, "there are 5 test images"),
        ((images, judge, unlabelled, test), DataError, "train .plain. has no labels"),
        ((images.repeat(3, 3), judge, train, test), DataError, r"images are \(28, 28, 3\)"),
        ((images, mg.models.build("cnn", classes=4), train, test), DataError, "has 10 classes, the classifier 4"),
        ((images / 255, judge, train, test), DataError, "uint8"),
        ((images, judge, mg.data.glyphs(20, size=20), test), ShapeError, "cnn is for images of"),
    ):
        with pytest.raises(error, match=message):
            evaluate(*arguments)
