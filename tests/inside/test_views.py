"""Deconvnet views: closed forms, what they share with gradients, which images and maps are chosen, and errors."""

import numpy as np
import pytest

import minigan as mg
from minigan import inside, nn
from minigan.errors import DataError, ShapeError
from minigan.inside.feature_views import receptive_field
from minigan.models import Classifier
from minigan.models.deconvnet import hidden_layers
from minigan.training import TrainingError


def conv(weight, **how):
    """A convolution without bias, with this weight (KH, KW, C, K)."""
    weight = np.asarray(weight, np.float32)
    layer = nn.Conv2d(weight.shape[2], weight.shape[3], weight.shape[:2], bias=False, **how)
    layer.weight.data[...] = weight
    return layer


def positive(network, rng):
    """The network in float64 with all weights above 0, so that a positive image's signals are, up and down."""
    for name, p in network.named_parameters():
        p.data[...] = 0 if name.endswith(("bias", "shift")) else np.abs(rng.standard_normal(p.shape)) + 0.1
    for name, buffer in network.named_buffers():
        if name.endswith("variance"):
            buffer.data[...] = rng.uniform(0.5, 2, buffer.shape)
    return network.astype(np.float64).eval()


def test_the_view_of_one_convolution_is_its_kernel_where_it_was_excited_most(rng):
    kernel = rng.standard_normal((3, 3, 1, 1)).astype(np.float32)
    images = np.zeros((3, 8, 8, 1), np.float32)
    images[1, 2:5, 4:7] = kernel[..., 0]
    images[2, 0:3, 1:4] = kernel[..., 0] / 2
    found = inside.views(nn.Sequential(conv(kernel, padding=1), nn.ReLU()), images, layer=1, top=2)
    square = (kernel**2).sum()
    assert found.rows.tolist() == [[1, 2]]
    np.testing.assert_allclose(found.strengths, [[square, square / 2]], rtol=1e-6)
    assert found.boxes.tolist() == [[[2, 5, 4, 7], [0, 3, 1, 4]]]
    expected = np.zeros((2, 8, 8, 1))
    expected[0, 2:5, 4:7] = square * kernel[..., 0]
    expected[1, 0:3, 1:4] = square / 2 * kernel[..., 0]
    np.testing.assert_allclose(found.views[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("slope", "passed"), [(0, 2), (0.25, 2 - 0.25)])
def test_what_is_below_0_on_the_way_down_is_cut_off_and_not_what_a_gradient_cuts_off(slope, passed):
    # two maps equal to the image, then their 2 : -1 sum: the gradient is 2 - 1, the deconvnet's second path is closed
    network = nn.Sequential(conv([[[[1, 1]]]]), nn.LeakyReLU(slope) if slope else nn.ReLU(), conv([[[[2], [-1]]]]))
    image = np.full((1, 1, 1, 1), 0.5, np.float32)
    assert inside.views(network, image, layer=2, top=1).views.item() == 0.5 * passed


def test_max_pooling_goes_back_to_where_the_maximum_was():
    image = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.9, 0.8, 0.7]], np.float32).reshape(1, 2, 4, 1)
    found = inside.views(nn.Sequential(nn.MaxPool2d(2)), image, layer=0)
    assert np.array_equal(found.views[0, 0, :, :, 0], [[0, 0, 0, 0], [0, np.float32(0.9), 0, 0]])
    assert found.boxes[0, 0].tolist() == [0, 2, 0, 2]


def test_a_batch_norm_is_seen_through_as_if_it_were_part_of_the_convolution(rng):
    layers = [nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm(4), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU()]
    network = nn.Sequential(*layers)
    norm = layers[1]
    for tensor in (norm.scale, norm.shift, norm.running_mean):
        tensor.data[...] = rng.standard_normal(4)  # scales below 0 too
    norm.running_variance.data[...] = rng.uniform(0.5, 2, 4)
    layers[3].bias.data[...] = 5  # so that all its maps are excited
    slope = norm.scale.data / np.sqrt(norm.running_variance.data + norm.eps)
    folded = nn.Conv2d(2, 4, 3)
    folded.weight.data[...] = layers[0].weight.data * slope
    folded.bias.data[...] = norm.shift.data - norm.running_mean.data * slope
    images = rng.uniform(-1, 1, (5, 8, 8, 2)).astype(np.float32)
    found = inside.views(network, images, layer=4, top=3)
    expected = inside.views(nn.Sequential(folded, nn.ReLU(), *layers[3:]), images, layer=3, top=3)
    assert np.array_equal(found.rows, expected.rows)
    largest = np.abs(expected.views).max()
    np.testing.assert_allclose(found.views, expected.views, rtol=1e-4, atol=1e-5 * largest)
    assert largest > 0
    assert len(found.maps) == 3


NETWORKS = {
    "cnn": lambda: mg.models.build("cnn", (9, 8, 2), classes=3).network,
    "strides": lambda: nn.Sequential(
        *(nn.Conv2d(2, 4, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), groups=2), nn.LeakyReLU(0.2)),
        *(nn.MaxPool2d(2, stride=1, padding=1), nn.Conv2d(4, 3, 2, padding="same"), nn.ReLU()),
    ),
    "growing": lambda: nn.Sequential(
        *(nn.AvgPool2d(2, padding=1), nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1)),
        *(nn.Upsample(2, mode="bilinear"), nn.Dropout(0.5), nn.ReLU(), nn.Linear(3, 4)),
    ),
    "shapes": lambda: nn.Sequential(nn.Flatten(), nn.Linear(144, 24), nn.ReLU(), nn.Reshape(2, 4, 3), nn.MaxPool2d(2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_where_nothing_is_cut_off_a_view_is_the_activation_times_its_gradient(name, rng):
    network = positive(NETWORKS[name](), rng)
    images = rng.uniform(0.1, 1, (4, 9, 8, 2))
    last = len(network) - 1
    found = inside.views(network, images, last, maps=2, top=2)
    for place in np.ndindex(2, 2):
        x = mg.tensor(images[found.rows[place]][None], requires_grad=True)
        activation = network(x)[..., int(found.maps[place[0]])].max()
        assert activation.item() == pytest.approx(found.strengths[place], rel=1e-12)
        expected = activation.item() * mg.grad(activation, x)[0]
        np.testing.assert_allclose(found.views[place], expected, rtol=1e-6, atol=1e-7 * expected.max())


FIELDS = {  # layers, and whether they have all of the box: dilated ones leave gaps, which padding may fill
    "padding": (lambda: [nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=((1, 0), (0, 1))), nn.ReLU()], True),
    "dilation": (lambda: [nn.Conv2d(2, 3, 3, padding=1, dilation=(1, 2)), nn.AvgPool2d(2, stride=1)], False),
    "same": (lambda: [nn.Conv2d(2, 3, 3, padding="same", stride=2), nn.AvgPool2d(2, padding=1)], True),
    "transposed": (lambda: [nn.Conv2d(2, 3, 2), nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1)], True),
    "deconvnet": (lambda: hidden_layers(2, None, 3, 3, 2), True),
    "gaps": (lambda: [nn.ConvTranspose2d(2, 2, 2, stride=3, padding="same", dilation=2), nn.Conv2d(2, 2, 2)], False),
    "upsampled": (lambda: [nn.AvgPool2d(3, stride=2), nn.Upsample((2, 3)), nn.BatchNorm(2), nn.Linear(2, 3)], True),
    "bilinear": (lambda: [nn.Upsample((2, 3), mode="bilinear"), nn.AvgPool2d(2)], False),
}


@pytest.mark.parametrize("name", FIELDS)
def test_the_receptive_field_is_where_the_gradient_is(name, rng):
    layers, whole = FIELDS[name]
    network = positive(nn.Sequential(*layers()), rng)
    image = rng.uniform(0.1, 1, (1, 8, 7, 2))
    x, steps = mg.tensor(image), []
    for layer in network:
        steps.append((layer, x.shape))
        x = layer(x)
    for row, column in np.ndindex(x.shape[1:3]):
        leaf = mg.tensor(image, requires_grad=True)
        reached = mg.grad(network(leaf)[0, row, column].sum(), leaf)[0].any(2)
        top, bottom, left, right = receptive_field(steps, np.array([[row, column]]))[0]
        inside_of_it = np.zeros_like(reached)
        inside_of_it[top:bottom, left:right] = True
        assert not (reached & ~inside_of_it).any()
        if whole:
            rows, columns = np.flatnonzero(reached.any(1)), np.flatnonzero(reached.any(0))
            assert [rows[0], rows[-1] + 1, columns[0], columns[-1] + 1] == [top, bottom, left, right]


def test_the_strongest_images_of_maps_spread_over_those_that_anything_excites(rng):
    network = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU())
    network[0].bias.data[[1, 4]] = -100  # maps that nothing excites
    images = rng.integers(0, 256, (30, 6, 7, 1), np.uint8)
    found = inside.views(network, images, layer=1, maps=4, top=5, batch=7)
    strengths = network(mg.tensor(mg.data.scaled(images))).numpy().max((1, 2))
    assert found.maps.tolist() == [0, 5, 8, 11]  # of 0 2 3 5 6 7 8 9 10 11
    for number, rows, values in zip(found.maps, found.rows, found.strengths, strict=True):
        assert rows.tolist() == np.argsort(-strengths[:, number])[:5].tolist()
        np.testing.assert_allclose(values, strengths[rows, number], rtol=1e-5)
    again = inside.views(network, images, layer=1, maps=np.array([8, 0]), top=5)
    np.testing.assert_allclose(again.views, found.views[[2, 0]], rtol=1e-5, atol=1e-6)
    assert inside.views(network, images, layer=1, maps=99, top=99).views.shape == (10, 30, 6, 7, 1)


def test_looking_changes_nothing_and_batch_norm_and_dropout_are_as_in_use(rng):
    judge = mg.models.build("cnn", (8, 8, 1), classes=3)
    network = judge.network
    before = network.state_dict()
    images = rng.integers(0, 256, (6, 8, 8, 1), np.uint8)
    in_training = inside.views(judge, images, layer=6)
    assert network.training
    assert network[1].training
    in_use = inside.views(network.eval(), images, layer=6)
    assert not network[1].training
    assert np.array_equal(in_training.views, in_use.views)
    assert all(np.array_equal(before[name], array) for name, array in network.state_dict().items())


def test_the_usual_layers_are_those_after_relus():
    assert inside.activations_of(mg.models.build("cnn", (8, 8, 1))) == [2, 6, 10]
    assert inside.activations_of(nn.Sequential(nn.LeakyReLU(0.2), nn.Tanh())) == [0]


IMAGES = np.ones((2, 4, 4, 1), np.float32)
ONE = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Tanh())
ONE[0].bias.data[...] = -100


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: inside.views(ONE, IMAGES, 2),
            ShapeError,
            "layer 2 is a Tanh; a deconvnet reverses only AvgPool2d, Batch",
        ),
        (lambda: inside.views(ONE, IMAGES, 3), ShapeError, "no layer 3; the network has layers 0 to 2"),
        (lambda: inside.views(ONE, IMAGES, -1), TrainingError, "layer must be a whole number of at least 0, not -1"),
        (lambda: inside.views(nn.Tanh(), IMAGES, 0), ShapeError, r"expected a Sequential, .* not a Tanh"),
        (lambda: inside.views(ONE, IMAGES, 1), DataError, "no feature map of this layer is above 0"),
        (lambda: inside.views(ONE, IMAGES[:0], 1), DataError, "no images"),
        (lambda: inside.views(ONE, IMAGES[0], 1), DataError, r"\(4, 4, 1\), expected \(N, H, W, C\)"),
        (lambda: inside.views(ONE, IMAGES, 1, maps=0), TrainingError, "maps must be above 0"),
        (lambda: inside.views(ONE, IMAGES, 1, maps=[2]), ShapeError, "numbers from 0 to 1"),
        (lambda: inside.views(ONE, IMAGES, 1, maps=[0], top=0), TrainingError, "top must be above 0"),
    ],
)
def test_what_cannot_be_seen_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_classifier_and_its_network_are_the_same():
    judge = Classifier("one", nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), (4, 4, 1), 2)
    by_name, by_network = (inside.views(network, -IMAGES, 1, maps=[0, 1]) for network in (judge, judge.network))
    assert np.array_equal(by_name.views, by_network.views)
    assert by_name.boxes[0, 0].tolist() == [0, 4, 0, 4]
