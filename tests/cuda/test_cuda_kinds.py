"""Classifiers, VAEs and restoring networks trained through the CUDA kernels: their steps are the CPU's, but rounded."""

import numpy as np
import pytest
from simulated import DEVICE, SIMULATED

import minigan as mg

CASES = {
    "cnn": (mg.classifier.fit, "cnn", {}),
    "deconvnet classifier": (mg.classifier.fit, "deconvnet", {"filters": 4}),
    "vae": (mg.vae.fit, "vae", {"latent_size": 5}),
    **{task: (mg.restoration.fit, "deconvnet", {"task": task, "filters": 4}) for task in mg.restoration.TASKS},
    "adversarial": (mg.restoration.fit, "deconvnet", {"task": "completion", "filters": 4, "adversarial": 0.1}),
}


@pytest.fixture(scope="module")
def glyphs():
    return mg.data.glyphs(12, size=8)


@pytest.mark.parametrize("case", CASES)
def test_two_steps_are_the_cpus(case, glyphs):
    fit, name, options = CASES[case]
    if case == "super-resolution" and not SIMULATED:  # a machine that is lent need not have it
        pytest.importorskip("PIL")
    here, there = (fit(name, glyphs, steps=2, batch=4, device=device, **options) for device in ("cpu", DEVICE))
    assert there.model.device == DEVICE
    for ours, expected in zip(there.history, here.history, strict=True):
        for key in set(ours) - {"seconds"}:
            assert ours[key] == pytest.approx(expected[key], rel=1e-4), key
    for player, network in here.model.networks().items():
        state = there.model.networks()[player].state_dict()
        for key, array in network.state_dict().items():
            np.testing.assert_allclose(state[key], array, rtol=1e-3, atol=1e-5, err_msg=f"{player}.{key}")


def test_what_they_make_is_the_cpus(glyphs):
    images, hole = glyphs.images[:3], np.zeros((3, 8, 8), bool)
    hole[:, 2:5, 3:6] = True

    def made(device):
        classifier = mg.models.build("cnn", (8, 8, 1)).to(device)
        vae = mg.models.build("vae", (8, 8, 1)).to(device)
        restorer = mg.models.build("deconvnet", (8, 8, 1), task="completion").to(device)
        return (
            classifier.logits(images),
            classifier.features(images),
            mg.vae.sample(vae, 3) / 255,
            vae.reconstruct(images),
            np.array(vae.bound(images, mg.random.Philox(0, "metrics"))),
            mg.restoration.predict(restorer, images, hole) / 255,
        )

    for there, here in zip(made(DEVICE), made("cpu"), strict=True):
        assert type(there) is np.ndarray
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1 / 254)
