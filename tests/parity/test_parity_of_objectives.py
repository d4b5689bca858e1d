"""The objectives' values and gradients are those of PyTorch's formulas for them."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import minigan as mg
from minigan.gan import OBJECTIVES


def entropy(scores, label):
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


THEIRS = {  # of the discriminator, with the label of real images, and of the generator
    "minimax": (
        lambda real, fake, label: entropy(real, label) + entropy(fake, 0.0),
        lambda fake: torch.log(1 - torch.sigmoid(fake)).mean(),
    ),
    "non-saturating": (
        lambda real, fake, label: entropy(real, label) + entropy(fake, 0.0),
        lambda fake: -F.logsigmoid(fake).mean(),
    ),
    "least-squares": (
        lambda real, fake, label: (
            0.5 * (F.mse_loss(real, torch.full_like(real, label)) + F.mse_loss(fake, torch.zeros_like(fake)))
        ),
        lambda fake: 0.5 * F.mse_loss(fake, torch.ones_like(fake)),
    ),
    "hinge": (
        lambda real, fake, label: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
    "wasserstein": (lambda real, fake, label: fake.mean() - real.mean(), lambda fake: -fake.mean()),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("label", [1.0, 0.9])
def test_values_and_gradients_are_equal(name, label, rng):
    objective, (for_discriminator, for_generator) = OBJECTIVES[name], THEIRS[name]
    arrays = [rng.normal(0, 3, (17, 1)) for _ in range(2)]
    real, fake = (mg.tensor(array, requires_grad=True) for array in arrays)
    their_real, their_fake = (torch.from_numpy(array).requires_grad_() for array in arrays)

    loss = objective.discriminator(real, fake, *([label] if objective.labels else []))
    expected = for_discriminator(their_real, their_fake, label)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    theirs = torch.autograd.grad(expected, [their_real, their_fake])
    for ours, reference in zip(mg.grad(loss, [real, fake]), theirs, strict=True):
        np.testing.assert_allclose(ours, reference.numpy(), rtol=1e-11, atol=1e-15)

    loss, expected = objective.generator(fake), for_generator(their_fake)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    (reference,) = torch.autograd.grad(expected, [their_fake])
    np.testing.assert_allclose(mg.grad(loss, fake), reference.numpy(), rtol=1e-11, atol=1e-15)
