"""Arguments that are none: an error of ours that says so, before anything is done; and nothing that is half done."""

import numpy as np
import pytest

import minigan as mg
from minigan.data import to_uint8
from minigan.errors import DataError, MiniganError
from minigan.training import Callback, RunError, TrainingError
from minigan.training.grids import grid, grid_png, png

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 1), np.uint8)
GAN = mg.models.build("mlp-gan", (8, 8, 1))
CNN = mg.models.build("cnn", (8, 8, 1), classes=2)
ENDS = mg.inside.ends(GAN, 2)
NUMBERS = ["3", "three", 2.5, -1, float("nan"), [1], {}, object(), None, np.array([1, 2]), np.array("x"), 1j]
CALLS = [  # arguments that are whole numbers
    (mg.inside.saliency, {"model": CNN, "images": IMAGES}, ("samples", "seed", "batch")),
    (mg.inside.views, {"network": CNN, "images": IMAGES, "layer": 2}, ("layer", "top", "batch")),
    (mg.inside.ends, {"model": GAN, "count": 2}, ("count", "seed")),
    (mg.inside.path, {"start": ENDS[0], "end": ENDS[1]}, ("steps",)),
    (mg.inside.interpolate, {"model": GAN, "start": ENDS[0], "end": ENDS[1]}, ("steps",)),
    (mg.inside.along, {"model": GAN, "noise": ENDS[0][0], "vectors": ENDS[0]}, ("steps",)),
    (mg.inside.directions, {"model": GAN, "points": 1}, ("count", "seed")),
    (mg.inside.class_means, {"model": GAN, "judge": CNN}, ("count", "seed")),
    (mg.evaluation.swapped, {"first": GAN, "second": GAN, "real": IMAGES}, ("count", "seed")),
    (mg.models.build, {"name": "vae"}, ("latent_size", "seed")),
    (mg.models.build, {"name": "deconvnet"}, ("filters", "kernel", "depth")),
    (CNN.predict, {"images": IMAGES}, ("batch",)),
    (mg.gan.Every, {"function": print}, ("steps",)),
]


@pytest.mark.parametrize(
    ("call", "usual", "name"),
    [(call, usual, name) for call, usual, names in CALLS for name in names],
    ids=lambda of: getattr(of, "__name__", of if isinstance(of, str) else ""),
)
def test_whole_numbers_are_whole(call, usual, name):
    for value in NUMBERS:
        with pytest.raises(MiniganError):
            call(**{**usual, name: value})


OTHERS = [
    (mg.inside.saliency, {"model": CNN, "images": IMAGES}, "noise", ["3", None, -1.0, float("nan")]),
    (mg.inside.views, {"network": CNN, "images": IMAGES, "layer": 2}, "maps", ["3", 2.5, 0, None]),
    (mg.inside.along, {"model": GAN, "noise": ENDS[0][0], "vectors": ENDS[0]}, "reach", ["3", None, float("nan")]),
    (mg.inside.interpolate, {"model": GAN, "end": ENDS[1]}, "start", ["words", ["a", "b"], None, {}]),
    (mg.inside.along, {"model": GAN, "noise": ENDS[0][0]}, "vectors", ["words", ["a", "b"], None, {}]),
    (mg.models.build, {"name": "cnn"}, "image_shape", ["abc", "888", 2.5, None, (8, 8.5, 1)]),
    *(
        (mg.gan.fit, {"model": "mlp-gan", "images": IMAGES, "steps": 1, "batch": 4}, name, values)
        for name, values in (
            ("freeze", [5, 2.5, True, object()]),
            ("objective", [[], {}, np.ones(2), 5]),
            ("optimiser", [[], {}, np.array(["adam", "b"]), 5]),
            ("critic_steps", ["3", 2.5, [1], np.array([1, 2])]),
            ("spectral_norm", ["False", [], 2.5]),
            ("minibatch_std", ["no", {}, np.ones(2)]),
        )
    ),
    *(
        (call, usual, name, [[], {}, 5, IMAGES, np.array("x"), ("a",)])
        for call, usual, name in (
            (mg.models.build, {}, "name"),
            (mg.models.build, {"name": "deconvnet"}, "task"),
            (lambda **how: mg.restoration.fit("deconvnet", IMAGES, steps=1, **how), {}, "task"),
            (lambda **how: mg.gan.fit("mlp-gan", IMAGES, steps=1, **how), {"batch": 4}, "device"),
            (mg.pruning.prune, {"network": CNN.network, "share": 0.5}, "scope"),
            (mg.evaluation.swapped, {"first": GAN, "second": GAN, "real": IMAGES, "count": 20}, "statistics"),
            (mg.inside.path, {"start": ENDS[0], "end": ENDS[1], "steps": 3}, "way"),
            (mg.resize, {"x": np.ones((1, 2, 2, 1), np.float32), "size": 4}, "mode"),
            (lambda name: mg.precision(name).__enter__(), {}, "name"),
        )
    ),
    (mg.models.build, {"name": "cnn"}, "classes", ["3", 2.5, [1], np.array([1, 2])]),
    (grid, {}, "images", ["3", [1], np.ones((2, 3)), IMAGES / 127.5 - 1]),
    (grid, {"images": IMAGES}, "columns", ["3", 2.5, -1, 0]),
    (grid_png, {}, "images", ["3", [1], np.ones((2, 3)), IMAGES / 255]),
    (mg.evaluation.answered, {}, "files", [5, [5], None, IMAGES, [b"a.json"], [[]], "none.json"]),
    (png, {}, "picture", ["3", [1], IMAGES, IMAGES[0] / 255]),
    *(
        (fit, {"images": IMAGES, "steps": 1, "batch": 4}, "callbacks", [5, "abc", [5], [None], Callback(), Callback])
        for fit in (lambda **how: mg.gan.fit("mlp-gan", **how), lambda **how: mg.vae.fit("vae", **how))
    ),
    *(
        (load, {}, "run", ["x" * 5000, "a\0b", "\ud800", b"x", 5, None])
        for load in (mg.gan.load, mg.vae.load, mg.classifier.load, mg.restoration.load)
    ),
    *(
        (fit, {"images": IMAGES, "steps": 1, "batch": 4}, "out", ["x" * 5000, "a\0b", "\ud800", b"x", 5])
        for fit in (lambda **how: mg.gan.fit("mlp-gan", **how),)
    ),
]


@pytest.mark.parametrize(("call", "usual", "name", "values"), OTHERS, ids=lambda of: of if isinstance(of, str) else "")
def test_what_is_no_argument_is_refused(call, usual, name, values):
    for value in values:
        with pytest.raises(MiniganError):
            call(**{**usual, name: value})


ALL = {
    "GAN": GAN,
    "VAE": mg.models.build("vae", (8, 8, 1), latent_size=3),
    "Classifier": CNN,
    "Restorer": mg.models.build("deconvnet", (8, 8, 1), filters=2),
}
SET = mg.data.Dataset(IMAGES, np.arange(32) % 2, "drawn", ("a", "b"))
OF_MODELS = [  # a call with one model, and the kinds that it takes
    (lambda model: mg.gan.sample(model, 2), ["GAN"]),
    (lambda model: mg.vae.sample(model, 2), ["VAE"]),
    (lambda model: mg.vae.reconstruct(model, IMAGES), ["VAE"]),
    (lambda model: mg.restoration.predict(model, IMAGES), ["Restorer"]),
    (lambda model: mg.restoration.evaluate(model, IMAGES, np.random.default_rng(0)), ["Restorer"]),
    (lambda model: mg.inside.ends(model, 2), ["GAN", "VAE"]),
    (lambda model: mg.inside.interpolate(model, *2 * [np.ones((1, ALL["VAE"].latent_size))]), ["VAE"]),
    (lambda model: mg.inside.along(model, *2 * [np.ones((1, ALL["VAE"].latent_size))]), ["VAE"]),
    (lambda model: mg.inside.directions(model, 1, points=1), ["GAN", "VAE"]),
    (lambda model: mg.inside.class_means(model, CNN, 4), ["GAN", "VAE"]),
    (lambda model: mg.inside.class_means(GAN, model, 4), ["Classifier"]),
    (lambda model: mg.inside.views(model, IMAGES, 2), ["Classifier"]),
    (lambda model: mg.inside.saliency(model, IMAGES), ["GAN", "Classifier"]),
    (lambda model: mg.evaluation.Reference(model, SET, SET), ["Classifier"]),
    (lambda model: mg.evaluation.evaluate(IMAGES, model, SET, SET), ["Classifier"]),
    (lambda model: mg.evaluation.swapped(model, GAN, IMAGES, 20), ["GAN"]),
    *(
        (lambda model, fit=fit: fit(model, SET, steps=1, batch=4), [kind])
        for fit, kind in zip((mg.gan.fit, mg.vae.fit, mg.classifier.fit, mg.restoration.fit), ALL, strict=True)
    ),
]


@pytest.mark.parametrize(("call", "kinds"), OF_MODELS)
def test_a_model_of_another_kind_is_refused(call, kinds):
    for kind, model in ALL.items():
        if kind in kinds:
            call(model)
            continue
        with pytest.raises(MiniganError):
            call(model)
    for other in ("a folder", None, 5, IMAGES, print, type(GAN), mg.nn.Linear(2, 2)):
        with pytest.raises(MiniganError):
            call(other)


def test_floats_of_0_to_255_are_not_clipped_to_white():
    with pytest.raises(DataError, match=r"run from 0 to 255.*rint"):
        to_uint8(np.arange(256.0))
    assert to_uint8(np.array([0.0, 1.5, 2.0])).tolist() == [128, 255, 255]
    bright = mg.models.build("mlp-gan", (2, 2, 1))
    bright.generator[-1].forward = lambda x: x * 0 + 100  # a network of one's own, in whatever state
    assert (mg.gan.sample(bright, 2) == 255).all()


def parts(model):
    return {
        (player, name): array.copy()
        for player, network in model.networks().items()
        for name, array in network.state_dict().items()
    }


def same(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_a_model_that_does_not_fit_is_left_as_it_was(tmp_path, kind):
    """Its first network fits, its second one does not."""
    module, name = {"gan": (mg.gan, "mlp-gan"), "vae": (mg.vae, "vae")}[kind]
    recipe = {"ema": 0.5, "minibatch_std": True} if kind == "gan" else {}
    module.fit(name, IMAGES, steps=1, batch=4, out=tmp_path / "run", **recipe)
    model = mg.models.build(name, (8, 8, 1), seed=5)
    last = model.players[1]
    setattr(model, last, mg.nn.Sequential(mg.nn.Linear(3, 4)))
    before, text = parts(model), repr(getattr(model, last))
    with pytest.raises(RunError, match="does not fit"):
        module.load(tmp_path / "run", into=model)
    assert same(parts(model), before)
    assert repr(getattr(model, last)) == text
    fitting = mg.models.build(name, (8, 8, 1), seed=5)
    assert module.load(tmp_path / "run", into=fitting) is fitting
    assert same(parts(fitting), parts(module.load(tmp_path / "run")))


@pytest.mark.parametrize(
    "how", [{"critic_steps": 0}, {"critic_steps": [1]}, {"r1": -1.0}, {"clip": 0.1}, {"device": "tpu"}]
)
def test_a_fit_that_is_refused_leaves_the_gan_as_it_was(how):
    gan = mg.models.build("mlp-gan", (8, 8, 1))
    before, text, start = parts(gan), repr(gan), mg.models.build("mlp-gan", (8, 8, 1), seed=1)
    with pytest.raises(MiniganError):
        mg.gan.fit(gan, IMAGES, epochs=1, batch=4, spectral_norm=True, freeze="generator.0", start=start, **how)
    assert same(parts(gan), before)
    assert repr(gan) == text
    assert len(gan.generator.parameters()) == len(start.generator.parameters())


def test_a_single_callback_is_told_of_brackets():
    with pytest.raises(TrainingError, match="brackets"):
        mg.gan.fit("mlp-gan", IMAGES, steps=1, batch=4, callbacks=mg.gan.Progress())
