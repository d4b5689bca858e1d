"""Ways through noise and images along them: known points, laws of the sphere, classes that stay, and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import inside, nn, ops
from minigan.data import to_uint8
from minigan.errors import DataError, ShapeError, TrainingError, UnknownNameError
from minigan.models import GAN, VAE, Classifier


def identity(size=4, **more):
    """A GAN whose image is its noise, 2 x 2."""
    generator = nn.Sequential(nn.Linear(size, size, bias=False), nn.Reshape(2, 2, size // 4))
    generator[0].weight.data[...] = np.eye(size)
    return GAN("identity", generator, nn.Sequential(nn.Flatten()), (2, 2, size // 4), size, **more)


class PerClass(nn.Module):
    """Images of 1 x 1 pixel: the noise's first number, times 0.1 for class 0 and -0.1 for class 1."""

    def __init__(self):
        super().__init__()
        self.signs = nn.Embedding(2, 1)
        self.signs.weight.data[...] = [[0.1], [-0.1]]

    def forward(self, noise, labels):
        return ops.reshape(noise[:, :1] * self.signs(labels), (len(noise), 1, 1, 1))


def test_halfway_between_orthogonal_noises():
    start, end = np.array([[2.0, 0, 0], [0, 0, 1]]), np.array([[0.0, 2, 0], [0, 0, 1]])
    found = inside.path(start, end, 3)
    np.testing.assert_allclose(found[0], [[2, 0, 0], [np.sqrt(2), np.sqrt(2), 0], [0, 2, 0]], atol=1e-15)
    np.testing.assert_allclose(found[1], np.tile([0, 0, 1], (3, 1)))  # from a noise to itself
    np.testing.assert_allclose(inside.path(start, end, 3, "line")[0, 1], [1, 1, 0])


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 50))
def test_the_pace_on_the_sphere_is_even_and_equal_ends_keep_their_length(seed, steps, size):
    start, end = np.random.default_rng(seed).standard_normal((2, 3, size))
    end *= np.linalg.norm(start, axis=1, keepdims=True) / np.linalg.norm(end, axis=1, keepdims=True)
    ways = inside.path(start, end, steps)
    lengths = np.linalg.norm(ways, axis=2)
    np.testing.assert_allclose(lengths, np.repeat(lengths[:, :1], steps, 1), rtol=1e-7)
    turns = np.linalg.norm(np.diff(ways, axis=1), axis=2)
    np.testing.assert_allclose(turns, np.repeat(turns[:, :1], steps - 1, 1), rtol=1e-6)
    np.testing.assert_allclose(ways[:, [0, -1]], np.stack([start, end], 1), rtol=1e-9, atol=1e-9)


def test_nearly_the_same_noise_and_no_noise_are_no_trouble():
    start = np.array([[1.0, 0], [0, 0]], np.float32)
    found = inside.path(start, start + np.float32(1e-6), 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 1], start + 5e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[1.0, 0]], [[-1.0, 0]], 3), TrainingError, 'opposite, .*; use way="line"'),
        (([[1.0, 0]], [[0.0, 1]], 1), TrainingError, "steps are 1"),
        (([[1.0, 0]], [[0.0, 1]], 3, "arc"), UnknownNameError, "'arc'; there are: line, sphere"),
        (([[1.0, 0]], [[0.0, 1, 0]], 3), ShapeError, r"start has shape \(1, 2\) and end \(1, 3\)"),
    ],
)
def test_ways_that_are_none_are_said(arguments, error, message):
    with pytest.raises(error, match=message):
        inside.path(*arguments)


def test_between_whole_numbers_there_are_others():
    start, end = np.array([[0, 0]]), np.array([[1, 3]])
    assert np.array_equal(inside.path(start, end, 3, "line"), [[[0, 0], [0.5, 1.5], [1, 3]]])


def test_images_on_the_way_are_those_of_the_noise_there():
    gan = identity()
    start, end = (noise / 4 for noise in inside.ends(gan, 3, seed=1))
    for way in ("sphere", "line"):
        images = inside.interpolate(gan, start, end, 5, way)
        expected = inside.path(start, end, 5, way).reshape(3, 5, 2, 2, 1)
        assert np.array_equal(images, to_uint8(expected))
    assert not np.array_equal(start, end)
    with pytest.raises(ShapeError, match=r"identity takes noise \(N, 4\), not \(3, 5\)"):
        inside.interpolate(gan, np.ones((3, 5)), np.ones((3, 5)))
    with pytest.raises(ShapeError, match="identity has no classes"):
        inside.interpolate(gan, start, end, labels=0)


def test_a_conditional_gan_keeps_its_class_on_the_way():
    gan = GAN("told", PerClass(), nn.Tanh(), (1, 1, 1), 2, classes=2)
    start, end = np.array([[1.0, 0]] * 3, np.float32), np.array([[0.0, 1]] * 3, np.float32)
    expected = to_uint8(np.array([0.1, -0.1, 0.1])[:, None] * np.cos([0, np.pi / 4, np.pi / 2]))
    found = inside.interpolate(gan, start, end, 3)
    assert np.array_equal(found[..., 0, 0, 0], expected)
    assert np.array_equal(inside.interpolate(gan, start, end, 3, labels=1)[0], found[1])
    moved = inside.along(gan, start[0], np.eye(2), 1.0, 3, label=1)
    assert np.array_equal(moved[:, :, 0, 0, 0], to_uint8(np.array([[0, -0.1, -0.2], [-0.1, -0.1, -0.1]])))
    with pytest.raises(ShapeError, match="classes from 0 to 1"):
        inside.interpolate(gan, start, end, labels=2)


def test_a_vae_is_as_good():
    vae = mg.models.build("vae", (4, 4, 1), latent_size=3)
    start, end = inside.ends(vae, 2)
    images = inside.interpolate(vae, start, end, 3)
    assert images.shape == (2, 3, 4, 4, 1)
    assert np.array_equal(images[:, 0], to_uint8(vae.generate(mg.tensor(start))))


def test_along_a_direction_the_noise_moves_by_so_much():
    gan, noise = identity(), np.array([0.125, 0, 0, 0.25], np.float32)
    images = inside.along(gan, noise, np.eye(4)[:2], reach=0.5, steps=5)
    expected = noise + np.linspace(-0.5, 0.5, 5)[:, None] * np.eye(4)[:2, None]
    assert np.array_equal(images, to_uint8(expected.reshape(2, 5, 2, 2, 1)))
    one_way = inside.along(gan, np.stack([noise, -noise]), np.eye(4)[:2], (0.0, 0.5), 3)
    assert np.array_equal(one_way[0], images[0, 2:])
    assert np.array_equal(one_way[1, 0], to_uint8(-noise.reshape(2, 2, 1)))
    with pytest.raises(ShapeError, match=r"noise has shape \(3, 4\)"):
        inside.along(gan, np.ones((3, 4)), np.eye(4)[:2])
    with pytest.raises(ShapeError, match="not finite numbers"):
        inside.along(gan, noise, np.full((1, 4), np.nan))


# -------------------------------------------------------------------------------------- the Jacobian


def linear_gan(rng, tanh=False):
    generator = nn.Sequential(nn.Linear(5, 12), *([nn.Tanh()] if tanh else []), nn.Reshape(2, 2, 3))
    weight = rng.standard_normal((5, 12)).astype(np.float32)
    generator[0].weight.data[...] = weight
    return GAN("linear", generator, nn.Tanh(), (2, 2, 3), 5), weight.astype(float)


def same_directions(ours, expected):
    """Whether unit vectors are the same but for their signs."""
    np.testing.assert_allclose(np.abs(np.sum(ours * expected, 1)), 1, rtol=1e-5)


def test_of_a_linear_generator_directions_are_singular_vectors(rng):
    gan, weight = linear_gan(rng)
    _, values, vectors = np.linalg.svd(weight.T)
    found = inside.directions(gan, count=3, points=2)
    np.testing.assert_allclose(found.gains, values[:3], rtol=1e-5)
    same_directions(found.vectors, vectors[:3])
    assert found.share == pytest.approx((values[:3] ** 2).sum() / (values**2).sum(), rel=1e-5)
    assert (found.vectors[np.arange(3), np.abs(found.vectors).argmax(1)] > 0).all()
    assert inside.directions(gan, count=5, points=1).share == pytest.approx(1)


def test_they_are_of_the_jacobian_where_it_is_taken_and_of_its_mean_square(rng):
    gan, weight = linear_gan(rng, tanh=True)
    gan.generator[0].bias.data[...] = 0
    points = rng.standard_normal((2, 5)).astype(np.float32)
    slopes = [weight * (1 - np.tanh(z @ weight) ** 2) for z in points.astype(float)]
    _, values, vectors = np.linalg.svd(slopes[0].T)
    found = inside.directions(gan, 2, points[:1])
    np.testing.assert_allclose(found.gains, values[:2], rtol=1e-4)
    same_directions(found.vectors, vectors[:2])
    values, vectors = np.linalg.eigh(sum(s @ s.T for s in slopes) / 2)
    found = inside.directions(gan, 2, points)
    np.testing.assert_allclose(found.gains, np.sqrt(values[::-1][:2]), rtol=1e-4)
    same_directions(found.vectors, vectors.T[::-1][:2])


def test_they_are_of_the_averaged_generator_in_use_and_of_the_class_that_is_told():
    gan = identity()
    gan.average, gan.generator = gan.generator, nn.Sequential(nn.BatchNorm(4), nn.Reshape(2, 2, 1))
    np.testing.assert_allclose(inside.directions(gan, 4, 1).gains, 1)
    gan.average = None
    gan.generator[0].running_variance.data[...] = [4, 1, 0.25, 16]  # in training the batch, all one noise, has none
    found = inside.directions(gan, 4, 1)
    np.testing.assert_allclose(found.gains, [2, 1, 0.5, 0.25], rtol=1e-4)
    assert np.abs(found.vectors).argmax(1).tolist() == [2, 1, 0, 3]
    assert gan.generator.training
    told = GAN("told", PerClass(), nn.Tanh(), (1, 1, 1), 2, classes=2)
    told.generator.signs.weight.data[1] = 0.3
    for labels, gain in ((0, 0.1), (1, 0.3), (None, np.sqrt((0.1**2 + 0.3**2) / 2))):
        assert inside.directions(told, 1, 2, labels=labels).gains[0] == pytest.approx(gain, rel=1e-5)


def test_directions_that_are_none_are_said():
    gan = identity()
    with pytest.raises(ShapeError, match="count is 5, but the noise of identity has 4 numbers"):
        inside.directions(gan, 5)
    with pytest.raises(ShapeError, match=r"takes noise \(N, 4\)"):
        inside.directions(gan, 2, np.ones((1, 3)))
    with pytest.raises(TrainingError, match="count must be"):
        inside.directions(gan, 0)


@pytest.mark.parametrize("value", ["a", None, np.nan, np.inf, 1j], ids=str)
def test_noise_that_is_no_number_is_refused(value):
    gan, good, bad = identity(), np.ones((2, 4)), np.array([[value] * 4] * 2)
    for call in (
        lambda: inside.interpolate(gan, bad, good),
        lambda: inside.interpolate(gan, good, bad),
        lambda: inside.path(good, bad, 3),
        lambda: inside.directions(gan, 2, bad),
        lambda: inside.along(gan, good, bad),
        lambda: inside.along(gan, bad, good),
        lambda: inside.along(gan, bad[0], good),
    ):
        with pytest.raises(ShapeError, match="values that are not finite numbers"):
            call()


# --------------------------------------------------------------------------------- steps between classes


def judge_of_the_first_pixel(size=2):
    """Class 0 where the first pixel is above grey, 1 where it is below, never 2."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(size * size, 3))
    network[1].weight.data[...] = 0
    network[1].weight.data[0] = [1, -1, 0]
    network[1].bias.data[...] = [0, 0, -10]
    return Classifier("judge", network, (size, size, 1), 3)


def test_mean_noise_of_classes_is_the_half_normal_distributions():
    gan = identity()
    found = inside.class_means(gan, judge_of_the_first_pixel(), count=4000)
    assert found.counts.sum() == 4000
    assert found.counts[2] == 0
    mean = np.sqrt(2 / np.pi)
    np.testing.assert_allclose(found.means[:2], [[mean, 0, 0, 0], [-mean, 0, 0, 0]], atol=0.08)
    assert np.isnan(found.means[2]).all()
    noise = gan.noise(4000, mg.random.Philox(0, "classes")).numpy()
    for label, of_class in enumerate((noise[:, 0] > 0, noise[:, 0] < 0)):
        np.testing.assert_array_equal(found.examples[label], noise[of_class][0])
    np.testing.assert_allclose(found.step(0, 1), [-1, 0, 0, 0], atol=0.06)
    with pytest.raises(DataError, match=r"no image is of class 2"):
        found.step(0, 2)


def test_a_vaes_classes_too_and_a_conditional_gan_has_none():
    vae = VAE("vae", nn.Sequential(nn.Linear(4, 8)), identity().generator, (2, 2, 1), 4)
    found = inside.class_means(vae, judge_of_the_first_pixel(), count=50)
    assert found.means[0, 0] > 0 > found.means[1, 0]
    told = GAN("told", PerClass(), nn.Tanh(), (1, 1, 1), 2, classes=2)
    with pytest.raises(ShapeError, match="told takes the class as a separate input"):
        inside.class_means(told, judge_of_the_first_pixel())
