"""The conditional GAN beside the same networks in PyTorch: class-conditional batch norm, projection, spectral norm."""

import numpy as np
import pytest
import torch
from torch import nn as tnn
from torch.nn import functional as F

import minigan as mg
from benchmarks.peers import torch_gan
from minigan import models, nn
from minigan.gan import Trainer

SIZES = [(28, 1), (32, 3)]
BATCH = 6


class ClassNorm(tnn.Module):
    def __init__(self, layer):
        super().__init__()
        self.norm = tnn.BatchNorm2d(layer.channels, affine=False)
        self.scale, self.shift = (tnn.Parameter(torch.from_numpy(t.numpy().copy())) for t in (layer.scale, layer.shift))

    def forward(self, x, labels):
        return self.norm(x) * self.scale[labels][:, :, None, None] + self.shift[labels][:, :, None, None]


class Generator(tnn.Module):
    """The layers between the conditional batch norms translated, one by one."""

    def __init__(self, generator):
        super().__init__()
        layers = list(generator.layers)
        self.classes = tnn.Parameter(torch.from_numpy(generator.classes.weight.numpy().copy()))
        together = torch_gan.translated(nn.Sequential(*[k for k in layers if type(k) is not nn.ConditionalBatchNorm]))
        rest = iter(together)
        self.layers = tnn.ModuleList(
            [ClassNorm(layer) if isinstance(layer, nn.ConditionalBatchNorm) else next(rest) for layer in layers]
        )

    def forward(self, x, labels):
        x = torch.cat([x, self.classes[labels]], 1)
        for layer in self.layers:
            x = layer(x, labels) if isinstance(layer, ClassNorm) else layer(x)
        return x


class Discriminator(tnn.Module):
    def __init__(self, discriminator):
        super().__init__()
        self.features = torch_gan.translated(discriminator.features)[:-1]
        self.discriminator = discriminator
        last = nn.Sequential(*discriminator.features, discriminator.score)
        self.score = torch_gan.translated(last)[-1]
        side = round((discriminator.classes.layer.weight.shape[1] // self.features[-2].out_channels) ** 0.5)
        rows = discriminator.classes.layer.weight.numpy().reshape(10, side, side, -1).transpose(0, 3, 1, 2)
        self.rows = torch.nn.utils.parametrizations.spectral_norm(tnn.Embedding(10, rows[0].size).double())
        with torch.no_grad():
            self.rows.parametrizations.weight.original.copy_(torch.from_numpy(rows.reshape(10, -1).copy()))
        state = self.rows.parametrizations.weight[0]  # its outputs are the rows, ours the columns
        left = discriminator.classes.left.numpy().reshape(side, side, -1).transpose(2, 0, 1).ravel()
        state._u.copy_(torch.from_numpy(discriminator.classes.right.numpy()))
        state._v.copy_(torch.from_numpy(left.copy()))

    def forward(self, x, labels):
        features = self.features(x).flatten(1)
        return self.score(features) + (features * self.rows(labels)).sum(1, keepdim=True)


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}")
def both(request):
    """Our networks in float64 with estimates that hold, and PyTorch's in use: no power iterations on either side."""
    size, channels = request.param
    gan = models.build("cgan", (size, size, channels), seed=3, classes=10).change(["spectral-norm"])
    rng = np.random.default_rng(1)
    for network in (gan.generator, gan.discriminator):
        network.astype(np.float64)
    for module in (m for _, m in gan.generator.named_modules() if isinstance(m, nn.ConditionalBatchNorm)):
        module.scale.data += rng.normal(0, 0.3, module.scale.shape)
        module.shift.data += rng.normal(0, 0.3, module.shift.shape)
    gan.discriminator.eval()
    return gan, Generator(gan.generator).double(), Discriminator(gan.discriminator).eval()


def channels_first(images):
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def test_losses_and_gradients_of_a_step(both, rng):
    gan, generator, discriminator = both
    labels = rng.integers(0, 10, BATCH)
    real = rng.uniform(-1, 1, (BATCH, *gan.image_shape))
    gan.noise = lambda count, stream: mg.tensor(np.random.default_rng(5).standard_normal((count, 100)))
    trainer = Trainer(gan, None, steps=1)
    drawn = trainer.drawn(real, labels)
    fake = trainer.generated(drawn)
    critic, update = trainer.discriminator_update(drawn, fake.detach()), trainer.generator_update(drawn, fake)

    given = torch.from_numpy(labels)
    their_fake = generator(torch.from_numpy(drawn.noise.numpy()), given)
    np.testing.assert_allclose(fake.numpy(), their_fake.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-9, atol=1e-12)
    scores = discriminator(channels_first(real), given), discriminator(their_fake.detach(), given)
    expected = F.relu(1 - scores[0]).mean() + F.relu(1 + scores[1]).mean()
    assert critic.loss.item() == pytest.approx(expected.item(), rel=1e-10)
    theirs = [p.original for p in (discriminator.features[0].parametrizations.weight,)]
    theirs += [discriminator.rows.parametrizations.weight.original]
    references = torch.autograd.grad(expected, theirs)
    named = dict(zip((n for n, _ in gan.discriminator.named_parameters()), critic.gradients, strict=True))
    compare(named["features.0.layer.weight"].transpose(3, 2, 0, 1), references[0])
    rows = named["classes.layer.weight"]
    side = round((rows.shape[1] // gan.discriminator.features[-3].layer.outputs) ** 0.5)
    compare(rows.reshape(10, side, side, -1).transpose(0, 3, 1, 2).reshape(10, -1), references[1])

    generator_loss = -discriminator(their_fake, given).mean()
    assert update.loss.item() == pytest.approx(generator_loss.item(), rel=1e-10)
    norms = [layer for layer in generator.layers if isinstance(layer, ClassNorm)]
    last = generator.layers[-2].weight
    references = torch.autograd.grad(generator_loss, [norms[-1].scale, norms[-1].shift, last, generator.classes])
    named = dict(zip((n for n, _ in gan.generator.named_parameters()), update.gradients, strict=True))
    final = len(generator.layers) - 2
    compare(named[f"layers.{final - 2}.scale"], references[0])
    compare(named[f"layers.{final - 2}.shift"], references[1])
    compare(named[f"layers.{final}.weight"].transpose(3, 2, 0, 1), references[2])
    compare(named["classes.weight"], references[3])


def compare(ours, reference):
    reference = reference.detach().numpy()
    assert np.linalg.norm(ours - reference) <= 1e-9 * np.linalg.norm(reference)
