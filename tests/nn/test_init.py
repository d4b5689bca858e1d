"""Initialisers have the moments that they promise."""

import numpy as np
import pytest

from minigan import nn
from minigan.nn import init

SHAPE, FAN_IN, FAN_OUT = (5, 5, 32, 64), 800, 400


@pytest.mark.parametrize(
    ("initialiser", "mean", "deviation"),
    [
        (init.normal(0.02), 0, 0.02),
        (init.normal(0.02, 1.0), 1, 0.02),
        (init.uniform(-1, 3), 1, 4 / 12**0.5),
        (init.constant(3), 3, 0),
        (init.lecun_uniform(), 0, (1 / 3 / FAN_IN) ** 0.5),
        (init.glorot_uniform(), 0, (2 / (FAN_IN + FAN_OUT)) ** 0.5),
        (init.glorot_normal(2.0), 0, 2 * (2 / (FAN_IN + FAN_OUT)) ** 0.5),
        (init.he_uniform(0.2), 0, (2 / 1.04 / FAN_IN) ** 0.5),
        (init.he_normal(), 0, (2 / FAN_IN) ** 0.5),
    ],
)
def test_mean_and_deviation(initialiser, mean, deviation):
    weights = initialiser(np.random.default_rng(0), SHAPE, FAN_IN, FAN_OUT)
    assert weights.shape == SHAPE
    assert weights.mean() == pytest.approx(mean, abs=5 * deviation / weights.size**0.5)
    assert weights.std() == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 2, 3, 5)])
def test_orthogonal_weights_are_orthogonal(shape):
    weights = init.orthogonal(2.0)(np.random.default_rng(0), shape, 1, 1).reshape(-1, shape[-1])
    gram = weights.T @ weights if weights.shape[0] >= weights.shape[1] else weights @ weights.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (lambda: nn.Linear(300, 200), 300),
        (lambda: nn.Conv2d(24, 64, 4, groups=2), 4 * 4 * 12),
        # each output of a stride-2 transposed convolution meets a quarter of the taps
        (lambda: nn.ConvTranspose2d(48, 64, 4, stride=2), 4 * 48),
    ],
)
def test_fans_are_counted_as_the_layer_computes(layer, fan_in):
    """One input of unit variance then gives an output of variance 1/3 with the usual initialiser."""
    weight = layer().weight.numpy()
    assert weight.dtype == np.float32
    assert np.abs(weight).max() == pytest.approx(fan_in**-0.5, rel=0.01)
