"""Training classifiers: the step, the figures at the end, the run folder, and what is refused."""

import json

import numpy as np
import PIL.Image
import pytest

import minigan as mg
from minigan import classifier, optim
from minigan.classifier import confusion_matrix
from minigan.classifier.pictures import surest_mistakes
from minigan.errors import DataError, RunWarning
from minigan.training import DivergedError, Every, RunError, TrainingError


@pytest.fixture(scope="module")
def glyphs():
    return mg.data.glyphs(300, size=8)


@pytest.fixture(scope="module")
def held_out():
    return mg.data.glyphs(60, size=8, split="test")


def fit(glyphs, **settings):
    return classifier.fit("cnn", glyphs, **{"steps": 12, "batch": 16, **settings})


def same_bits(first, second):
    a, b = first.network.state_dict(), second.network.state_dict()
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.numba
def test_one_step_is_the_one_written_out(glyphs):
    images, labels = mg.data.scaled(glyphs.images[:16]), glyphs.labels[:16]
    models = [mg.models.build("cnn", glyphs.shape, seed=4) for _ in range(2)]
    trainer = classifier.Trainer(models[0], None, steps=4)
    records = [trainer.train_step(images, labels) for _ in range(2)]
    network = models[1].network
    optimiser = optim.Adam(network.parameters(), lr=1e-3)
    for number, record in enumerate(records):
        logits = network(mg.tensor(images))
        loss = mg.cross_entropy(logits, labels)
        assert record["loss"] == pytest.approx(loss.item(), rel=1e-6)
        assert record["accuracy"] == np.mean(logits.numpy().argmax(1) == labels)
        optimiser.groups[0]["lr"] = 1e-3 * (1 + np.cos(np.pi * number / 4)) / 2
        optimiser.step(mg.grad(loss, network.parameters()))
    assert same_bits(*models)


def test_it_learns_and_the_accuracy_is_that_of_the_predictions(glyphs, held_out):
    result = fit(glyphs, epochs=6, steps=None, test=held_out)
    predicted = result.predict(held_out.images)
    assert result.accuracy == np.mean(predicted == held_out.labels) > 0.5
    matrix = result.confusion_matrix
    assert matrix.sum() == len(held_out)
    assert np.trace(matrix) == np.sum(predicted == held_out.labels)
    assert matrix[3].sum() == np.sum(held_out.labels == 3)
    assert matrix[:, 3].sum() == np.sum(predicted == 3)


def test_the_same_seed_gives_the_same_bits_whatever_watches(glyphs, held_out, tmp_path):
    first = fit(glyphs, test=held_out, out=tmp_path / "run").model
    assert same_bits(first, fit(glyphs).model)
    assert not same_bits(first, fit(glyphs, seed=1).model)


def test_a_run_keeps_accuracy_pictures_and_what_builds_it_again(glyphs, held_out, tmp_path):
    three = glyphs.labels < 3
    few, test = mg.data.Dataset(glyphs.images[three], glyphs.labels[three], "few", ("a", "b", "c")), held_out
    test = test[test.labels < 3]
    with pytest.raises(DataError, match=r"test has the classes 0, 1, 2, .*, but the training images have a, b, c"):
        fit(few, test=test)
    test = mg.data.Dataset(test.images, test.labels, "few", few.classes)
    result = fit(few, test=test, out=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["kind"] == "classifier"
    assert config["results"]["accuracy"] == result.accuracy
    assert np.array_equal(config["results"]["confusion_matrix"], result.confusion_matrix)
    model = classifier.load(tmp_path / "run")
    assert (model.classes, model.options) == (3, {"classes": 3})
    assert same_bits(model, result.model)
    header, _ = mg.training.weights.read(tmp_path / "run" / "weights.safetensors")
    assert json.loads(header["results"])["accuracy"] == result.accuracy
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"{result.accuracy:.2%}" in page
    assert page.count("data:image/png;base64,") == 2
    for name in ("confusion", "errors"):
        with PIL.Image.open(tmp_path / "run" / "pictures" / f"{name}.png") as picture:
            assert min(picture.size) > 100


def test_without_held_out_images_nothing_is_claimed(glyphs, tmp_path):
    result = fit(glyphs, out=tmp_path / "run")
    assert result.accuracy is None
    assert result.confusion_matrix is None
    assert json.loads((tmp_path / "run" / "config.json").read_text())["results"] == {}
    assert "held-out" not in (tmp_path / "run" / "report.html").read_text()


def test_a_run_that_was_stopped_is_measured_too(glyphs, held_out):
    stop = Every(3, lambda trainer, record: trainer.stop())
    result = fit(glyphs, test=held_out, callbacks=[stop])
    assert len(result.history) == 3
    assert result.accuracy == np.mean(result.predict(held_out.images) == held_out.labels)


def test_the_confusion_matrix_counts_pairs():
    matrix = confusion_matrix(np.array([0, 0, 1, 2, 2]), np.array([0, 2, 1, 2, 1]), 4)
    assert matrix.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


def test_the_surest_mistakes_come_first():
    logits = np.array([[5.0, 0], [0, 9], [1, 0], [0, 3], [1000, 0]])
    assert surest_mistakes(np.array([1, 1, 1, 0, 1]), logits).tolist() == [4, 0, 3, 2]


def test_a_deconvnet_classifies_jointly_or_on_features_that_stay(glyphs, held_out):
    joint = classifier.fit("deconvnet", glyphs, steps=3, batch=16, filters=4)
    assert joint.model.options["task"] == "classification"
    start = mg.models.build("deconvnet", glyphs.shape, task="classification", filters=4).network
    assert not np.array_equal(joint.model.network[0].weight.numpy(), start[0].weight.numpy())

    restorer = mg.models.build("deconvnet", glyphs.shape, seed=5, task="denoising", filters=4)
    frozen = classifier.fit("deconvnet", glyphs, steps=3, batch=16, filters=4, features=restorer).model.network
    for number in (0, 2):
        assert np.array_equal(frozen[number].weight.numpy(), restorer.network[number].weight.numpy())
    assert not np.array_equal(frozen[-1].weight.numpy(), start[-1].weight.numpy())


@pytest.mark.parametrize(("task", "filters"), [("completion", 4), ("denoising", 5)])
def test_features_that_do_not_fit_are_refused(glyphs, task, filters):
    restorer = mg.models.build("deconvnet", glyphs.shape, task=task, filters=filters)
    with pytest.raises(TrainingError, match="same filters, kernel, depth and channels"):
        classifier.fit("deconvnet", glyphs, steps=1, batch=4, filters=4, features=restorer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.arange(300) / 2}, "labels are float64"),
        ({"labels": -np.arange(300)}, "go down to -299, expected whole numbers from 0"),
        ({"labels": np.zeros(7, int)}, r"labels have shape \(7,\), .* each of 300 images"),
        ({"labels": np.full(300, 12), "classes": 5}, "labels go up to 12, but cnn predicts 5 classes"),
        (
            {"test": (np.zeros((2, 8, 8, 1), np.uint8), np.array([1]))},
            "labels of test .* each of 2 images",
        ),
        (
            {"test": (np.zeros((1, 8, 8, 1), np.uint8), np.array([10]))},
            "labels of test go up to 10, but",
        ),
        ({"test": (np.zeros((1, 9, 8, 1), np.uint8), np.array([1]))}, r"for images of \(8, 8, 1\)"),
        ({"batch": 301}, "a batch of 301"),
        ({"model": "vae"}, "vae is a vae; train it with mg.vae.fit, not mg.classifier.fit"),
        ({"model": mg.models.build("vae", (8, 8, 1))}, "vae is a vae; train it with mg.vae.fit"),
        ({"model": 3}, "must be a model or one of the names"),
    ],
)
def test_what_cannot_be_trained_with_is_refused(glyphs, change, words):
    model = change.pop("model", "cnn")
    with pytest.raises(mg.MiniganError, match=words):
        classifier.fit(model, glyphs, **{"steps": 1, "batch": 4, **change})


def test_images_without_labels_are_refused(glyphs):
    with pytest.raises(mg.DataError, match="needs labels"):
        classifier.fit("cnn", glyphs.images)


def test_a_loss_that_is_no_number_names_the_weight(glyphs):
    def poison(trainer, record):
        trainer.model.network[9].weight.data[0, 0] = np.nan

    with pytest.raises(DivergedError, match=r"step 2: the loss is nan; the network's 9\.weight .* 0\.001"):
        fit(glyphs, callbacks=[Every(1, poison)])


def test_a_run_of_another_kind_is_named(glyphs, tmp_path):
    fit(glyphs, out=tmp_path / "run", steps=1)
    with pytest.raises(RunError, match=r"a run of a classifier, not of a vae; load it with mg\.classifier\.load"):
        mg.vae.load(tmp_path / "run")


@pytest.mark.parametrize("missing", [np.nan, 0.5, np.inf])
def test_held_out_images_without_a_label_are_left_out_and_said(glyphs, missing):
    images, labels = glyphs.images[:40], glyphs.labels[:40].astype(np.float64)
    labels[:30] = missing
    with pytest.warns(RunWarning, match=f"30 of the 40 labels of test are not whole numbers, such as {missing}"):
        result = classifier.fit("cnn", glyphs, test=(images, labels), steps=2, batch=4)
    assert result.confusion_matrix.sum() == 10
    assert result.accuracy == np.mean(result.predict(images[30:]) == glyphs.labels[30:40])
    for unusable in (np.full(40, missing), glyphs.labels[:40].astype(np.float64)):
        with pytest.raises(mg.MiniganError, match="labels of test are float64"):
            classifier.fit("cnn", glyphs, test=(images, unusable), steps=1, batch=4)
