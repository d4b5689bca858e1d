"""The Inception network where the answer is known. tests/parity compares it with pytorch-fid's and torch-fidelity's."""

import numpy as np
import pytest

import minigan as mg
from minigan.errors import DataError, ShapeError
from minigan.models.inception import Block, Inception, prepared
from minigan.nn import MaxPool2d

SIZES = {  # pixels and channels after each layer: Szegedy et al., arXiv:1512.00567, table 1, where it names them
    "Conv2d_1a_3x3": (149, 32),
    "Conv2d_2a_3x3": (147, 32),
    "Conv2d_2b_3x3": (147, 64),
    "MaxPool_1": (73, 64),
    "Conv2d_3b_1x1": (73, 80),
    "Conv2d_4a_3x3": (71, 192),
    "MaxPool_2": (35, 192),
    "Mixed_5b": (35, 256),
    "Mixed_5c": (35, 288),
    "Mixed_5d": (35, 288),
    "Mixed_6a": (17, 768),
    "Mixed_6b": (17, 768),
    "Mixed_6c": (17, 768),
    "Mixed_6d": (17, 768),
    "Mixed_6e": (17, 768),
    "Mixed_7a": (8, 1280),
    "Mixed_7b": (8, 2048),
    "Mixed_7c": (8, 2048),
}


@pytest.fixture(scope="module")
def network():
    return Inception(np.random.default_rng(0)).eval().freeze()


@pytest.fixture(scope="module")
def published(network):
    return network.published()


def test_it_has_as_many_parameters_as_inception_v3_and_eight_outputs_more(network):
    assert network.parameter_count() == 23_834_568 + 8 * (2048 + 1)


def test_each_layer_makes_maps_of_the_size_it_should(network):
    image = np.random.default_rng(0).uniform(0, 255, (1, 20, 30, 1)).astype(np.float32)
    x = prepared(image)
    for name, (side, channels) in SIZES.items():
        x = getattr(network, name)(x)
        assert x.shape == (1, side, side, channels), name
    features = network(image)
    assert np.array_equal(features, mg.global_avg_pool2d(x))
    assert features.shape == (1, 2048)
    biased, unbiased = network.logits(features), network.logits(features, bias=False)
    assert biased.shape == unbiased.shape == (1, 1008)
    assert np.allclose(biased - unbiased, network.fc.bias.numpy(), atol=1e-6)


def test_averages_of_a_constant_image_are_constant_to_the_border(network):
    for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7b"):
        pool = getattr(network, name).pool
        assert np.allclose(pool(np.full((1, 4, 5, 2), 3.0)), 3.0, rtol=1e-15), name


def test_the_last_block_pools_maxima(network):
    pool = network.Mixed_7c.pool
    image = np.zeros((1, 5, 5, 1))
    image[0, 2, 2] = 1
    assert isinstance(pool, MaxPool2d)
    assert np.array_equal(pool(image)[0, 1:4, 1:4, 0], np.ones((3, 3)))
    assert pool(image).sum() == 9


def test_a_block_sets_its_branches_side_by_side_in_order():
    class Times(mg.nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return x * self.factor

    named = {factor: (f"by{factor}", Times(factor)) for factor in (2, 3, 5, 7, 11)}
    block = Block([named[2], named[3]], [named[5], [named[7], named[11]]])
    assert block(np.ones((1, 1, 1, 1))).ravel().tolist() == [6, 35, 55]


def test_images_are_prepared_as_the_graph_does():
    assert np.array_equal(np.unique(prepared(np.full((1, 5, 5, 1), 128.0))), [0])
    values = prepared(np.array([0.0, 255.0]).reshape(1, 1, 2, 1))
    assert values.shape == (1, 299, 299, 3)
    row = np.minimum(np.arange(299) * 2 / 299, 1) * 255  # points, of which the first stays and the second is at 149.5
    for channel in range(3):
        assert np.allclose(values[0, 7, :, channel], (row - 128) / 128, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 8, 8, 2), (8, 8, 3)])
def test_other_things_than_images_are_refused(network, shape):
    with pytest.raises(ShapeError, match="grey \\(1\\) or colour \\(3\\)"):
        network(np.zeros(shape, np.float32))


def test_images_too_small_for_the_last_blocks_are_refused(network):
    with pytest.raises(ShapeError, match="at least 75 pixels"):
        network.pooled(np.zeros((1, 74, 80, 3), np.float32))


def test_every_array_has_a_published_name_and_layout(network, published):
    assert len(published) == len(network.state_dict()) == 94 * 5 + 2
    kinds = {".conv.weight", ".bn.weight", ".bn.bias", ".bn.running_mean", ".bn.running_var"}
    layers = {name.removesuffix(".bn.weight") for name in published if name.endswith(".bn.weight")}
    assert {name for layer in layers for name in (layer + kind for kind in kinds)} == {*published} - {
        "fc.weight",
        "fc.bias",
    }
    ours = network.Mixed_6b.branch7x7_2.conv.weight.numpy()
    theirs = published["Mixed_6b.branch7x7_2.conv.weight"]
    assert ours.shape == (1, 7, 128, 128)
    assert theirs.shape == (128, 128, 1, 7)
    assert theirs[3, 5, 0, 2] == ours[0, 2, 5, 3] != ours[0, 2, 3, 5]
    assert published["fc.weight"].shape == (1008, 2048)


def test_arrays_come_back_as_they_were_published(network, published):
    counters = {"Mixed_5b.branch1x1.bn.num_batches_tracked": np.array(7)}
    changed = {**published, "Mixed_7a.branch3x3_2.bn.running_var": published["Mixed_7a.branch3x3_2.bn.bias"] + 2}
    network.load_published({**changed, **counters})
    assert all(np.array_equal(array, changed[name]) for name, array in network.published().items())
    assert np.array_equal(network.Mixed_7a.branch3x3_2.bn.running_variance.numpy(), np.full(320, 2))
    network.load_published(published)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.bias": None}, "fc.bias is missing"),
        ({"fc.bias": np.zeros(1000, np.float32)}, r"fc.bias is \(1000,\), not \(1008,\)"),
        ({"Mixed_5b.branch1x1.conv.weight": np.zeros((1, 1, 192, 64))}, r"not \(64, 192, 1, 1\)"),
        ({"AuxLogits.fc.bias": np.zeros(3)}, "AuxLogits.fc.bias is unknown"),
        ({"fc.bias": np.full(1008, np.nan)}, "fc.bias is not floating point or not finite"),
        ({"fc.bias": np.zeros(1008, int)}, "fc.bias is not floating point or not finite"),
        ({f"left{i}": np.zeros(1) for i in range(9)}, "left3 is unknown; and 5 more"),
    ],
)
def test_wrong_arrays_are_named_and_nothing_is_changed(network, published, change, message):
    arrays = {name: array for name, array in {**published, **change}.items() if array is not None}
    arrays["Conv2d_1a_3x3.bn.bias"] = np.full(32, 5.0)
    with pytest.raises(DataError, match=message):
        network.load_published(arrays)
    assert not network.Conv2d_1a_3x3.bn.shift.numpy().any()
