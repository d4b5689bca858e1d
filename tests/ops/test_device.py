"""Devices: values arrive unchanged, gradients come back, and what is apart or missing is an error that says so."""

import subprocess
import sys

import numpy as np
import pytest

import minigan as mg
from minigan import devices, nn


@pytest.fixture
def x():
    return mg.tensor(np.arange(6, dtype=np.float32).reshape(2, 3), requires_grad=True)


def test_there_and_back(x):
    there = x.to("sim")
    assert (x.device, there.device, there.to("cpu").device) == ("cpu", "sim", "cpu")
    assert there.to("sim") is there
    np.testing.assert_array_equal(there.numpy(), x.numpy())
    assert type(there.numpy()) is np.ndarray
    there.numpy()[...] = 7  # a copy
    np.testing.assert_array_equal(there.numpy(), x.numpy())
    assert "device='sim'" in repr(there)
    assert "device" not in repr(x)


def test_gradients_come_back_to_where_their_values_are(x):
    (x.to("sim") * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, np.full((2, 3), 3, np.float32))
    assert type(x.grad) is np.ndarray
    leaf = mg.tensor([1.0, 2.0], requires_grad=True, device="sim")
    (first,) = mg.grad((leaf * leaf * leaf).sum(), [leaf], create_graph=True)
    second = mg.grad(first.to("cpu").sum(), leaf)
    assert devices.device_of(second) == "sim"
    np.testing.assert_allclose(devices.to_cpu(second), [6, 12])


@pytest.mark.parametrize(
    "mixed",
    [
        lambda here, there: here + there,
        lambda here, there: there * here.data,
        lambda here, there: here.T @ there,
        lambda here, there: mg.concatenate([here, there]),
        lambda here, there: mg.where(there.data > 1, here, there),
    ],
)
def test_arrays_of_two_devices_are_an_error_that_says_which_is_where(x, mixed):
    with pytest.raises(
        mg.DeviceError, match=r"of its arrays one, of shape .* device .* and one, .* device .*; move one with \.to"
    ):
        mixed(x, x.to("sim"))


def test_modules_move_in_place(x):
    network = nn.Sequential(nn.Linear(3, 4, rng=np.random.default_rng(0)), nn.BatchNorm(4))
    parameters, before = network.parameters(), network.state_dict()
    assert network.to("sim") is network
    tensors = [t for _, t in (*network.named_parameters(), *network.named_buffers())]
    assert {t.device for t in tensors} == {"sim"}
    assert all(a is b for a, b in zip(network.parameters(), parameters, strict=True))
    after = network.state_dict()
    for name, array in before.items():
        assert type(after[name]) is np.ndarray
        np.testing.assert_array_equal(after[name], array)
    network.load_state_dict({name: array + 1 for name, array in before.items()})
    np.testing.assert_array_equal(network.state_dict()["0.bias"], before["0.bias"] + 1)
    assert {t.device for t in tensors} == {"sim"}


def test_devices_that_are_not_there(x):
    with pytest.raises(mg.UnknownNameError, match="no device is called 'gpu'; did you mean cuda"):
        x.to("gpu")


def test_without_cupy_the_message_says_how_to_get_it():
    program = "import sys; sys.modules['cupy'] = None\nimport minigan as mg\nmg.tensor([1.0]).to('cuda')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DeviceError: the device cuda needs CuPy, which is not installed: pip install 'minigan[gpu]'" in done.stderr
