"""Kernels of one's own, beside those of another implementation."""

import numpy as np
import pytest

import minigan as mg
from minigan import devices, kernels


@pytest.fixture
def name():
    """A name that is free again afterwards."""
    yield "mine"
    devices._loaded.pop("mine", None)


@pytest.mark.parametrize("base", ["reference", "numpy", kernels.CPU])
def test_a_kernel_of_ones_own_is_what_operations_and_their_rules_compute_with(name, base):
    def matmul(a, b, *rest):
        calls.append(a.shape)
        return np.einsum("mk,kn->mn", a, b)

    kernels.register(name, {"matmul": matmul}, base)
    a, b = (mg.tensor(np.random.default_rng(0).standard_normal((200, 200)), requires_grad=True) for _ in range(2))
    wanted = mg.grad((a @ b).sum(), [a, b])
    calls = []
    with kernels.using(name):
        found = mg.grad((a @ b).sum(), [a, b])
        mg.conv2d(np.ones((1, 5, 5, 2)), np.ones((3, 3, 2, 4)))  # by the base
    np.testing.assert_allclose(found, wanted)
    assert calls == [(200, 200)] * 3


def test_a_kernel_may_be_replaced_by_its_owner(name):
    for value in (1.0, 2.0):
        kernels.register(name, {"leaky_relu": lambda x, slope, value=value: np.full_like(x, value)})
        with kernels.using(name):
            assert mg.relu(np.zeros(3)).tolist() == [value] * 3
    assert mg.relu(np.zeros(3)).tolist() == [0] * 3


def test_names_that_are_refused(name):
    with pytest.raises(mg.UnknownNameError, match="did you mean conv2d"):
        kernels.register(name, {"conv_2d": print})
    with pytest.raises(mg.UnknownNameError, match="implementation"):
        kernels.register(name, {}, base="elsewhere")
    with pytest.raises(mg.MiniganError, match="choose another name"):
        kernels.register("cpu", {})
    with pytest.raises(mg.UnknownNameError):
        kernels.named(name)
