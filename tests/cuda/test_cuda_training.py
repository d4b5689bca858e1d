"""A GAN trained through the CUDA kernels, on the device of simulated.py: its steps are the CPU's up to rounding."""

import numpy as np
import pytest
from simulated import DEVICE, SIMULATED

import minigan as mg
from minigan import random
from minigan.devices import device_of, to_cpu
from minigan.gan import Trainer
from minigan.models.dcgan import dcgan

STEPS, BATCH, SHAPE = 20, 4, (28, 28, 1)
NETWORKS = "generator", "discriminator"


def small_dcgan(dtype=np.float32):
    gan = dcgan(SHAPE, random.derived(0, "init"), maps=16)
    for name in NETWORKS:
        getattr(gan, name).astype(dtype)
    draw = gan.noise
    gan.noise = lambda count, rng: draw(count, rng).astype(dtype)
    return gan


def images(dtype):
    return np.random.default_rng(0).uniform(-1, 1, (STEPS, BATCH, *SHAPE)).astype(np.float32).astype(dtype)


def trained(gan, dtype=np.float32):
    trainer = Trainer(gan, None, steps=STEPS)
    records = [trainer.train_step(batch) for batch in images(dtype)]
    return np.concatenate([p.numpy().ravel() for name in NETWORKS for p in getattr(gan, name).parameters()]), records


@pytest.fixture(scope="module")
def on_device():
    gan = small_dcgan().to(DEVICE)
    return gan, *trained(gan)


def test_twenty_steps_stray_no_further_than_rounding_takes_the_cpu(on_device):
    exact, _ = trained(small_dcgan(np.float64), np.float64)
    ours, _ = trained(small_dcgan())
    rounding = np.linalg.norm(ours - exact)
    assert rounding > 0
    assert np.linalg.norm(on_device[1] - ours) <= 3 * rounding


def test_all_of_it_stays_on_the_device(on_device):
    gan, _, records = on_device
    for name in NETWORKS:
        network = getattr(gan, name)
        assert {t.device for _, t in (*network.named_parameters(), *network.named_buffers())} == {DEVICE}
    assert all(np.isfinite(list(record.values())).all() for record in records)


def test_first_gradients_are_the_cpus():
    found = {}
    for device in ("cpu", DEVICE):
        gan = small_dcgan().to(device)
        real = mg.tensor(images(np.float32)[0], device=device)
        fake = gan.generator(gan.noise(BATCH, random.Philox(0, "noise")))
        objective = Trainer(gan, None, steps=1).objective
        d_loss = objective.discriminator(gan.discriminator(real), gan.discriminator(fake.detach()))
        g_loss = objective.generator(gan.discriminator(fake))
        gradients = [
            *mg.grad(d_loss, gan.discriminator.parameters()),
            *mg.grad(g_loss, gan.generator.parameters()),
        ]
        assert {device_of(g) for g in gradients} == {device}
        found[device] = [to_cpu(g) for g in gradients]
    for ours, expected in zip(found[DEVICE], found["cpu"], strict=True):
        assert np.linalg.norm(ours - expected) <= 1e-4 * np.linalg.norm(expected)


def test_a_run_on_a_device_is_saved_and_goes_on_anywhere(tmp_path):
    if not SIMULATED:  # a machine that is lent has what trains, and need not have what keeps runs
        for package in ("safetensors", "PIL", "jinja2", "matplotlib"):
            pytest.importorskip(package)
    from minigan.gan import fit

    gan = dcgan(SHAPE, random.derived(0, "init"), maps=4)
    pixels = np.random.default_rng(0).integers(0, 256, (8, *SHAPE), np.uint8)
    result = fit(gan, pixels, steps=2, batch=4, device=DEVICE, out=tmp_path / "run")
    assert result.settings["device"] == gan.device == DEVICE
    there = result.sample(3)
    loaded = mg.gan.load(tmp_path / "run", into=dcgan(SHAPE, random.derived(1, "init"), maps=4))
    assert loaded.device == "cpu"
    on_cpu = mg.gan.sample(loaded, 3)
    assert np.abs(there.astype(int) - on_cpu).max() <= 1  # a level of 256
