import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.gan import OBJECTIVES
from minigan.gan.objectives import objective_of

scores = st.lists(st.floats(-30, 30), min_size=1, max_size=8).map(lambda row: np.array(row)[:, None])
labels = st.sampled_from([1, 0.9, 0.5])


def log_sigmoid(x):
    return -np.logaddexp(0, -x)


FORMULAS = {  # of the discriminator, with the label of real images, and of the generator
    "minimax": (
        lambda real, fake, label: (
            -(label * log_sigmoid(real) + (1 - label) * log_sigmoid(-real)).mean() - log_sigmoid(-fake).mean()
        ),
        lambda fake: log_sigmoid(-fake).mean(),
    ),
    "non-saturating": (
        lambda real, fake, label: (
            -(label * log_sigmoid(real) + (1 - label) * log_sigmoid(-real)).mean() - log_sigmoid(-fake).mean()
        ),
        lambda fake: -log_sigmoid(fake).mean(),
    ),
    "least-squares": (
        lambda real, fake, label: (((real - label) ** 2).mean() + (fake**2).mean()) / 2,
        lambda fake: ((fake - 1) ** 2).mean() / 2,
    ),
    "hinge": (
        lambda real, fake: np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
    "wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
}


def test_the_help_of_train_names_all():
    from minigan.tool import options

    assert set(options.OBJECTIVES) == set(OBJECTIVES)


@pytest.mark.parametrize("name", OBJECTIVES)
@given(scores, scores, labels)
def test_losses_are_the_formulas_they_stand_for(name, real, fake, label):
    objective, (for_discriminator, for_generator) = OBJECTIVES[name], FORMULAS[name]
    given = (label,) if objective.labels else ()
    loss = objective.discriminator(mg.tensor(real), mg.tensor(fake), *given)
    assert loss.item() == pytest.approx(for_discriminator(real, fake, *given), abs=1e-12, rel=1e-12)
    assert objective.generator(mg.tensor(fake)).item() == pytest.approx(for_generator(fake), abs=1e-12, rel=1e-12)


@given(scores, scores)
def test_the_minimax_game_has_one_value(real, fake):
    objective, scores = OBJECTIVES["minimax"], mg.tensor(fake, requires_grad=True)
    to_discriminator = mg.grad(objective.discriminator(mg.tensor(real), scores), scores)
    np.testing.assert_allclose(mg.grad(objective.generator(scores), scores), -to_discriminator, rtol=1e-12)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_no_score_is_too_large(name, size):
    objective = OBJECTIVES[name]
    fake = mg.tensor([[size]], requires_grad=True)
    loss = objective.discriminator(mg.tensor([[size]]), fake) + objective.generator(fake)
    assert math.isfinite(loss.item())
    assert np.isfinite(mg.grad(loss, fake)).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_each_player_gains_by_being_right(name):
    objective = OBJECTIVES[name]
    real, fake = mg.tensor([[0.3]], requires_grad=True), mg.tensor([[0.2]], requires_grad=True)
    to_real, to_fake = mg.grad(objective.discriminator(real, fake), [real, fake])
    assert to_real < 0 < to_fake
    assert mg.grad(objective.generator(fake), fake) < 0


def test_an_unknown_objective_is_told_with_the_nearest():
    with pytest.raises(mg.UnknownNameError, match="did you mean non-saturating"):
        objective_of("nonsaturating")
