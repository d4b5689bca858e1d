"""The vae has the loss that PyTorch's distributions give, in closed form and by drawing, and its gradients too."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F
from weights_in_torch import assert_gradients_close, fill, gradients_of

import minigan as mg

SHAPE, LATENT = (7, 5, 2), 100


class Vae(nn.Module):
    """As one would write it with images flat and channels last; sigmoid and tanh written as the loss needs them."""

    def __init__(self):
        super().__init__()
        pixels = int(np.prod(SHAPE))
        self.encoder = nn.Sequential(
            *(nn.Linear(pixels, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2)),
            nn.Linear(128, 2 * LATENT),
        )
        self.decoder = nn.Sequential(
            *(nn.Linear(LATENT, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, pixels))
        )
        self.double()

    def losses(self, images, noise):
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        latent = Normal(mean, (0.5 * log_variance).exp())
        shown = torch.tanh(self.decoder(mean + latent.scale * noise))
        white = (shown + 1) / 2
        reconstruction = F.binary_cross_entropy(white, (images + 1) / 2, reduction="sum") / len(images)
        return reconstruction, kl_divergence(latent, Normal(0.0, 1.0)).sum(1).mean()


@pytest.fixture
def pair():
    ours = mg.models.build("vae", SHAPE, seed=3)
    for network in ours.networks().values():
        network.astype(np.float64)
    theirs = Vae()
    fill(theirs.encoder, ours.encoder)
    fill(theirs.decoder, ours.decoder)
    return ours, theirs


def test_both_parts_of_the_loss_and_one_steps_gradients_are_equal(pair, rng):
    ours, theirs = pair
    images, noise = rng.uniform(-1, 1, (6, *SHAPE)), rng.standard_normal((6, LATENT))
    losses = ours.losses(mg.tensor(images), mg.tensor(noise))
    expected = theirs.losses(torch.from_numpy(images.reshape(6, -1)), torch.from_numpy(noise))
    for mine, other in zip(losses, expected, strict=True):
        assert mine.item() == pytest.approx(other.item(), rel=1e-12)
    sum(expected).backward()
    for name, network in ours.networks().items():
        gradients = mg.grad(losses[0] + losses[1], network.parameters(), retain_graph=True)
        assert_gradients_close(network, gradients, gradients_of(getattr(theirs, name), network))


def test_generated_and_reconstructed_images_are_equal(pair, rng):
    ours, theirs = pair
    noise, images = rng.standard_normal((4, LATENT)), rng.uniform(-1, 1, (4, *SHAPE)).astype(np.float32)
    generated = torch.tanh(theirs.decoder(torch.from_numpy(noise))).detach().numpy().reshape(4, *SHAPE)
    np.testing.assert_allclose(ours.generate(mg.tensor(noise)), generated, rtol=1e-11)
    mean = theirs.encoder(torch.from_numpy(images.reshape(4, -1).astype(float)))[:, :LATENT]
    expected = torch.tanh(theirs.decoder(mean)).detach().numpy().reshape(4, *SHAPE)
    np.testing.assert_allclose(ours.reconstruct(images), expected, rtol=1e-11)


def test_the_divergence_in_closed_form_is_what_drawing_gives(rng):
    """The mean of log q(z) - log p(z) over two million draws, by PyTorch's densities, within four standard errors."""
    mean, log_variance = rng.normal(0, 1, (2, 3)), rng.normal(0, 0.7, (2, 3))
    q = Normal(torch.from_numpy(mean), torch.from_numpy(np.exp(log_variance / 2)))
    z = q.loc + q.scale * torch.from_numpy(rng.standard_normal((350_000, 2, 3)))
    differences = (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(2).mean(1)
    error = differences.std().item() / np.sqrt(len(differences))
    ours = mg.standard_normal_divergence(mg.tensor(mean), mg.tensor(log_variance)).item()
    assert abs(ours - differences.mean().item()) <= 4 * error < 0.05
