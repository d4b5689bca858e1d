"""Initial weights. Each initialiser is called with (rng, shape, fan_in, fan_out) and returns float64 values.

fan_in and fan_out: how many numbers are summed into one output, and how many outputs one input goes into.
"""

import math

import numpy as np


def constant(value):
    """The same value everywhere."""
    return lambda rng, shape, fan_in, fan_out: np.full(shape, float(value))


def normal(std=0.02, mean=0.0):
    """Normally distributed; DCGAN's weights are normal(0.02), its batch-norm scales normal(0.02, 1).

    source: Radford, Metz & Chintala, arXiv:1511.06434
    """
    return lambda rng, shape, fan_in, fan_out: rng.normal(mean, std, shape)


def uniform(low=-0.05, high=0.05):
    """Evenly distributed between two bounds."""
    return lambda rng, shape, fan_in, fan_out: rng.uniform(low, high, shape)


def lecun_uniform():
    """Even within 1 / sqrt(fan_in): the layers' default, and PyTorch's for all but transposed convolutions.

    For a ConvTranspose2d, fan_in is the number of terms in one output: inputs // groups times every stride-th tap along
    each axis. PyTorch takes outputs // groups times all taps, so its initial weights differ in scale.
    """
    return lambda rng, shape, fan_in, fan_out: _even(rng, shape, 1 / math.sqrt(fan_in))


def glorot_uniform(gain=1.0):
    """Even, of variance 2 gain^2 / (fan_in + fan_out), for tanh. Source: Glorot & Bengio, AISTATS 2010."""
    return lambda rng, shape, fan_in, fan_out: _even(rng, shape, gain * math.sqrt(6 / (fan_in + fan_out)))


def glorot_normal(gain=1.0):
    """Normal, of variance 2 gain^2 / (fan_in + fan_out)."""
    return lambda rng, shape, fan_in, fan_out: rng.normal(0, gain * math.sqrt(2 / (fan_in + fan_out)), shape)


def he_uniform(slope=0.0):
    """Even, of variance 2 / ((1 + slope^2) fan_in), for (leaky) ReLU. Source: He et al., arXiv:1502.01852."""
    return lambda rng, shape, fan_in, fan_out: _even(rng, shape, math.sqrt(6 / ((1 + slope**2) * fan_in)))


def he_normal(slope=0.0):
    """Normal, of variance 2 / ((1 + slope^2) fan_in)."""
    return lambda rng, shape, fan_in, fan_out: rng.normal(0, math.sqrt(2 / ((1 + slope**2) * fan_in)), shape)


def orthogonal(gain=1.0):
    """Columns (the last axis) at right angles, or rows where there are more columns than rows.

    source: Saxe, McClelland & Ganguli, arXiv:1312.6120
    """

    def initialiser(rng, shape, fan_in, fan_out):
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))  # without this the distribution would not be uniform
        return gain * (q if rows >= columns else q.T).reshape(shape)

    return initialiser


def _even(rng, shape, bound):
    return rng.uniform(-bound, bound, shape)
