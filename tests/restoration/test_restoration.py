"""Training networks that restore images: the step, figures at the end, predictions, the run folder."""

import json

import numpy as np
import pytest

import minigan as mg
from minigan import metrics, optim, restoration
from minigan.restoration.tasks import TASKS
from minigan.training import RunError


@pytest.fixture(scope="module")
def glyphs():
    return mg.data.glyphs(120, size=12)


@pytest.fixture(scope="module")
def held_out():
    return mg.data.glyphs(16, size=12, split="test")


def fit(glyphs, **settings):
    return restoration.fit("deconvnet", glyphs, **{"steps": 6, "batch": 8, "filters": 6, **settings})


def same_bits(first, second):
    a, b = first.network.state_dict(), second.network.state_dict()
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", TASKS)
def test_one_step_is_the_one_written_out(name, glyphs):
    images = mg.data.scaled(glyphs.images[:8])
    models = [mg.models.build("deconvnet", glyphs.shape, seed=4, task=name) for _ in range(2)]
    trainer = restoration.Trainer(models[0], mg.data.Batches(glyphs.images, batch_size=8), steps=1, seed=3)
    record = trainer.train_step(images)
    damaged = TASKS[name].damage(glyphs.images[:8], mg.random.derived(3, "damage"))
    network = models[1].network
    output = network(mg.tensor(damaged.given))
    if damaged.hole is not None:
        output = mg.where(damaged.hole, output, images)
    loss = ((output - images) ** 2).mean()
    optim.Adam(network.parameters(), lr=1e-3).step(mg.grad(loss, network.parameters()))
    assert record == {"error": pytest.approx(loss.item(), rel=1e-5)}
    for key, array in network.state_dict().items():
        np.testing.assert_allclose(models[0].network.state_dict()[key], array, rtol=1e-4, atol=1e-6)


def test_the_adversarial_step_is_the_one_written_out(glyphs):
    images = mg.data.scaled(glyphs.images[:8])
    models = [mg.models.build("deconvnet", glyphs.shape, seed=4, adversarial=True) for _ in range(2)]
    batches = mg.data.Batches(glyphs.images, batch_size=8)
    record = restoration.Trainer(models[0], batches, steps=1, adversarial=0.3).train_step(images)
    given = TASKS["super-resolution"].damage(glyphs.images[:8], None).given
    network, judge = models[1].network, models[1].discriminator
    output = network(mg.tensor(given))
    loss = mg.softplus(-judge(mg.tensor(images))).mean() + mg.softplus(judge(output.detach())).mean()
    assert record["discriminator_loss"] == pytest.approx(loss.item(), rel=1e-5)
    optim.Adam(judge.parameters(), lr=2e-4, betas=(0.5, 0.999)).step(mg.grad(loss, judge.parameters()))
    term = mg.softplus(-judge(output)).mean()
    assert record["adversarial_loss"] == pytest.approx(term.item(), rel=1e-4)
    gradients = mg.grad(((output - images) ** 2).mean() + 0.3 * term, network.parameters())
    optim.Adam(network.parameters(), lr=1e-3).step(gradients)
    for name, part in models[0].networks().items():
        for key, array in part.state_dict().items():
            expected = models[1].networks()[name].state_dict()[key]
            np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-6, err_msg=f"{name}.{key}")


@pytest.mark.parametrize("name", TASKS)
def test_figures_are_those_of_the_predictions(name, glyphs, held_out):
    result = fit(glyphs, task=name, test=held_out, steps=40)
    damaged = TASKS[name].damage(held_out.images, mg.random.derived(0, "metrics"))
    if name == "super-resolution":
        predicted = result.predict(damaged.shown[:, ::2, ::2])
    else:
        predicted = result.predict(damaged.shown, None if damaged.hole is None else damaged.hole[..., 0])
    assert predicted.dtype == np.uint8
    assert result.figures["restored"] == {
        "psnr": pytest.approx(metrics.psnr(held_out.images, predicted), abs=0.2),
        "ssim": pytest.approx(metrics.ssim(held_out.images, predicted), abs=0.02),
    }
    baseline = metrics.psnr(held_out.images, TASKS[name].baseline(damaged))
    assert result.figures["baseline"]["psnr"] == pytest.approx(baseline)
    begun = fit(glyphs, task=name, test=held_out, steps=1).figures["restored"]["psnr"]
    assert result.figures["restored"]["psnr"] > begun + 0.5


def test_examples_are_four_forms_of_images_from_everywhere(glyphs, held_out):
    model = fit(glyphs, task="completion").model
    evaluation = restoration.evaluate(model, held_out.images, np.random.default_rng(0))
    examples = evaluation.examples(4).reshape(4, 4, 12, 12, 1)
    for row, number in enumerate((0, 5, 10, 15)):
        forms = evaluation.damaged, evaluation.baseline, evaluation.restored, held_out.images
        assert np.array_equal(examples[row], [form[number] for form in forms])


def test_the_same_seed_gives_the_same_bits_whatever_watches(glyphs, held_out, tmp_path):
    first = fit(glyphs, task="completion", test=held_out, out=tmp_path / "run").model
    assert same_bits(first, fit(glyphs, task="completion").model)
    assert not same_bits(first, fit(glyphs, task="completion", seed=1).model)


def test_a_run_keeps_figures_pictures_and_what_builds_it_again(glyphs, held_out, tmp_path):
    settings = {"task": "completion", "adversarial": 0.01, "kernel": 5, "depth": 2}
    result = fit(glyphs, test=held_out, out=tmp_path / "run", **settings)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["kind"], config["task"], config["adversarial"]) == ("restoration", "completion", 0.01)
    assert config["results"] == {"images": 16, **result.figures}
    model = restoration.load(tmp_path / "run")
    assert model.options == {"filters": 6, "kernel": 5, "depth": 2, "task": "completion", "adversarial": True}
    assert same_bits(model, result.model)
    images, hole = held_out.images, np.zeros(held_out.images.shape[:3], bool)
    hole[:, 3:7, 2:8] = True
    assert np.array_equal(restoration.predict(model, images, hole), result.predict(images, hole))
    page = (tmp_path / "run" / "report.html").read_text()
    assert "{psnr:.2f} dB, SSIM {ssim:.3f}".format(**result.figures["restored"]) in page
    assert "The discriminator&#39;s accuracy" in page
    assert (tmp_path / "run" / "pictures" / "examples.png").is_file()


def test_images_of_any_size_are_restored(glyphs):
    model = fit(glyphs, task="denoising").model
    assert restoration.predict(model, np.zeros((2, 30, 9, 1), np.uint8)).shape == (2, 30, 9, 1)
    model = fit(glyphs).model
    assert restoration.predict(model, np.zeros((2, 15, 9, 1), np.uint8)).shape == (2, 30, 18, 1)


def test_held_out_images_are_a_thousand_at_most(glyphs):
    model = mg.models.build("deconvnet", glyphs.shape)
    batches = mg.data.Batches(glyphs.images, batch_size=8)
    numbers = np.arange(2500, dtype=np.uint16).view(np.uint8).reshape(2500, 2, 1, 1)
    test = restoration.Trainer(model, batches, steps=1, test=numbers).test
    assert len(test) == 834
    assert np.array_equal(test, numbers[::3])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "classification"}, "no restoration is called 'classification'"),
        ({"adversarial": -1}, "weight of the adversarial term must be 0 or above, not -1"),
        ({"adversarial": float("nan")}, "0 or above, not nan"),
        ({"model": mg.models.build("deconvnet", (12, 12, 1)), "adversarial": 1}, "needs a discriminator"),
        ({"model": mg.models.build("deconvnet", (12, 12, 1)), "task": "denoising"}, "is for super-resolution"),
        ({"model": mg.models.build("cnn", (12, 12, 1))}, "cnn is a classifier; train it with mg.classifier.fit"),
        ({"model": mg.models.build("deconvnet", (12, 10, 1))}, r"for images of \(12, 10, 1\)"),
        ({"test": np.zeros((2, 8, 8, 1), np.uint8)}, r"for images of \(12, 12, 1\)"),
    ],
)
def test_what_cannot_be_trained_with_is_refused(glyphs, change, words):
    model = change.pop("model", "deconvnet")
    with pytest.raises(mg.MiniganError, match=words):
        restoration.fit(model, glyphs, steps=1, batch=4, **change)


def test_what_cannot_be_restored_is_refused(glyphs):
    model = fit(glyphs, task="denoising", steps=1).model
    with pytest.raises(mg.DataError, match="images are float64"):
        restoration.predict(model, np.zeros((2, 12, 12, 1)))
    with pytest.raises(mg.DataError, match="images are a list"):
        restoration.predict(model, [1, 2])


def test_what_figures_need_is_missed_before_training(glyphs, held_out, monkeypatch):
    from minigan.training import inputs

    real = inputs.version
    monkeypatch.setattr(inputs, "version", lambda package: None if package == "scikit-image" else real(package))
    with pytest.raises(RunError, match=r"needs scikit-image: pip install 'minigan\[train\]'"):
        fit(glyphs, test=held_out)
    assert fit(glyphs, steps=1).figures == {}
