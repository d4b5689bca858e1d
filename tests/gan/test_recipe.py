"""Recipes: single settings changed, and combinations that cannot work, with why."""

import numpy as np
import pytest
from tiny_gan import tiny_gan

import minigan as mg
from minigan import nn
from minigan.gan import OBJECTIVES, Recipe, TrainingError
from minigan.gan.recipe import check, words
from minigan.models import GAN


def with_batch_norm():
    gan = tiny_gan()
    gan.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.BatchNorm(8), nn.ReLU(), nn.Linear(8, 1))
    return gan


def test_a_bound_that_is_given_takes_the_others_place():
    assert Recipe(r1=1.0).changed(clip=0.01) == Recipe(clip=0.01)
    assert Recipe(clip=0.01).changed(gradient_penalty=10.0) == Recipe(gradient_penalty=10.0)
    assert Recipe(r1=1.0).changed(gradient_penalty=10.0) == Recipe(gradient_penalty=10.0)
    assert Recipe(gradient_penalty=10.0).changed(r1=2.0) == Recipe(r1=2.0)
    assert Recipe(r1=1.0).changed(gradient_penalty=0.0) == Recipe(r1=1.0)
    both = Recipe().changed(r1=1.0, gradient_penalty=10.0)  # fit says what is wrong with that
    assert (both.r1, both.gradient_penalty) == (1.0, 10.0)


def test_single_settings_are_changed_and_none_leaves_them():
    recipe = Recipe(generator_rate=1.0).changed(critic_steps=5, ema=None, clip=0.0)
    assert recipe == Recipe(generator_rate=1.0, critic_steps=5)


def test_one_learning_rate_is_for_both_players_where_they_have_none_of_their_own():
    both = Recipe().changed(learning_rate=0.5)
    assert (both.generator_rate, both.discriminator_rate) == (0.5, 0.5)
    one = Recipe().changed(learning_rate=0.5, discriminator_rate=0.25)
    assert (one.generator_rate, one.discriminator_rate) == (0.5, 0.25)


def test_a_setting_that_there_is_not_is_told_with_the_nearest():
    with pytest.raises(mg.UnknownNameError, match="did you mean critic_steps"):
        Recipe().changed(critic_step=5)
    with pytest.raises(mg.UnknownNameError, match="did you mean gradient_penalty"):
        mg.gan.fit(tiny_gan(), np.zeros((9, 6, 6, 1), np.uint8), gradient_penalties=1)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    "how",
    [{"gradient_penalty": 10.0}, {"clip": 0.01}, {"spectral_norm": True}, {"minibatch_std": True, "clip": 1.0}],
)
def test_any_objective_works_with_any_of_these(objective, how):
    check(Recipe(objective=objective, **how), tiny_gan())


@pytest.mark.parametrize("objective", [name for name in OBJECTIVES if name != "wasserstein"])
def test_r1_works_with_objectives_that_bound_scores_themselves(objective):
    check(Recipe(objective=objective, r1=1.0), tiny_gan())


@pytest.mark.parametrize(
    ("settings", "gan", "words"),
    [
        (
            {"gradient_penalty": 1.0},
            with_batch_norm,
            r"one image each, but tiny's discriminator has a batch norm \(2\)",
        ),
        ({"objective": "wasserstein", "r1": 1.0}, tiny_gan, "nothing bounds the critic's slope"),
        ({"r1": 1.0, "clip": 0.1}, tiny_gan, r"choose one \(--clip 0, or --r1 0\)"),
        ({"r1": 1.0}, with_batch_norm, "R1 needs scores that depend on one image each"),
        ({"objective": "wasserstein"}, tiny_gan, "nothing bounds the critic.*--gradient-penalty 10"),
        ({"objective": "wasserstein"}, with_batch_norm, r"nothing bounds the critic.*add --clip 0\.01; the others"),
        (
            {"objective": "wasserstein", "spectral_norm": True},
            with_batch_norm,
            r"the others do not bound a batch norm \(2\)",
        ),
        ({"objective": "wasserstein", "label_smoothing": 0.1, "clip": 0.1}, tiny_gan, "nothing to smooth"),
        ({"objective": "hinge", "label_smoothing": 0.1}, tiny_gan, "hinge does not use labels"),
        ({"clip": 0.1, "gradient_penalty": 1.0}, tiny_gan, "both bound the discriminator's slope; choose one"),
        ({"clip": 0.1, "r1": 1.0}, tiny_gan, "both bound the discriminator's slope; choose one"),
        ({"clip": 0.1, "spectral_norm": True}, tiny_gan, "clipping them has no effect"),
        ({"gradient_penalty": 1.0, "r1": 1.0}, tiny_gan, "choose one"),
        ({"optimiser": "sgd"}, tiny_gan, "'sgd', but it must be one of adam, rmsprop"),
        ({"critic_steps": 0}, tiny_gan, "critic steps must be a whole number of at least 1, not 0"),
        ({"critic_steps": 1.5}, tiny_gan, "critic steps must be a whole number"),
        ({"generator_rate": 0.0}, tiny_gan, "generator's learning rate must be above 0"),
        ({"discriminator_rate": float("nan")}, tiny_gan, "discriminator's learning rate must be above 0, not nan"),
        ({"gradient_penalty": -1.0}, tiny_gan, "gradient penalty must be 0"),
        ({"clip": -0.1}, tiny_gan, "clip must be 0"),
        ({"label_smoothing": 0.5}, tiny_gan, "at least 0 and below 0.5"),
        ({"ema": 1.0}, tiny_gan, "ema is 1.0"),
        ({"betas": (0.5, 1.0)}, tiny_gan, "betas are"),
    ],
)
def test_what_cannot_work_says_why(settings, gan, words):
    with pytest.raises(TrainingError, match=words):
        check(Recipe(**settings), gan())


def test_a_discriminator_that_is_normed_already_counts():
    gan = tiny_gan().change(["spectral-norm"])
    check(Recipe(objective="wasserstein"), gan)
    with pytest.raises(TrainingError, match="clipping them has no effect"):
        check(Recipe(clip=0.1), gan)


@pytest.mark.parametrize(
    "how", [{"objective": "wasserstein", "clip": 0.01}, {"objective": "hinge", "spectral_norm": True}]
)
def test_a_batch_norm_goes_with_these(how):
    check(Recipe(**how), with_batch_norm())


def test_an_unknown_objective_is_told():
    with pytest.raises(mg.UnknownNameError, match="did you mean wasserstein"):
        check(Recipe(objective="waserstein"), tiny_gan())


def test_a_recipe_in_words_and_as_json():
    recipe = Recipe(objective="wasserstein", critic_steps=5, gradient_penalty=10.0, generator_rate=1e-4)
    assert words(recipe) == {
        "objective": "wasserstein",
        "optimiser": "Adam, learning rates 0.0001 (generator) and 0.0002, betas 0.5, 0.999",
        "besides": "5 critic steps per generator step, gradient penalty 10",
    }
    assert words(Recipe(optimiser="rmsprop"))["optimiser"] == "RMSprop, learning rate 0.0002"
    assert recipe.plain()["betas"] == [0.5, 0.999]
    own = Recipe(objective=OBJECTIVES["hinge"])
    assert own.plain()["objective"] == "hinge"


def test_every_model_has_a_recipe_that_works():
    for name in mg.models.available():
        gan = mg.models.build(name, (32, 32, 1), classes=10)
        if isinstance(gan, GAN):
            check(gan.recipe, gan)
