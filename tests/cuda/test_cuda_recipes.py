"""Every kind of recipe trains on the device of simulated.py as on the CPU, up to rounding, and leaves nothing there."""

import numpy as np
import pytest
from simulated import DEVICE

from minigan import random
from minigan.data import Batches
from minigan.devices import device_of
from minigan.gan import Recipe, Trainer
from minigan.models.cgan import cgan
from minigan.models.gan import GAN
from minigan.nn import BatchNorm, Flatten, LeakyReLU, Linear, Reshape, Sequential, Tanh

SHAPE, BATCH, STEPS = (6, 6, 1), 4, 2
RECIPES = {
    "gradient penalty": Recipe("wasserstein", critic_steps=2, gradient_penalty=10.0, instance_noise=0.1),
    "r1": Recipe("least-squares", r1=1.0, label_smoothing=0.1),
    "clip": Recipe("wasserstein", "rmsprop", clip=0.05),
    "spectral norm": Recipe("hinge", spectral_norm=True, minibatch_std=True, ema=0.5),
}


def small_gan():
    rng = random.derived(0, "init")
    generator = Sequential(Linear(5, 8, rng=rng), BatchNorm(8), LeakyReLU(0.2), Linear(8, 36, rng=rng), Tanh())
    discriminator = Sequential(Flatten(), Linear(36, 8, rng=rng), LeakyReLU(0.2), Linear(8, 1, rng=rng))
    return GAN("small", Sequential(generator, Reshape(*SHAPE)), discriminator, SHAPE, latent_size=5)


def trained(gan, recipe, device):
    images = np.random.default_rng(0).uniform(-1, 1, (16, *gan.image_shape)).astype(np.float32)
    batches = Batches(images, None if gan.classes is None else np.arange(16) % gan.classes, batch_size=BATCH, ahead=0)
    trainer = Trainer(gan.to(device), batches, steps=STEPS, recipe=recipe)
    records = [trainer.play(*next(batches)) for _ in range(STEPS)]
    return gan, records


def assert_trained_alike(make, recipe):
    (here, ours), (there, theirs) = trained(make(), recipe, "cpu"), trained(make(), recipe, DEVICE)
    for record, other in zip(ours, theirs, strict=True):
        assert other == pytest.approx(record, rel=1e-3, abs=1e-4)
    for player, network in here.networks().items():
        for (name, array), other in zip(
            network.named_parameters(), dict(there.networks()[player].named_parameters()).values(), strict=True
        ):
            assert device_of(other.data) == DEVICE
            distance = np.linalg.norm(other.numpy() - array.numpy())
            assert distance <= 1e-3 * np.linalg.norm(array.numpy()) + 1e-6, (player, name)
    buffers = [t for network in there.networks().values() for _, t in network.named_buffers()]
    assert {t.device for t in buffers} == {DEVICE}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_on_the_device(name):
    assert_trained_alike(small_gan, RECIPES[name])


def test_classes_on_the_device():
    def make():
        return cgan((28, 28, 1), random.derived(0, "init"), classes=3, maps=4)

    assert_trained_alike(make, make().recipe)
