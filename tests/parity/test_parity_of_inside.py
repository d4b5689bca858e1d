"""What is seen inside a network is what PyTorch's autograd, unpooling and Jacobians show of the same one."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from weights_in_torch import channels_first, channels_last, fill

import minigan as mg
from minigan import inside, random
from minigan.models.dcgan import dcgan

SHAPE, CLASSES = (10, 9, 2), 3  # cut by both poolings
FLAT = (2, 2, 64)
LAST = {2: 32, 6: 64, 10: 128}  # layers after ReLUs, and their maps


@pytest.fixture
def pair(rng):
    """A cnn with running statistics of its own, and PyTorch's layers with the same, in float64 and in use."""
    ours = mg.models.build("cnn", SHAPE, seed=3, classes=CLASSES)
    ours.network.astype(np.float64)
    theirs = nn.Sequential(
        *(nn.Conv2d(2, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        nn.MaxPool2d(2, return_indices=True),
        *(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(4 * 64, 128), nn.ReLU(), nn.Linear(128, CLASSES)),
    ).double()
    for number in (1, 5):
        for tensor in (ours.network[number].scale, ours.network[number].shift):
            tensor.data[...] = rng.standard_normal(tensor.shape)
    fill(theirs, ours.network, FLAT)
    for number in (1, 5):
        norm, other = ours.network[number], theirs[number]
        norm.running_mean.data[...] = rng.standard_normal(norm.channels) / 2
        norm.running_variance.data[...] = rng.uniform(0.5, 2, norm.channels)
        other.running_mean.copy_(torch.from_numpy(norm.running_mean.numpy()))
        other.running_var.copy_(torch.from_numpy(norm.running_variance.numpy()))
    return ours, theirs.eval()


class Deconvnet:
    """Zeiler and Fergus's, of PyTorch's layers: up with switches, and down by their own transposes."""

    def __init__(self, layers):
        self.layers = layers

    def up(self, x, last):
        self.given, self.switches = [], {}
        for number, layer in enumerate(self.layers[: last + 1]):
            self.given.append(x.shape)
            x = layer(x)
            if isinstance(x, tuple):
                x, self.switches[number] = x
        return x

    def down(self, x, last):
        for number in range(last, -1, -1):
            layer, shape = self.layers[number], self.given[number]
            if isinstance(layer, nn.Conv2d):
                x = F.conv_transpose2d(x, layer.weight, padding=layer.padding)
            elif isinstance(layer, nn.BatchNorm2d):
                x = x * (layer.weight / torch.sqrt(layer.running_var + layer.eps))[:, None, None]
            elif isinstance(layer, nn.ReLU):
                x = F.relu(x)
            elif isinstance(layer, nn.MaxPool2d):
                x = nn.MaxUnpool2d(2)(x, self.switches[number], shape[2:])
            elif isinstance(layer, nn.AvgPool2d):
                x = F.interpolate(x, scale_factor=2) / 4
                x = F.pad(x, (0, shape[3] - x.shape[3], 0, shape[2] - x.shape[2]))
            elif isinstance(layer, nn.Linear):
                x = x @ layer.weight
            else:
                x = x.reshape(shape)
        return x


@pytest.mark.parametrize("layer", LAST)
def test_views(pair, layer, rng):
    ours, theirs = pair
    images = rng.uniform(-1, 1, (12, *SHAPE))
    found = inside.views(ours, images, layer, maps=5, top=4)
    deconvnet = Deconvnet(theirs)
    with torch.no_grad():
        activations = deconvnet.up(channels_first(images), layer)
        strengths = activations.flatten(2).amax(2) if activations.ndim == 4 else activations
        assert activations.shape[1] == LAST[layer]
        for place in np.ndindex(found.rows.shape):
            number, row = int(found.maps[place[0]]), int(found.rows[place])
            strength = float(strengths[row, number])
            assert strength == strengths[:, number].sort(descending=True)[0][place[1]]
            alone = deconvnet.up(channels_first(images[row : row + 1]), layer)
            peak = alone[0, number] == alone[0, number].max()
            kept = torch.zeros_like(alone)
            kept[0, number] = alone[0, number] * peak
            expected = channels_last(deconvnet.down(kept, layer))[0]
            assert found.strengths[place] == pytest.approx(strength, rel=1e-10)
            np.testing.assert_allclose(found.views[place], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
            assert (np.abs(expected).max() > 0) == (strength > 0)
        assert found.strengths[:, 0].min() > 0


def test_saliency(pair, rng):
    ours, theirs = pair
    images, labels = rng.uniform(-1, 1, (6, *SHAPE)), rng.integers(0, CLASSES, 6)
    x = channels_first(images).requires_grad_()
    logits = Deconvnet(theirs).up(x, 11)
    (slopes,) = torch.autograd.grad(logits[torch.arange(6), torch.from_numpy(labels)].sum(), x)
    expected = slopes.abs().amax(1).numpy()
    np.testing.assert_allclose(inside.saliency(ours, images, labels), expected, rtol=1e-5, atol=1e-7 * expected.max())


def test_directions(rng):
    gan = dcgan((28, 28, 1), random.derived(0, "init"), latent_size=6, maps=4)
    generator = gan.generator.astype(np.float64)
    for norm in (generator[1], generator[5]):
        norm.running_variance.data[...] = rng.uniform(0.5, 2, norm.channels)
    theirs = nn.Sequential(
        *(nn.Linear(6, 196, bias=False), nn.BatchNorm1d(196), nn.ReLU(), nn.Unflatten(1, (4, 7, 7))),
        *(nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(2), nn.ReLU()),
        *(nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1), nn.Tanh()),
    ).double()
    # the dense layer's outputs are pixels first here, channels first there
    order = np.arange(196).reshape(7, 7, 4).transpose(2, 0, 1).ravel()
    fill(theirs, generator)
    with torch.no_grad():
        theirs[0].weight.copy_(torch.from_numpy(generator[0].weight.numpy().T[order]))
        for tensor, values in ((theirs[1].weight, generator[1].scale), (theirs[1].bias, generator[1].shift)):
            tensor.copy_(torch.from_numpy(values.numpy()[order]))
        theirs[1].running_var.copy_(torch.from_numpy(generator[1].running_variance.numpy()[order]))
        theirs[5].running_var.copy_(torch.from_numpy(generator[5].running_variance.numpy()))
    theirs.eval()
    points = rng.standard_normal((3, 6))
    jacobians = [
        torch.func.jacrev(lambda z: theirs(z[None]).ravel())(torch.from_numpy(z)).detach().numpy() for z in points
    ]
    for some, jacobian in ((points[:1], jacobians[0]), (points, np.concatenate(jacobians) / np.sqrt(3))):
        _, values, vectors = np.linalg.svd(jacobian, full_matrices=False)
        found = inside.directions(gan, 3, some)
        np.testing.assert_allclose(found.gains, values[:3], rtol=1e-9)
        np.testing.assert_allclose(np.abs((found.vectors * vectors[:3]).sum(1)), 1, rtol=1e-6)
        assert found.share == pytest.approx((values[:3] ** 2).sum() / (values**2).sum())
