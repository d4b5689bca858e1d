"""The models that are not GANs: shapes, options, what is trained, and what they refuse."""

import numpy as np
import pytest

import minigan as mg
from minigan import models
from minigan.errors import MiniganError, ShapeError, UnknownNameError

RESTORATIONS = ("super-resolution", "completion", "denoising")


def images_of(shape, count=5):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def test_every_model_says_its_kind_and_builds_again_from_its_options():
    kinds = {"cnn": "classifier", "vae": "vae", "deconvnet": "restoration"}
    for name in models.available():
        model = models.build(name, (32, 32, 3))
        assert model.kind == kinds.get(name, "gan"), name
        assert model.networks()
        again = models.build(name, (32, 32, 3), **getattr(model, "options", {}))
        for part, network in model.networks().items():
            for key, array in network.state_dict().items():
                assert np.array_equal(array, again.networks()[part].state_dict()[key]), (name, part, key)


@pytest.mark.parametrize(
    ("name", "options"), [("cnn", {}), ("cnn", {"classes": 3}), ("deconvnet", {"task": "classification"})]
)
@pytest.mark.parametrize("shape", [(28, 28, 1), (9, 13, 3)])
def test_a_classifier_gives_a_logit_for_each_class(name, options, shape):
    model, images = models.build(name, shape, **options), images_of(shape)
    logits = model.logits(images, batch=2)
    assert logits.shape == (5, options.get("classes", 10))
    np.testing.assert_allclose(logits[3:4], model.logits(mg.data.scaled(images[3:4])), rtol=1e-4, atol=1e-6)
    assert model.predict(images).tolist() == logits.argmax(1).tolist()
    last = model.network[-1]
    features = model.features(images)
    np.testing.assert_allclose(features @ last.weight.numpy() + last.bias.numpy(), logits, rtol=1e-4, atol=1e-5)
    assert model.logits(images[:0]).shape == (0, logits.shape[1])
    assert model.network.training


def test_the_cnn_has_both_poolings_and_learns_in_every_parameter():
    network = models.build("cnn", (8, 8, 1)).network
    layers = [type(layer).__name__ for layer in network]
    assert [name for name in layers if name in ("Conv2d", "MaxPool2d", "AvgPool2d", "Linear")] == [
        *("Conv2d", "MaxPool2d", "Conv2d", "AvgPool2d", "Linear", "Linear"),
    ]
    images = mg.tensor(mg.data.scaled(images_of((8, 8, 1))))
    for gradient in mg.grad(mg.cross_entropy(network(images), np.arange(5)), network.parameters()):
        assert np.abs(gradient).max() > 0


def test_the_vae_decodes_with_the_dense_gans_generator():
    vae, gan = models.build("vae"), models.build("mlp-gan")
    assert repr(vae.decoder) == repr(gan.generator)
    images = images_of((28, 28, 1))
    noise = vae.noise(3, mg.random.Philox(0, "noise"))
    assert vae.generate(noise, batch=2).shape == (3, 28, 28, 1)
    assert vae.generate(noise[:0]).shape == vae.reconstruct(images[:0]).shape == (0, 28, 28, 1)
    assert np.abs(vae.reconstruct(images, batch=2)).max() <= 1
    np.testing.assert_allclose(vae.reconstruct(images)[3:], vae.reconstruct(images[3:]), atol=1e-6)


def test_the_vaes_bound_is_its_loss_over_all_images():
    vae, images = models.build("vae", (5, 4, 1)), images_of((5, 4, 1))
    parts = vae.bound(images, mg.random.Philox(1, "draw"), batch=5)
    noise = vae.noise(5, mg.random.Philox(1, "draw"))
    losses = vae.losses(mg.tensor(mg.data.scaled(images)), noise)
    assert parts == pytest.approx([loss.item() for loss in losses], rel=1e-6)
    assert vae.bound(images, np.random.default_rng(1), batch=2) == pytest.approx(
        vae.bound(images, np.random.default_rng(1), batch=3), rel=1e-5
    )


@pytest.mark.parametrize("task", RESTORATIONS)
@pytest.mark.parametrize("options", [{}, {"filters": 4, "kernel": 5, "depth": 2}])
def test_the_deconvnet_keeps_the_size_of_images(task, options):
    model = models.build("deconvnet", (12, 15, 3), task=task, **options)
    given = np.zeros((3, 12, 15, model.inputs), np.float32)
    assert model.inputs == 3 + (task == "completion")
    assert model.restore(given, batch=2).shape == (3, 12, 15, 3)
    assert model.restore(given[:, :11]).shape == (3, 11, 15, 3)
    assert model.restore(given[:0]).shape == (0, 12, 15, 3)


def test_the_deconvnet_is_as_its_document_says():
    network = models.build("deconvnet", (32, 32, 3)).network
    shapes = [parameter.shape for _, parameter in network.named_parameters() if parameter.ndim > 1]
    assert shapes == [(3, 3, 3, 32), (3, 3, 32, 32), (32, 3)]
    assert network[:2](mg.tensor(np.zeros((1, 32, 32, 3), np.float32))).shape == (1, 30, 30, 32)


def test_the_deconvnet_has_a_discriminator_where_asked_for():
    model = models.build("deconvnet", (12, 16, 3), adversarial=True)
    assert list(model.networks()) == ["network", "discriminator"]
    assert model.discriminator(mg.tensor(np.zeros((2, 12, 16, 3), np.float32))).shape == (2, 1)
    assert list(models.build("deconvnet", (12, 16, 3)).networks()) == ["network"]


def test_the_deconvnet_ends_a_gans_generator():
    for shape in ((28, 28, 1), (8, 12, 3)):
        gan = models.build("deconvnet-gan", shape)
        images = gan.generator(gan.noise(2, np.random.default_rng(0)))
        assert images.shape == (2, *shape)
        assert gan.discriminator(images).shape == (2, 1)


@pytest.mark.parametrize(
    ("name", "shape", "options", "error", "words"),
    [
        ("cnn", (3, 8, 1), {}, ShapeError, "images are 3 x 8, .* at least 4 x 4"),
        ("cnn", (8, 8, 1), {"classes": 1}, ShapeError, "at least 2"),
        ("cnn", (8, 8, 1), {"clases": 3}, MiniganError, "no option 'clases'; its options are: classes"),
        ("rgan", (32, 32, 1), {"task": "denoising"}, MiniganError, "there is no option 'task'"),
        ("deconvnet", (8, 8, 1), {"task": "denoise"}, UnknownNameError, "did you mean denoising"),
        ("deconvnet", (8, 8, 1), {"kernel": 5, "depth": 2}, ShapeError, "8 pixels that the convolutions remove"),
        ("deconvnet", (8, 8, 1), {"filters": 0}, ShapeError, "filters 0"),
        ("deconvnet", (7, 8, 1), {"task": "classification"}, ShapeError, "7 x 8"),
        ("deconvnet", (7, 8, 1), {"adversarial": True}, ShapeError, "7 x 8, but a discriminator"),
        ("deconvnet-gan", (30, 28, 1), {}, ShapeError, "30 x 28.*multiples of 4"),
    ],
)
def test_what_a_model_cannot_be_is_refused(name, shape, options, error, words):
    with pytest.raises(error, match=words):
        models.build(name, shape, **options)


def test_images_of_another_shape_are_named():
    with pytest.raises(ShapeError, match=r"cnn is for images of \(28, 28, 1\), but these are \(8, 8, 1\)"):
        models.build("cnn").logits(images_of((8, 8, 1)))
    with pytest.raises(ShapeError, match=r"takes \(N, H, W, 2\), but received"):
        models.build("deconvnet", task="completion").restore(images_of((8, 8, 1)))
