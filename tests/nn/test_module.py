"""Modules: state under names, saved and loaded whole or not at all, frozen, and shown."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import ShapeError


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm(4), nn.ReLU())
        self.gain = mg.tensor(np.ones(4, np.float32), requires_grad=True)
        self.offset = mg.tensor(np.zeros(4, np.float32))
        self.note = "not state"

    def forward(self, x):
        return self.body(x) * self.gain + self.offset


NAMES = ["gain", "body.0.weight", "body.0.bias", "body.1.scale", "body.1.shift"]
BUFFERS = ["offset", "body.1.running_mean", "body.1.running_variance"]


def batch(count=5, width=3):
    return mg.tensor(np.random.default_rng(0).standard_normal((count, width)).astype(np.float32))


def test_tensors_are_parameters_or_buffers_by_whether_they_require_gradients():
    block = Block()
    assert [name for name, _ in block.named_parameters()] == NAMES
    assert [name for name, _ in block.named_buffers()] == BUFFERS
    assert block.parameter_count() == 4 + 12 + 4 + 4 + 4


def test_assigning_before_init_says_what_to_do():
    class Hasty(nn.Module):
        def __init__(self):
            self.weight = mg.tensor([1.0], requires_grad=True)

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\) before assigning 'weight'"):
        Hasty()


def test_an_attribute_that_is_replaced_is_state_no_longer():
    block = Block()
    block.gain = None
    assert [name for name, _ in block.named_parameters()] == NAMES[1:]


def test_a_shared_module_counts_once():
    shared = nn.Linear(2, 2)
    both = nn.Sequential(shared, nn.Tanh(), shared)
    assert both.parameter_count() == 6
    assert len(both.parameters()) == 2


def test_state_goes_round():
    nn_rng = np.random.default_rng(1)
    first, second = Block(), Block()
    first.body[0].weight.data[...] = nn_rng.standard_normal((3, 4))
    first(batch())  # moves the running statistics
    second.load_state_dict(first.state_dict())
    first.eval()
    second.eval()
    assert np.array_equal(first(batch()).numpy(), second(batch()).numpy())


def test_saved_state_is_a_copy():
    block = Block()
    saved = block.state_dict()
    block.gain.data[...] = 7
    assert np.all(saved["gain"] == 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("gain"), "missing gain"),
        (lambda state: state.update(extra=np.ones(2)), "unexpected extra"),
        (lambda state: state.update(gain=np.ones(3)), r"gain is \(3,\), but \(4,\) here"),
    ],
)
def test_state_that_does_not_fit_changes_nothing(change, message):
    block, state = Block(), {name: array + 1 for name, array in Block().state_dict().items()}
    before = block.state_dict()
    change(state)
    with pytest.raises(ShapeError, match=message):
        block.load_state_dict(state)
    assert all(np.array_equal(before[name], array) for name, array in block.state_dict().items())


def test_without_strict_only_common_names_are_taken():
    block = Block()
    block.load_state_dict({"gain": np.full(4, 3.0), "elsewhere": np.ones(1)}, strict=False)
    assert np.all(block.gain.numpy() == 3)


def test_loading_while_a_graph_is_alive_is_noticed():
    block = Block().eval()
    loss = block(batch()).sum()
    block.load_state_dict(block.state_dict())
    with pytest.raises(mg.GraphError, match="written in place"):
        loss.backward()


def test_frozen_parameters_are_not_trained_and_come_back():
    block = Block()
    block.body.freeze()
    assert len(block.parameters()) == 1
    block(batch()).sum().backward()
    assert block.gain.grad is not None
    assert block.body[0].weight.grad is None
    assert set(block.state_dict()) == {*NAMES, *BUFFERS}
    block.freeze(False)
    assert len(block.parameters()) == 5


def test_training_mode_reaches_all_parts():
    block = Block()
    assert block.eval() is block
    assert not block.body[1].training
    block.train()
    assert block.body[1].training


def test_astype_turns_everything():
    block = Block().astype(np.float64)
    assert {t.dtype for _, t in (*block.named_parameters(), *block.named_buffers())} == {np.dtype(np.float64)}
    assert block(mg.tensor(np.zeros((2, 3)))).dtype == np.float64


def test_the_repr_shows_shapes_counts_and_what_is_frozen():
    text = repr(nn.Sequential(nn.Conv2d(1, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2)))
    assert "0: Conv2d(1 -> 64, 4x4, stride=2, padding=1)" in text
    assert "weight (4, 4, 1, 64), bias (64,)" in text
    assert text.endswith("1,088 parameters")
    assert repr(nn.Linear(2, 3).freeze()).endswith("9 parameters, 9 of them frozen")


def test_sequentials_are_indexed_and_sliced():
    layers = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    assert len(layers) == 3
    assert isinstance(layers[1], nn.Tanh)
    assert [type(m) for m in layers[:2]] == [nn.Linear, nn.Tanh]
    assert layers[:2][0] is layers[0]


def test_state_that_is_not_numbers_changes_nothing():
    layer = nn.Linear(2, 2)
    before = layer.state_dict()
    with pytest.raises(ShapeError, match="bias holds <U1, not numbers"):
        layer.load_state_dict({"weight": np.zeros((2, 2)), "bias": np.array(["a", "b"])})
    assert np.array_equal(layer.weight.numpy(), before["weight"])


def test_what_is_deleted_is_state_no_longer():
    layer = nn.Linear(2, 2)
    del layer.bias
    assert list(layer.state_dict()) == ["weight"]


def test_only_modules_are_applied_in_turn():
    with pytest.raises(mg.MiniganError, match="number 1 is <ufunc 'tanh'>"):
        nn.Sequential(nn.Linear(2, 2), np.tanh)


def test_modules_take_keywords():
    y = mg.tensor(np.zeros((1, 3, 3, 2), np.float32))
    assert nn.ConvTranspose2d(2, 3, 3, stride=2)(y, output_size=(8, 8)).shape == (1, 8, 8, 3)
