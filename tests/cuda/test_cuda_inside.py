"""What is seen inside a network on a device (simulated.py says which) is what is seen on the CPU."""

import numpy as np
import pytest
from simulated import DEVICE

import minigan as mg
from minigan import inside

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (4, 8, 8, 1), np.uint8)


def seen_in_a_classifier(device):
    judge = mg.models.build("cnn", (8, 8, 1), classes=3).to(device)
    return inside.views(judge, IMAGES, 6, maps=2, top=2).views, inside.saliency(judge, IMAGES)


def seen_in_a_vae(device):
    vae = mg.models.build("vae", (4, 4, 1), latent_size=4).to(device)
    found = inside.directions(vae, 2, points=1)
    images = inside.interpolate(vae, *inside.ends(vae, 2), steps=3)
    return found.vectors, found.gains, images / np.float32(255)


@pytest.mark.parametrize("seen", [seen_in_a_classifier, seen_in_a_vae])
def test_on_a_device(seen):
    for ours, expected in zip(seen(DEVICE), seen("cpu"), strict=True):
        assert type(ours) is np.ndarray
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-2 * np.abs(expected).max())
