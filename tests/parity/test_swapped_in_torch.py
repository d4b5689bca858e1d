"""Discriminators swapped: the same errors where PyTorch runs the same weights and torchmetrics counts, and the same
intervals as SciPy's where there are many errors."""

import numpy as np
import pytest
import torch
from scipy.stats.contingency import relative_risk
from torchmetrics.classification import BinaryAccuracy

import minigan as mg
from benchmarks.peers import torch_gan
from minigan import models
from minigan.evaluation import swapped
from minigan.evaluation.swapped import ratio_on_others

COUNT, SEED = 120, 3


@pytest.fixture(params=["dcgan", "mlp-gan"])
def pair(request):
    """Two GANs of which neither discriminator is always right, with running statistics of their own."""
    rng, found = np.random.default_rng(0), []
    for name, seed in (("dcgan", 1), (request.param, 2)):
        gan = models.build(name, seed=seed)
        for network in (gan.generator, gan.discriminator):
            for buffer_name, buffer in network.named_buffers():
                low, high = (0.5, 1.5) if buffer_name.endswith("variance") else (-0.3, 0.3)
                buffer[...] = rng.uniform(low, high, buffer.shape).astype(np.float32)
        with mg.no_grad():  # about half of the real images are above 0 then
            gan.discriminator[-1].bias[...] = -np.median(in_use(gan, mg.data.scaled(images())))
        found.append(gan)
    return found


def images():
    return mg.data.glyphs(COUNT, split="test").images


def in_use(gan, given):
    gan.discriminator.eval()
    scores = gan.scores(mg.tensor(given)).numpy()
    gan.discriminator.train()
    return scores


def in_torch(gan):
    generator, discriminator = torch_gan.networks(gan)
    for ours, theirs in ((gan.generator, generator), (gan.discriminator, discriminator)):
        norms = [layer for layer in ours if isinstance(layer, mg.nn.BatchNorm)]
        others = [layer for layer in theirs if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
        shapes = torch_gan._image_shapes(torch_gan._flat(ours))
        places = [shape for layer, shape in zip(ours, shapes, strict=True) if isinstance(layer, mg.nn.BatchNorm)]
        for norm, other, (_, after) in zip(norms, others, places, strict=True):
            other.running_mean.copy_(torch.from_numpy(torch_gan._channels_first(norm.running_mean.numpy(), after, 0)))
            variance = torch_gan._channels_first(norm.running_variance.numpy(), after, 0)
            other.running_var.copy_(torch.from_numpy(variance))
    return generator.eval(), discriminator.eval()


@torch.no_grad()
@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_the_errors_are_those_of_the_same_weights_in_torch(pair, statistics):
    found = swapped(*pair, images(), COUNT, SEED, statistics=statistics)
    networks = [in_torch(gan) for gan in pair]
    noise = torch.from_numpy(mg.random.Philox(SEED, "sample").standard_normal((COUNT, 100)))
    real = torch.from_numpy(mg.data.scaled(images()).transpose(0, 3, 1, 2).copy())
    for _, discriminator in networks:
        discriminator.train(statistics == "batch")
    made = [generator(noise) for generator, _ in networks]
    for number, (_, discriminator) in enumerate(networks):
        for pixels, is_real, ours in (
            (real, 1, found.test[number]),
            *((m, 0, of) for m, of in zip(made, found.made[number], strict=True)),
        ):
            right = BinaryAccuracy()(torch.sigmoid(discriminator(pixels)).ravel(), torch.full((COUNT,), is_real))
            assert ours.rate == pytest.approx(1 - right.item(), abs=1e-6)
            assert ours.count == COUNT
    shares = {of.rate for of in (*found.test, *found.made[0], *found.made[1])}
    assert len(shares) > 2  # not all of it all or nothing


@pytest.mark.parametrize(("first", "second"), [((4000, 10000), (3000, 10000)), ((2000, 9000), (5000, 12000))])
def test_intervals_of_many_errors_are_scipys(first, second):
    wrong = [np.arange(count) < errors for errors, count in (first, second)]
    found, expected = ratio_on_others(*wrong), relative_risk(*first, *second)
    interval = expected.confidence_interval(0.95)
    theirs = expected.relative_risk, interval.low, interval.high
    assert (found.value, found.low, found.high) == pytest.approx(theirs, rel=2e-4)
