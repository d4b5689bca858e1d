import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.gan import OBJECTIVES
from minigan.gan.objectives import objective_of

logits = st.lists(st.floats(-30, 30), min_size=1, max_size=8).map(lambda row: np.array(row)[:, None])


def log_sigmoid(x):
    return -np.logaddexp(0, -x)


@given(logits, logits)
def test_non_saturating_losses_are_the_logarithms_they_stand_for(real, fake):
    objective = OBJECTIVES["non-saturating"]
    expected = -log_sigmoid(real).mean() - log_sigmoid(-fake).mean()
    assert objective.discriminator(mg.tensor(real), mg.tensor(fake)).item() == pytest.approx(expected, abs=1e-12)
    assert objective.generator(mg.tensor(fake)).item() == pytest.approx(-log_sigmoid(fake).mean(), abs=1e-12)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_no_logit_is_too_large(size):
    objective = OBJECTIVES["non-saturating"]
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
