"""ModuleList and ModuleDict register what they hold; a plain list of modules or parameters is refused."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import MiniganError


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList([nn.Linear(3, 2)])
        self.branches.append(nn.Linear(3, 2))
        self.ends = nn.ModuleDict({"mean": nn.Linear(2, 1), "scale": nn.Linear(2, 1)})

    def forward(self, x):
        hidden = sum(mg.tanh(branch(x)) for branch in self.branches)
        return self.ends["mean"](hidden) * self.ends["scale"](hidden)


def test_what_containers_hold_is_trained_saved_and_shown():
    network = Branches()
    names = [name for name, _ in network.named_parameters()]
    parts = ("branches.0", "branches.1", "ends.mean", "ends.scale")
    assert names == [f"{part}.{kind}" for part in parts for kind in ("weight", "bias")]
    network(np.ones((4, 3), np.float32)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    other = Branches()
    other.load_state_dict(network.state_dict())
    x = np.ones((1, 3), np.float32)
    assert np.array_equal(other(x).numpy(), network(x).numpy())
    assert "branches: ModuleList" in repr(network)


def test_containers_are_used_as_lists_and_dicts():
    layers = nn.ModuleList(nn.Linear(2, n) for n in (1, 2, 3))
    assert len(layers) == 3
    assert layers[-1] is list(layers)[2]
    assert [layer.weight.shape[1] for layer in layers[1:]] == [2, 3]
    named = nn.ModuleDict({"a": layers[0], "b": layers[1]})
    assert list(named) == list(named.keys()) == ["a", "b"]
    assert list(named.values()) == [layers[0], layers[1]]
    assert dict(named.items())["b"] is named["b"]
    assert len(named) == 2


COLLECTIONS = {
    "a list": lambda item: [item],
    "a tuple": lambda item: (1, item),
    "a dict": lambda item: {"first": item},
    "a set": lambda item: {item},
    "a list of lists": lambda item: [[item]],
}


@pytest.mark.parametrize("collection", COLLECTIONS)
@pytest.mark.parametrize("item", [nn.Linear(2, 2), mg.tensor([1.0], requires_grad=True)], ids=["module", "parameter"])
def test_what_would_be_neither_trained_nor_saved_is_refused(collection, item):
    network = nn.Sequential()
    with pytest.raises(MiniganError, match="neither trained nor saved"):
        network.parts = COLLECTIONS[collection](item)
    network.sizes = COLLECTIONS[collection](3)  # other collections stay what they are


def test_what_a_list_gets_later_is_refused_where_it_would_be_missed():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = []
            for _ in range(2):
                self.layers.append(nn.Linear(2, 2))

    for use in (Network.parameters, Network.state_dict, repr):
        with pytest.raises(MiniganError, match=r"Network\.layers: modules in a list would be neither"):
            use(Network())


@pytest.mark.parametrize("make", [lambda x: nn.ModuleList([x]), lambda x: nn.ModuleDict({"a": x}), nn.Sequential])
def test_containers_hold_modules_alone(make):
    with pytest.raises(MiniganError, match="Modules alone"):
        make(mg.tanh)


@pytest.mark.parametrize("name", ["a.b", "", "forward", "parameters", 3])
def test_names_that_would_be_ambiguous_are_refused(name):
    with pytest.raises(MiniganError, match="cannot name a module"):
        nn.ModuleDict({name: nn.Linear(1, 1)})
