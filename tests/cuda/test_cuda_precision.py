"""Which products are rounded for tensor cores is what `mg.precision` says, of whole steps too."""

import numpy as np
import pytest
from simulated import DEVICE, on_device, plain
from test_cuda_conv import LAST_BIT, ROUNDED

import minigan as mg
from minigan import kernels, random
from minigan.errors import UnknownNameError
from minigan.gan import Trainer
from minigan.kernels.cuda import matmul
from minigan.kernels.cuda.tiling import FEW_COLUMNS
from minigan.models.dcgan import dcgan
from minigan.ops import linalg

NUMBERS = pytest.mark.parametrize("numbers", ["tf32", "bf16"])
X, W = (np.random.default_rng(seed).standard_normal((40, 40)).astype(np.float32) for seed in (0, 1))


def product(dtype=np.float32):
    return plain(matmul(on_device(X.astype(dtype)), on_device(W.astype(dtype))))


def convolution(dtype=np.float32):
    x, w = (on_device(array.reshape(1, 5, 8, 40).astype(dtype)) for array in (X, W))
    return plain(mg.conv2d(x, mg.reshape(w, shape=(1, 1, 40, 40))))


@NUMBERS
@pytest.mark.parametrize("run", [product, convolution])
def test_products_within_the_block_are_rounded(numbers, run):
    expected = run(np.float64)
    exact = run()
    with mg.precision(numbers):
        rounded, double = run(), run(np.float64)
    error = np.abs(rounded - expected).max()
    assert np.abs(exact - expected).max() < 1e-5
    assert LAST_BIT[numbers] / 10 < error < LAST_BIT[numbers] * 10
    np.testing.assert_array_equal(double, expected)
    np.testing.assert_array_equal(run(), exact)


def gradients(device):
    """Of both players in a first step, each as one vector."""
    images = np.random.default_rng(0).uniform(-1, 1, (4, 28, 28, 1)).astype(np.float32)
    gan = dcgan((28, 28, 1), random.derived(0, "init"), maps=32).to(device)
    fake = gan.generator(gan.noise(4, random.Philox(0, "noise")))
    objective, d = Trainer(gan, None, steps=1).objective, gan.discriminator
    losses = (
        objective.discriminator(d(mg.tensor(images, device=device)), d(fake.detach())),
        objective.generator(d(fake)),
    )
    players = d.parameters(), gan.generator.parameters()
    return [np.concatenate([plain(g).ravel() for g in mg.grad(*pair)]) for pair in zip(losses, players, strict=True)]


def rounding_on_the_cpu(monkeypatch, numbers):
    """Let the CPU's kernels round the factors of products, as long as there are columns enough for tensor cores."""
    cpu = kernels.named("cpu")
    columns = {
        "conv2d": lambda x, w, g: g.K // g.G,
        "conv2d_transpose": lambda y, w, g: g.C // g.G,
        "conv2d_weight": lambda x, y, g: g.K // g.G,
        "matmul": lambda a, b: b.shape[1],
    }

    def rounded(name):
        kernel = getattr(cpu, name)

        def run(a, b, *more, **settings):
            geometry = () if name == "matmul" else more[:1]
            if columns[name](a, b, *geometry) > FEW_COLUMNS:
                a, b = map(ROUNDED[numbers], (a, b))
            return kernel(a, b, *more, **settings)

        return run

    for name in columns:
        monkeypatch.setattr(cpu, name, rounded(name))
    monkeypatch.setattr(linalg, "SMALL", 0)  # and let it be kernels that multiply


@pytest.mark.slow
@NUMBERS
def test_gradients_of_a_step_are_those_of_rounded_factors(numbers, monkeypatch):
    with mg.precision(numbers):
        found = gradients(DEVICE)
    exact = gradients("cpu")
    rounding_on_the_cpu(monkeypatch, numbers)
    for ours, theirs, unrounded in zip(found, gradients("cpu"), exact, strict=True):
        distance = np.linalg.norm(ours - theirs)
        rounding = np.linalg.norm(theirs - unrounded)
        assert distance < 0.1 * rounding


def test_an_algorithm_that_is_asked_for_is_the_one_that_is_used():
    x, w = on_device(X.reshape(1, 5, 8, 40)), on_device(W.reshape(1, 1, 40, 40))
    exact = plain(mg.conv2d(x, w))
    with mg.precision("bf16"):
        np.testing.assert_array_equal(plain(mg.conv2d(x, w, algorithm="implicit")), exact)


def test_the_cpu_rounds_nothing():
    with mg.precision("bf16"):
        np.testing.assert_array_equal(kernels.of(X).matmul(X, W), kernels.of(X).matmul(X, W))
        rounded = kernels.of(X).matmul(X, W)
    np.testing.assert_array_equal(rounded, kernels.of(X).matmul(X, W))


def test_another_name_is_refused_and_changes_nothing():
    with pytest.raises(UnknownNameError, match="fp8"), mg.precision("fp8"):
        pass
    assert kernels.precision_now() == "float32"
