"""Every kind of recipe trains on the device of simulated.py as on the CPU, up to rounding, and leaves nothing there."""

import numpy as np
import pytest
from simulated import DEVICE

from minigan import random
from minigan.data import Batches
from minigan.devices import device_of
from minigan.errors import DivergedError, TrainingError
from minigan.gan import Recipe, Trainer
from minigan.models.cgan import cgan
from minigan.models.dcgan import dcgan
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


def trained(gan, recipe, device, steps=STEPS, **settings):
    images = np.random.default_rng(0).uniform(-1, 1, (16, *gan.image_shape)).astype(np.float32)
    batches = Batches(images, None if gan.classes is None else np.arange(16) % gan.classes, batch_size=BATCH, ahead=0)
    trainer = Trainer(gan.to(device), batches, steps=steps, recipe=recipe, **settings)
    records = []
    for trainer.step in range(steps):
        records.append(trainer.train_step(*next(batches)))
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


def small_cgan():
    return cgan((28, 28, 1), random.derived(0, "init"), classes=3, maps=4)


def test_classes_on_the_device():
    assert_trained_alike(small_cgan, small_cgan().recipe)


@pytest.mark.parametrize("name", [*RECIPES, "cgan", "cgan with noise"])
def test_captured_steps_are_the_uncaptured_ones(name):
    """To the bit: the first step is as it is, the second captured, the others replayed."""
    make = small_gan if name in RECIPES else small_cgan
    recipe = RECIPES.get(name) or make().recipe.changed(instance_noise=0.1 * (name != "cgan"))
    (one, expected), (other, found) = (trained(make(), recipe, DEVICE, 4, captured=c) for c in (False, True))
    assert found == expected
    assert len({record["generator_loss"] for record in found}) == 4
    for player, network in one.networks().items():
        theirs = other.networks()[player].state_dict()
        for tensor, array in network.state_dict().items():
            np.testing.assert_array_equal(theirs[tensor], array, err_msg=f"{player} {tensor}")


def test_a_captured_step_tells_of_a_loss_that_is_no_number():
    images = np.random.default_rng(0).uniform(-1, 1, (BATCH, *SHAPE)).astype(np.float32)
    trainer = Trainer(small_gan().to(DEVICE), None, steps=3, captured=True)
    trainer.train_step(images), trainer.train_step(images)
    trainer.gan.generator[0][0].weight.data.fill(np.nan)
    with pytest.raises(DivergedError, match=r"generator's 0\.0\.weight"):
        trainer.train_step(images)


@pytest.mark.parametrize("settings", [{"captured": True}, {"precision": "tf32"}])
def test_what_only_a_gpu_has_is_refused_on_the_cpu(settings):
    with pytest.raises(TrainingError, match=r"needs a GPU.*--device"):
        Trainer(small_gan(), None, steps=1, **settings)


@pytest.mark.slow
def test_a_trainers_precision_is_that_of_its_products():
    images = np.random.default_rng(0).uniform(-1, 1, (BATCH, 28, 28, 1)).astype(np.float32)
    losses = []
    for precision in ("float32", "bf16"):
        gan = dcgan((28, 28, 1), random.derived(0, "init"), maps=32).to(DEVICE)
        losses.append(Trainer(gan, None, steps=1, precision=precision).train_step(images)["discriminator_loss"])
    assert 1e-6 < abs(losses[0] - losses[1]) < 0.05
