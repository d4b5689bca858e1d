"""What one types first: mg.save and mg.load, python -m minigan, and names that are nearly right."""

import subprocess
import sys

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import GraphError, MiniganError, ShapeError, UnknownNameError
from minigan.testing import check_grads


def network(seed, width=3):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(2, width, rng=rng), nn.BatchNorm(width), nn.Tanh(), nn.Linear(width, 1, rng=rng))


def test_any_module_is_saved_and_loaded(tmp_path):
    saved, x = network(0), np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    saved(x)  # the running statistics move
    mg.save(saved, tmp_path / "network.safetensors")
    loaded = mg.load(network(1), tmp_path / "network.safetensors")
    assert np.array_equal(loaded.eval()(x).numpy(), saved.eval()(x).numpy())


def test_what_does_not_fit_or_is_damaged_changes_nothing(tmp_path):
    file, module = tmp_path / "network.safetensors", network(1)
    mg.save(network(0, width=4), file)
    before = module.state_dict()
    with pytest.raises(ShapeError, match="load_state_dict into Sequential"):
        mg.load(module, file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(MiniganError, match="changed or damaged"):
        mg.load(module, file, strict=False)
    mg.save(nn.ModuleDict({"other": nn.Linear(2, 2)}), file)
    with pytest.raises(MiniganError, match=r"no array for this Sequential; its arrays are other\.bias"):
        mg.load(module, file, strict=False)
    with pytest.raises(MiniganError, match="no such file"):
        mg.load(module, tmp_path / "none.safetensors")
    assert all(np.array_equal(array, before[name]) for name, array in module.state_dict().items())


def test_the_package_runs():
    shown = subprocess.run([sys.executable, "-m", "minigan", "--help"], capture_output=True, text=True, check=True)
    assert "train" in shown.stdout


def test_names_that_are_nearly_right_are_recognised():
    done = subprocess.run([sys.executable, "-c", "import minigan as mg; mg.conv2"], capture_output=True, text=True)
    assert "Did you mean: 'conv2d'?" in done.stderr
    with pytest.raises(UnknownNameError, match="did you mean cuda"):
        mg.tensor([1.0], device="gpu")


def test_a_step_without_gradients_says_so():
    module = network(0)
    optimiser = mg.optim.SGD(module.parameters(), lr=0.1)
    with pytest.raises(GraphError, match="call backward"):
        optimiser.step()
    module(np.ones((2, 2), np.float32)).sum().backward()
    optimiser.step()


def test_one_argument_is_checked_without_a_list():
    check_grads(mg.tanh, np.array([0.3, -0.5]))
    with pytest.raises(AssertionError, match="gradient"):
        check_grads(lambda x: mg.tensor(x.data, requires_grad=True) * x, np.array([0.3, -0.5]))
