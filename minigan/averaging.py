"""Exponential moving averages of a network's parameters, which make a better generator than the parameters."""

import copy

from minigan import devices
from minigan.autograd import no_grad
from minigan.errors import MiniganError
from minigan.nn import Module


class ExponentialAverage:
    """The exponential moving average of a network's parameters and buffers, in a separate network.

    module: the averaged network, a frozen copy in evaluation mode (its batch norms use running statistics)
    decay: each `update()` computes average = decay * average + (1 - decay) * current
    warmup: limit the decay to (1 + n) / (10 + n) after n updates, so that the initial parameters are soon forgotten
    Buffers are averaged too, because running statistics must match the parameters.
    source: Polyak & Juditsky (1992); for a GAN's generator: Karras et al., arXiv:1710.10196, section A
    """

    def __init__(self, network: Module, decay: float = 0.999, *, warmup: bool = True):
        if not 0 <= decay < 1:
            raise MiniganError(f"ExponentialAverage: decay is {decay}, expected a number from 0 to below 1")
        self.network, self.decay, self.warmup, self.count = network, decay, warmup, 0
        self.module = copy.deepcopy(network).freeze().eval()

    @no_grad()
    def update(self) -> None:
        """Move the averages towards the network's current values."""
        pairs = list(zip(_tensors(self.module), _tensors(self.network), strict=True))
        decay, rest = devices.replayed_factors(self._factors, 2, pairs[0][0].data)
        for average, current in pairs:
            average *= decay
            average += rest * current

    def _factors(self):
        """The factors of the averages and of the current values in this update."""
        decay = min(self.decay, (1 + self.count) / (10 + self.count)) if self.warmup else self.decay
        self.count += 1
        return decay, 1 - decay


def _tensors(module):
    return [tensor for named in (module.named_parameters(), module.named_buffers()) for _, tensor in named]
