"""Looking at a network in one thread never changes its training in another."""

import threading

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.models.model import in_use


class Gate(nn.Module):
    """Lets everybody pass; the thread called "looker" only when it may."""

    def __init__(self):
        super().__init__()
        self.reached, self.open = threading.Event(), threading.Event()

    def forward(self, x):
        if threading.current_thread().name == "looker":
            self.reached.set()
            self.open.wait(10)
        return x


def network_with_state():
    """A network with every layer that is another one in training, and gates among them."""
    rng = np.random.default_rng(3)
    return nn.Sequential(
        nn.Linear(6, 8, rng=rng),
        nn.BatchNorm(8),
        nn.SpectralNorm(nn.Sequential(nn.Linear(8, 8, rng=rng))[0], rng=rng),
        Gate(),
        nn.Dropout(0.5, rng=np.random.default_rng(4)),
        nn.Linear(8, 12, rng=rng),
    )


def generate(network):
    gan = mg.models.GAN("gan", network, nn.Linear(12, 1), (12,), latent_size=6)
    gan.generate(mg.tensor(np.ones((4, 6), np.float32)))


def use(network):
    in_use(network, [np.ones((4, 6), np.float32)], "cpu")


def use_by_hand(network):
    with nn.as_in_use():
        network(mg.tensor(np.ones((4, 6), np.float32)))


def trained(look=None):
    """All arrays after some steps; `look` begins before them and ends after them, in another thread."""
    network = network_with_state()
    optimiser = mg.optim.Adam(network.parameters(), lr=0.01)
    gate = network[3]
    looker = threading.Thread(target=look or (lambda network: None), args=(network,), name="looker")
    looker.start()
    assert look is None or gate.reached.wait(10)
    images = np.random.default_rng(5).standard_normal((3, 16, 6)).astype(np.float32)
    for number, x in enumerate(images):
        if number == 2:
            gate.open.set()
            looker.join()
        loss = (network(mg.tensor(x)) ** 2).mean()
        optimiser.step(mg.grad(loss, network.parameters()))
    assert all(module.training for _, module in network.named_modules())
    return {name: array.tobytes() for name, array in network.state_dict().items()}


@pytest.mark.parametrize("look", [generate, use, use_by_hand])
def test_training_is_the_same_to_the_bit_whoever_looks_on(look):
    assert trained(look) == trained()


def test_modules_in_use_behave_so_in_one_thread_and_keep_their_mode():
    network = nn.Sequential(nn.BatchNorm(3))
    seen = []
    with nn.as_in_use():
        assert not network.training
        assert not network[0].training
        other = threading.Thread(target=lambda: seen.append(network[0].training))
        other.start()
        other.join()
    assert seen == [True]
    assert network[0].training
    network.eval()
    with nn.as_in_use(), nn.as_in_use():
        pass
    assert not network[0].training
