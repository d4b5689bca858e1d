"""The models: shapes, sizes, seeds, and names."""

import numpy as np
import pytest

import minigan as mg
from minigan import models
from minigan.data import Batches
from minigan.errors import ShapeError, UnknownNameError
from minigan.gan import Trainer
from minigan.models.rgan import SIZES as RGAN_SIZES
from minigan.models.rgan import Stage

CASES = [
    ("mlp-gan", (28, 28, 1)),
    ("mlp-gan", (5, 7, 3)),
    ("dcgan", (28, 28, 1)),
    ("dcgan", (32, 32, 3)),
    ("rgan", (32, 32, 1)),
    ("rgan", (64, 64, 3)),
    ("wgan", (28, 28, 1)),
    ("wgan-clip", (5, 7, 3)),
    ("dense-conv-gan", (28, 28, 1)),
    ("dense-conv-gan", (5, 7, 3)),
    ("cgan", (28, 28, 1)),
    ("cgan", (32, 32, 3)),
]


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_noise_becomes_images_and_images_logits(name, shape):
    gan = models.build(name, shape)
    images = gan.generated(gan.noise(4, np.random.default_rng(0)), gan.labels(4))
    assert images.shape == (4, *shape)
    assert np.abs(images.numpy()).max() <= 1
    assert gan.scores(images, gan.labels(4)).shape == (4, 1)
    assert images.dtype == np.float32


def test_the_same_seed_gives_the_same_weights():
    first, second, other = (models.build("dcgan", seed=seed).generator.state_dict() for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["0.weight"], other["0.weight"])


def test_dcgan_begins_as_its_paper_says():
    gan = models.build("dcgan", (64, 64, 3))
    for network in (gan.generator, gan.discriminator):
        for name, parameter in network.named_parameters():
            if parameter.ndim == 4:
                assert parameter.numpy().std() == pytest.approx(0.02, rel=0.1)
            elif name.endswith("scale"):
                assert parameter.numpy().mean() == pytest.approx(1, abs=0.02)


def test_generating_uses_running_statistics_and_leaves_the_mode():
    gan = models.build("dcgan")
    gan.generator.train()
    noise = gan.noise(6, np.random.default_rng(0))
    before = gan.generator.state_dict()
    images = gan.generate(noise, batch=4)
    assert gan.generator.training
    assert all(np.array_equal(before[name], array) for name, array in gan.generator.state_dict().items())
    np.testing.assert_allclose(images[:1], gan.generate(noise[:1]), atol=1e-6)  # each image by itself
    assert gan.generate(noise[:0]).shape == (0, 28, 28, 1)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="no model is called 'dcgna'; did you mean dcgan"):
        models.build("dcgna")


@pytest.mark.parametrize("shape", [(30, 30, 1), (28, 32, 1)])
def test_sizes_that_the_dcgan_is_not_made_for_are_named(shape):
    with pytest.raises(ShapeError, match=rf"images are {shape[0]} x {shape[1]}.*28 x 28, 32 x 32 and 64 x 64.*resize"):
        models.build("dcgan", shape)


@pytest.mark.parametrize("shape", [(30, 30, 1), (28, 32, 1)])
def test_sizes_that_the_cgan_is_not_made_for_are_named(shape):
    with pytest.raises(ShapeError, match=rf"cgan: images are {shape[0]} x {shape[1]}.*28 x 28, 32 x 32 and 64 x 64"):
        models.build("cgan", shape)


@pytest.mark.parametrize(
    ("size", "first", "counts"), [(28, 7, [64, 128]), (32, 4, [64, 128, 256]), (64, 4, [64, 128, 256, 512])]
)
def test_the_cgans_maps_double_from_the_smallest(size, first, counts):
    gan = models.build("cgan", (size, size, 3))
    kernels = [p.shape[2:] for _, p in gan.discriminator.named_parameters() if p.ndim == 4]
    assert kernels == list(zip([3, *counts], counts, strict=False))
    transposed = [p.shape[2:] for _, p in gan.generator.named_parameters() if p.ndim == 4]
    assert transposed == list(zip([*counts[-2::-1], 3], counts[::-1], strict=True))
    assert gan.discriminator.score.inputs == first * first * counts[-1]


def test_the_cgan_has_as_many_classes_as_the_labels_say():
    gan = models.build("cgan", classes=3)
    assert gan.classes == 3
    assert gan.discriminator.classes.weight.shape == (3, 7 * 7 * 128)
    assert models.build("cgan").classes == 10


def test_what_the_cgan_makes_and_thinks_depends_on_the_class():
    gan = models.build("cgan")
    gan.generator.classes.weight.data[3] = gan.generator.classes.weight.data[2]
    gan.generator.layers[2].scale.data[3] = 2  # what is left of a difference between 2 and 3
    noise = gan.noise(4, np.random.default_rng(0))
    images = gan.generated(noise, np.array([0, 1, 2, 2])).numpy()
    other = gan.generated(noise, np.array([0, 1, 2, 3])).numpy()
    assert not np.array_equal(images[3], other[3])
    gan.generator.layers[2].scale.data[3] = 1
    np.testing.assert_allclose(gan.generated(noise, np.array([0, 1, 2, 3])).numpy(), images, atol=1e-6)
    scores = [gan.scores(mg.tensor(images), np.full(4, label)).numpy() for label in (0, 1)]
    rows = gan.discriminator.classes.weight.numpy()
    features = gan.discriminator.features(mg.tensor(images)).numpy()
    np.testing.assert_allclose(scores[1] - scores[0], (features @ (rows[1] - rows[0]))[:, None], atol=1e-5)


def test_labels_of_another_number_than_the_samples_are_refused():
    gan = models.build("cgan")
    noise = gan.noise(4, np.random.default_rng(0))
    for act in (gan.generated, gan.generate):
        with pytest.raises(ShapeError, match=r"cgan: 4 images need 4 labels, but labels have shape \(3,\)"):
            act(noise, np.zeros(3, np.int64))
    with pytest.raises(ShapeError, match=r"labels have shape \(\)"):
        gan.scores(mg.tensor(np.zeros((4, 28, 28, 1), np.float32)), None)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 64, 3)])
def test_sizes_that_the_rgan_is_not_made_for_are_named(shape):
    with pytest.raises(ShapeError, match=rf"rgan: images are {shape[0]} x {shape[1]}.*32 x 32 and 64 x 64.*--size 32"):
        models.build("rgan", shape)


def test_a_stage_of_the_rgan_keeps_what_it_was_given():
    """With the convolution silenced and the mixing of the skip alone, each pixel is there four times."""
    stage = Stage(4, 2)
    for _, parameter in stage.named_parameters():
        parameter.data[...] = 0
    stage.mix.weight.data[0, 0, 2:] = np.eye(4, 2)  # the first two channels belong to the convolution
    images = np.random.default_rng(0).uniform(size=(3, 5, 5, 4)).astype(np.float32)
    np.testing.assert_allclose(stage(mg.tensor(images)).numpy(), images[..., :2].repeat(2, 1).repeat(2, 2), rtol=1e-6)


def test_a_stage_of_the_rgan_mixes_both_as_if_they_were_joined():
    stage, images = Stage(6, 3).astype(np.float64), np.random.default_rng(0).standard_normal((2, 4, 4, 6))
    repeated = images.repeat(2, 1).repeat(2, 2)
    joined = mg.concatenate([stage.grow(mg.tensor(images)), mg.tensor(repeated)], axis=-1)
    expected = mg.leaky_relu(stage.mix(joined), slope=0.2)
    np.testing.assert_allclose(stage(mg.tensor(images)).numpy(), expected.numpy(), rtol=1e-12, atol=1e-14)


def test_the_rgan_is_as_its_description_says():
    gan = models.build("rgan", (64, 64, 3))
    kernels = [p.shape for network in (gan.generator, gan.discriminator) for _, p in network.named_parameters()]
    assert [shape for shape in kernels if len(shape) == 4 and shape[0] == 5] == [
        *((5, 5, 256, 512), (5, 5, 128, 256), (5, 5, 64, 128), (5, 5, 3, 64)),
        *((5, 5, 3, 64), (5, 5, 64, 128), (5, 5, 128, 256)),
    ]
    assert [shape for shape in kernels if len(shape) == 2] == [(100, 4 * 4 * 512), (8 * 8 * 256, 1024), (1024, 1)]
    for channels, expected in ((1, (1, 0)), (3, (10, 0.2))):
        recipes = [models.build("rgan", (size, size, channels)).recipe for size in RGAN_SIZES]
        assert {(recipe.r1, recipe.instance_noise) for recipe in recipes} == {expected}


@pytest.mark.parametrize("size", RGAN_SIZES)
def test_what_differs_in_noise_and_images_arrives_at_the_other_end_of_a_fresh_rgan(size):
    gan, rng = models.build("rgan", (size, size, 3)), np.random.default_rng(0)
    assert gan.generate(gan.noise(16, rng)).std(0).mean() > 0.3  # of pixels from -1 to 1
    images = rng.uniform(-1, 1, (16, size, size, 3)).astype(np.float32)
    assert gan.discriminator(mg.tensor(images)).numpy().std() > 0.1
    x = gan.noise(16, rng)
    for layer in gan.generator:
        x = layer(x)
        if isinstance(layer, Stage):
            assert 0.8 < np.sqrt(np.mean(x.numpy() ** 2)) < 1.2


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_every_parameter_of_a_model_is_trained(name, shape):
    gan = models.build(name, shape)
    images = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype(np.float32)
    trainer = Trainer(gan, Batches(images, gan.labels(2), batch_size=2), steps=1)
    before = [network.state_dict() for network in (gan.generator, gan.discriminator)]
    trainer.train_step(images, gan.labels(2))
    still = set()
    for network, old in zip((gan.generator, gan.discriminator), before, strict=True):
        after = network.state_dict()
        still |= {p for p, _ in network.named_parameters() if np.array_equal(old[p], after[p])}
    # what a last bias adds to both means is taken away again, also while all scores lie within a hinge's margins; the
    # one of wgan-clip moves by being clipped
    assert still == {"wgan": {"5.bias"}, "cgan": {"score.layer.bias"}}.get(name, set())


def test_images_are_three_dimensions():
    with pytest.raises(ShapeError, match=r"\(H, W, C\)"):
        models.build("dcgan", (28, 28))


@pytest.mark.parametrize(
    ("name", "shape", "size"),
    [
        ("rgan", (28, 28), 32),
        ("rgan", (32, 32), None),
        ("rgan", (33, 32), 64),
        ("dcgan", (28, 28), None),
        ("dcgan", (28, 32), 32),
        ("cgan", (100, 80), 64),
        ("mlp-gan", (17, 5), None),
    ],
)
def test_images_are_made_as_large_as_a_model_needs_them(name, shape, size):
    assert models.size_for(name, *shape) == size
    if size is None:
        models.build(name, (*shape, 1))


def test_a_digest_changes_with_every_weight_and_statistic():
    model = models.build("cnn", seed=1)
    assert models.build("cnn", seed=1).digest() == model.digest() != models.build("cnn", seed=2).digest()
    assert len(model.digest()) == 8
    seen = {model.digest()}
    tensors = [t for _, t in (*model.network.named_parameters(), *model.network.named_buffers())]
    for tensor in tensors:
        tensor.data.reshape(-1)[-1] += 1
        seen.add(model.digest())
    assert len(seen) == 1 + len(tensors)
