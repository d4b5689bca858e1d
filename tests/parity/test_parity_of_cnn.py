"""The cnn is the same network in PyTorch: logits, loss, running statistics, and one step's gradients in float64."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from weights_in_torch import assert_close, assert_gradients_close, channels_first, fill, gradients_of

import minigan as mg

SIZES = [((28, 28, 1), 10), ((11, 9, 3), 4)]  # the second one is cut by both poolings


class Cnn(nn.Module):
    def __init__(self, image_shape, classes):
        super().__init__()
        height, width, channels = image_shape
        self.body = nn.Sequential(
            *(nn.Conv2d(channels, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.AvgPool2d(2)),
            *(nn.Flatten(), nn.Linear(height // 4 * (width // 4) * 64, 128), nn.ReLU(), nn.Linear(128, classes)),
        )
        self.double()

    def forward(self, images):
        return self.body(images)


@pytest.fixture(params=SIZES, ids=lambda p: "x".join(map(str, p[0])))
def pair(request):
    """(ours, PyTorch's, the shape before the dense layers) with the same weights."""
    shape, classes = request.param
    ours = mg.models.build("cnn", shape, seed=3, classes=classes)
    ours.network.astype(np.float64)
    theirs, flat = Cnn(shape, classes), (shape[0] // 4, shape[1] // 4, 64)
    fill(theirs, ours.network, flat)
    return ours, theirs, flat


def test_one_steps_gradients_and_running_statistics_are_equal(pair, rng):
    ours, theirs, flat = pair
    images = rng.uniform(-1, 1, (6, *ours.image_shape))
    labels = rng.integers(0, ours.classes, 6)
    logits = ours.network(mg.tensor(images))
    loss = mg.cross_entropy(logits, labels)
    expected_logits = theirs(channels_first(images))
    expected = F.cross_entropy(expected_logits, torch.from_numpy(labels))
    expected.backward()
    assert_close(logits.numpy(), expected_logits.detach().numpy())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    gradients = mg.grad(loss, ours.network.parameters())
    assert_gradients_close(ours.network, gradients, gradients_of(theirs, ours.network, flat))

    ours.network.eval()
    theirs.eval()
    assert_close(ours.network(mg.tensor(images)).numpy(), theirs(channels_first(images)).detach().numpy())
