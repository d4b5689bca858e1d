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
    (mg.models.build, {}, "name", [[], {}, None, 5]),
    *(
        (call, usual, name, ["a folder", None, 5, [], mg.nn.Linear(2, 2), np.ones(3)])
        for call, usual, name in (
            (mg.gan.sample, {"count": 4}, "gan"),
            (mg.inside.saliency, {"images": IMAGES}, "model"),
            (mg.inside.ends, {"count": 4}, "model"),
            (mg.inside.interpolate, {"start": ENDS[0], "end": ENDS[1]}, "model"),
            (mg.inside.along, {"noise": ENDS[0][0], "vectors": ENDS[0]}, "model"),
            (mg.inside.directions, {"points": 1}, "model"),
            (mg.inside.class_means, {"judge": CNN}, "model"),
            (mg.inside.class_means, {"model": GAN}, "judge"),
        )
    ),
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
    (mg.models.build, {"name": "cnn"}, "classes", ["3", 2.5, [1], np.array([1, 2])]),
    (grid, {}, "images", ["3", [1], np.ones((2, 3)), IMAGES / 127.5 - 1]),
    (grid, {"images": IMAGES}, "columns", ["3", 2.5, -1, 0]),
    (grid_png, {}, "images", ["3", [1], np.ones((2, 3)), IMAGES / 255]),
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


def test_a_single_callback_is_told_of_brackets():
    with pytest.raises(TrainingError, match="brackets"):
        mg.gan.fit("mlp-gan", IMAGES, steps=1, batch=4, callbacks=mg.gan.Progress())
