import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.gan.objectives import gradient_penalty, r1


def images(rng, count=5):
    return mg.tensor(rng.uniform(-1, 1, (count, 3, 2, 1)))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def linear(slope):
    """A critic whose gradient is the same everywhere."""
    return lambda x: (x.reshape(len(x), -1) @ slope).reshape(-1, 1)


@pytest.mark.parametrize("length", [0.0, 0.5, 1.0, 3.0])
def test_of_a_plane_it_is_known(length, rng):
    slope = rng.standard_normal(6)
    slope *= length / np.linalg.norm(slope)
    real, fake, mixing = images(rng), images(rng), rng.random((5, 1, 1, 1))
    critic = linear(mg.tensor(slope))
    assert gradient_penalty(critic, real, fake, mixing).item() == pytest.approx((length - 1) ** 2, abs=1e-5)
    real.requires_grad = True
    assert r1(critic(real), real).item() == pytest.approx(length**2)


def test_a_critic_without_any_slope_has_a_gradient_still(rng):
    slope = mg.tensor(np.zeros(6), requires_grad=True)
    penalty = gradient_penalty(linear(slope), images(rng), images(rng), rng.random((5, 1, 1, 1)))
    assert np.isfinite(mg.grad(penalty, slope)).all()


def test_points_lie_between_real_and_generated_images_by_their_shares(rng):
    seen, real, fake = [], images(rng), images(rng)
    mixing = np.array([0, 0.25, 0.5, 0.75, 1]).reshape(-1, 1, 1, 1)

    def critic(points):
        seen.append(points.numpy())
        return points.reshape(len(points), -1).sum(axis=1)

    gradient_penalty(critic, real, fake, mixing)
    np.testing.assert_allclose(seen[0], mixing * real.numpy() + (1 - mixing) * fake.numpy())


def test_gradients_in_the_parameters_are_those_of_differences(rng):
    """Of the penalty as a whole, without a second implementation of it."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1)).astype(np.float64)
    real, fake, mixing = images(rng), images(rng), rng.random((5, 1, 1, 1))
    real.requires_grad = True
    values = {
        "gradient penalty": lambda: gradient_penalty(network, real, fake, mixing),
        "r1": lambda: r1(network(real), real),
    }
    for name, value in values.items():
        gradients = mg.grad(value(), network.parameters(), allow_unused=True)
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            direction, before = rng.standard_normal(parameter.shape), parameter.data.copy()
            ends = []
            for sign in (1, -1):
                parameter.data[...] = before + sign * 1e-5 * direction
                ends.append(value().item())
            parameter.data[...] = before
            slope = 0.0 if gradient is None else np.vdot(gradient, direction)
            assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6, abs=1e-8), name
