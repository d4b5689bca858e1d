"""A GAN that is told classes: labels go through, one class can be asked for, and grids have a row for each."""

import numpy as np
import pytest
from tiny_gan import SHAPE, same_bits, tiny_gan, tiny_images

import minigan as mg
from minigan import ops, random
from minigan.gan import Callback, Recipe, TrainingError, fit
from minigan.models import GAN
from minigan.nn import Embedding, Flatten, Linear, Module, Reshape, Sequential, Tanh

CLASSES = 3


class Told(Module):
    """A network that is given labels too: what it is given, and a row for the label, through dense layers."""

    def __init__(self, width, layers, rng):
        super().__init__()
        self.rows, self.layers, self.flat = Embedding(CLASSES, 4, rng=rng), layers, Flatten()
        self.seen = []

    def forward(self, x, labels):
        self.seen.append(np.array(labels))
        return self.layers(ops.concatenate([self.flat(x), self.rows(labels)], axis=1))


def told_gan(seed=0):
    rng = random.derived(seed, "init")
    generator = Told(5, Sequential(Linear(9, 36, rng=rng), Tanh(), Reshape(*SHAPE)), rng)
    discriminator = Told(36, Sequential(Linear(40, 1, rng=rng)), rng)
    return GAN("told", generator, discriminator, SHAPE, latent_size=5, batch=8, classes=CLASSES)


LABELS = np.arange(40) % CLASSES


def test_both_networks_are_told_the_labels_of_the_batch():
    gan = told_gan()
    fit(gan, tiny_images(), labels=LABELS, steps=1, gradient_penalty=1.0)
    (told,) = gan.generator.seen
    assert len(told) == 8
    # real, generated, points between them, and the generator's own step
    assert len(gan.discriminator.seen) == 4
    assert all(np.array_equal(labels, told) for labels in gan.discriminator.seen)


def test_images_of_one_class_are_asked_for(tmp_path):
    result = fit(told_gan(), tiny_images(), labels=LABELS, steps=2, out=tmp_path / "run")
    gan = mg.gan.load(tmp_path / "run", into=told_gan(5))
    assert same_bits(gan, result.gan)
    noise = gan.noise(6, random.Philox(0, "sample"))
    for label in range(CLASSES):
        expected = mg.data.to_uint8(gan.generator(noise, np.full(6, label)).numpy())
        assert np.array_equal(result.sample(6, label=label), expected)
    together = result.sample(6)
    assert np.array_equal(together, mg.data.to_uint8(gan.generator(noise, np.arange(6) % 3).numpy()))
    assert np.array_equal(result.sample(4), together[:4])


def test_a_grid_has_a_row_for_each_class(tmp_path):
    class Looking(Callback):
        def on_step(self, trainer, record):
            self.preview, self.columns, self.gan = trainer.preview(), trainer.preview_columns, trainer.gan

    looking = Looking()
    fit(told_gan(), tiny_images(), labels=LABELS, steps=2, callbacks=[looking], out=tmp_path / "run")
    assert looking.preview.shape == (CLASSES * 8, *SHAPE)
    assert looking.columns == 8
    assert looking.gan.generator.seen[-1].tolist() == [label for label in range(CLASSES) for _ in range(8)]
    assert "Each row is a class." in (tmp_path / "run" / "report.html").read_text()


def test_the_number_of_classes_is_kept_with_the_weights(tmp_path):
    images, labels = np.zeros((6, 28, 28, 1), np.uint8), np.array([0, 1, 2, 3, 0, 1])
    fit("cgan", images, labels=labels, steps=1, batch=4, out=tmp_path / "run", recipe=Recipe(ema=0.5))
    gan = mg.gan.load(tmp_path / "run")
    assert gan.classes == 4
    assert mg.gan.sample(gan, 2, label=3).shape == (2, 28, 28, 1)


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda: fit(told_gan(), tiny_images(), steps=1), mg.DataError, "told needs labels, but"),
        (
            lambda: mg.gan.Trainer(told_gan(), None, steps=1).train_step(mg.data.scaled(tiny_images(8))),
            mg.DataError,
            "told needs labels, but",
        ),
        (lambda: mg.gan.sample(tiny_gan(), 2, label=1), TrainingError, "tiny has no classes"),
        (lambda: mg.gan.sample(told_gan(), 2, label=3), TrainingError, "classes 0 to 2, so 3 is not one"),
        (
            lambda: fit(told_gan(), tiny_images(), labels=LABELS + 1, steps=1),
            mg.DataError,
            "labels go up to 3, but told has 3 classes",
        ),
    ],
)
def test_labels_that_are_missing_or_not_there_are_said(act, error, words):
    with pytest.raises(error, match=words):
        act()
