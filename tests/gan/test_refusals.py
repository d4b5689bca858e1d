"""A fit that is refused leaves the caller's GAN exactly as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_gan import tiny_gan, tiny_images

import minigan as mg
from minigan.data import Augment
from minigan.gan import Recipe, fit
from minigan.kernels import precision_now
from minigan.nn import BatchNorm, Sequential

GOOD = {  # settings that change the GAN when a fit begins
    "spectral_norm": {"spectral_norm": True},
    "minibatch_std": {"minibatch_std": True},
    "ema": {"ema": 0.5},
    "freeze": {"freeze": ["generator.0.0"]},
    "recipe": {"recipe": Recipe(r1=1.0)},
    "start": {"start": tiny_gan(7).change(["spectral-norm"])},
    "callbacks": {"callbacks": [mg.gan.Every(1, print)]},
}
BAD = {
    "rate": {"learning_rate": -1.0},
    "infinite": {"generator_rate": float("inf")},
    "objective": {"objective": "hing"},
    "setting": {"critic_step": 2},
    "both": {"gradient_penalty": 1.0, "clip": 0.1, "r1": 1.0},
    "clipped": {"clip": 0.1, "spectral_norm": True, "recipe": Recipe()},
    "smoothing": {"objective": "hinge", "label_smoothing": 0.1},
    "not a recipe": {"recipe": {"r1": 1.0}},
    "frozen part": {"freeze": ["generator.0.0", "generator.99"]},
    "all frozen": {"freeze": ["discriminator"]},
    "not names": {"freeze": 3},
    "precision": {"precision": "float16"},
    "of a GPU": {"precision": "bf16"},
    "captured": {"captured": True},
    "device": {"device": "gpux"},
    "start": {"start": mg.models.build("cgan", (28, 28, 1))},
    "no run": {"start": "no-such-run"},
    "one callback": {"callbacks": print},
    "callbacks": {"callbacks": [print]},
    "steps": {"steps": 0},
    "two lengths": {"steps": 1, "epochs": 1},
    "batch": {"batch": 1000},
    "augment": {"augment": "flip"},
    "window": {"augment": Augment(crop=40)},
    "seed": {"seed": -1},
    "out": {"out": __file__},
    "images": {"images": tiny_images()[:, :4]},
    "labels": {"labels": np.zeros(3, int)},
}


def snapshot(gan):
    """All that a fit may change: arrays and where they are, frozen flags, modes, structure and settings."""
    players = {"generator": gan.generator, "discriminator": gan.discriminator}
    modules = [(id(part), part.training) for network in players.values() for _, part in network.named_modules()]
    arrays = {
        f"{player}.{name}": (id(tensor), tensor.device, tensor.requires_grad, tensor.numpy().tobytes())
        for player, network in players.items()
        for named in (network.named_parameters(), network.named_buffers())
        for name, tensor in named
    }
    frozen = {name: len(network.parameters()) for name, network in players.items()}
    return arrays, modules, frozen, gan.changes, gan.average, gan.recipe, gan.device, precision_now()


@given(st.sets(st.sampled_from(sorted(GOOD)), max_size=3), st.sampled_from(sorted(BAD)), st.booleans())
def test_a_refused_fit_changes_nothing(good, bad, changed_before):
    gan = tiny_gan()
    if changed_before:
        gan.change(["spectral-norm"]).freeze(["generator.0.0"])
    before = snapshot(gan)
    settings = {"images": tiny_images(), "steps": 1}
    for name in sorted(good):
        settings |= GOOD[name]
    with pytest.raises((mg.MiniganError, TypeError)):
        fit(gan, **(settings | BAD[bad]))
    assert snapshot(gan) == before


def test_each_refusal_is_one():
    """By itself, so that none above is refused for another's sake alone."""
    for name, settings in BAD.items():
        gan = tiny_gan()
        before = snapshot(gan)
        with pytest.raises(mg.MiniganError):
            fit(gan, **({"images": tiny_images(), "steps": 1} | settings))
        assert snapshot(gan) == before, name


@pytest.mark.parametrize("name", GOOD)
def test_what_is_not_refused_trains(name):
    gan = tiny_gan()
    before = snapshot(gan)
    fit(gan, tiny_images(), steps=1, **GOOD[name])
    assert snapshot(gan) != before


def test_a_recipe_that_only_the_changed_gan_cannot_have_is_refused_too():
    gan, normed = tiny_gan(), tiny_gan(3).change(["spectral-norm"])
    before = snapshot(gan)
    with pytest.raises(mg.gan.TrainingError, match="clipping them has no effect"):
        fit(gan, tiny_images(), steps=1, clip=0.1, start=normed)
    assert snapshot(gan) == before


def test_a_discriminator_that_cannot_be_changed_is_refused_whole():
    gan = tiny_gan()
    gan.discriminator = Sequential(BatchNorm(1))
    before = snapshot(gan)
    with pytest.raises(mg.ShapeError, match="no dense or convolutional layer"):
        fit(gan, tiny_images(), steps=1, minibatch_std=True)
    assert snapshot(gan) == before


def test_a_classifier_is_left_as_it_was_too():
    images, labels = tiny_images(), np.arange(40) % 10
    model = mg.models.build("cnn", (6, 6, 1), classes=10)
    before = model.digest(), [p.requires_grad for p in model.network.parameters()]
    for settings in ({"features": 3}, {"test": 3}, {"out": __file__}, {"callbacks": 3}, {"learning_rate": 0}):
        with pytest.raises(mg.MiniganError):
            mg.classifier.fit(model, images, labels=labels, steps=1, **settings)
    assert (model.digest(), [p.requires_grad for p in model.network.parameters()]) == before
