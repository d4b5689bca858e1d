"""A network whose arrays are the running means of another's, which is what a generator is best used with."""

import copy

from minigan import devices
from minigan.autograd import no_grad
from minigan.errors import MiniganError
from minigan.nn import Module


class ExponentialAverage:
    """The exponential moving average of a network's parameters and buffers, in a network of its own.

    module: the averaged one; it begins as a copy, is never trained, and is in use (batch norm by running statistics)
    decay: average = decay * average + (1 - decay) * present, at each `update()`; after few of them, n, it is at most
        (1 + n) / (10 + n), so that what the network began as is forgotten soon; `warmup=False` leaves that away
    Buffers are averaged too: running statistics have to go with the parameters that made them.
    source: Polyak & Juditsky (1992); of a GAN's generator: Karras et al., arXiv:1710.10196, section A
    """

    def __init__(self, network: Module, decay: float = 0.999, *, warmup: bool = True):
        if not 0 <= decay < 1:
            raise MiniganError(f"ExponentialAverage: the decay is {decay}, but it is from 0 to below 1")
        self.network, self.decay, self.warmup, self.count = network, decay, warmup, 0
        self.module = copy.deepcopy(network).freeze().eval()

    @no_grad()
    def update(self) -> None:
        """Move the averages towards what the network is now."""
        pairs = list(zip(_tensors(self.module), _tensors(self.network), strict=True))
        decay, rest = devices.replayed_factors(self._shares, 2, pairs[0][0].data)
        for averages, present in pairs:
            averages *= decay
            averages += rest * present

    def _shares(self):
        """What the averages keep of themselves in this update, and what they take of the present."""
        decay = min(self.decay, (1 + self.count) / (10 + self.count)) if self.warmup else self.decay
        self.count += 1
        return decay, 1 - decay


def _tensors(module):
    return [tensor for named in (module.named_parameters(), module.named_buffers()) for _, tensor in named]
