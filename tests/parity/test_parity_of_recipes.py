"""Training steps by every kind of recipe, from the same weights on the same draws: in float64 both engines agree."""

import numpy as np
import pytest
import torch

from benchmarks.peers import torch_gan, torch_recipes
from minigan import models, random
from minigan.autograd.tensor import Tensor
from minigan.data import Batches
from minigan.gan import Recipe, Trainer
from minigan.models.gan import CHANGES

STEPS, BATCH = 4, 8
PENALISED = {"objective": "wasserstein", "gradient_penalty": 10.0, "critic_steps": 3, "betas": (0.5, 0.9)}
CASES = {
    "wgan-gp": ("wgan", PENALISED),
    "wgan-clip": ("wgan-clip", {}),
    "minimax-r1": ("mlp-gan", {"objective": "minimax", "r1": 5.0}),
    "least-squares-smoothed": ("mlp-gan", {"objective": "least-squares", "label_smoothing": 0.1}),
    "hinge-spectral": ("dcgan", {"objective": "hinge", "spectral_norm": True, "ema": 0.9}),
    "hinge-spectral-penalty": ("wgan", {**PENALISED, "objective": "hinge", "spectral_norm": True}),
    "minibatch-std": ("dcgan", {"minibatch_std": True, "generator_rate": 1e-3}),
    "everything-dense": ("wgan", {"minibatch_std": True, "spectral_norm": True, "ema": 0.5, "critic_steps": 2}),
    "dense-conv-gan": ("dense-conv-gan", {}),
    "mlp-gan": ("mlp-gan", {}),
    "rgan": ("rgan", {}),
}


def in_float64(gan):
    for player in ("generator", "discriminator"):
        getattr(gan, player).astype(np.float64)
    gan.noise = lambda count, rng, draw=gan.noise: Tensor(draw(count, rng).numpy().astype(np.float64))
    return gan


def channels_first(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def theirs_draws(gan, recipe, batches, noise, mixing):
    """What the other engine's step is given: the same streams, drawn from in the same order."""
    for _ in range(recipe.critic_steps):
        draw = {"real": channels_first(next(batches)[0].astype(np.float64))}
        draw["noise"] = torch.from_numpy(noise.standard_normal((BATCH, gan.latent_size)).astype(np.float64))
        if recipe.gradient_penalty:
            draw["mixing"] = torch.from_numpy(mixing.random((BATCH, 1, 1, 1)).astype(np.float64))
        yield draw


class Doubles(Batches):
    """The same batches in float64."""

    def __next__(self):
        images, labels = super().__next__()
        return images.astype(np.float64), labels


@pytest.mark.parametrize("name", CASES)
def test_steps_are_equal(name, rng):
    model, settings = CASES[name]
    size = models.size_for(model, 28, 28) or 28
    gan = models.build(model, (size, size, 1), seed=2)
    recipe: Recipe = gan.recipe.changed(**settings)
    wanted = {"spectral-norm": recipe.spectral_norm, "minibatch-std": recipe.minibatch_std}
    gan.change([change for change in CHANGES if wanted[change]])
    in_float64(gan)
    theirs = torch_recipes.RecipeTraining(gan, recipe)
    images = rng.uniform(-1, 1, (40, *gan.image_shape)).astype(np.float32)
    trainer = Trainer(gan, Doubles(images, batch_size=BATCH), steps=STEPS, seed=1, recipe=recipe)
    batches, noise, mixing = Batches(images, batch_size=BATCH), random.Philox(1, "noise"), random.Philox(1, "mixing")

    for _ in range(STEPS):
        record = trainer.train_step(*next(trainer.batches))
        expected = theirs.step(list(theirs_draws(gan, recipe, batches, noise, mixing)))
        assert (record["discriminator_loss"], record["generator_loss"]) == pytest.approx(expected, rel=1e-7)
    reference = theirs.parameters()
    assert set(reference) == set(gan.networks())
    for player, network in gan.networks().items():
        arrays = torch_gan.from_torch(network, reference[player])
        for (parameter, ours), other in zip(network.named_parameters(), arrays, strict=True):
            distance = np.linalg.norm(ours.numpy() - other) / np.linalg.norm(other)
            assert distance <= 1e-7, (player, parameter)
