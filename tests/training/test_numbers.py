"""NumPy's numbers as seed, rate or option: the same run as with Python's, which can be saved; others are refused."""

import json

import numpy as np
import pytest

import minigan as mg
from minigan.errors import MiniganError
from minigan.models import Recipe
from minigan.training import weights

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8)
LABELS = np.arange(24) % 2
FITS = {
    "gan": lambda **how: mg.gan.fit("mlp-gan", IMAGES, **{"steps": 1, "batch": 8, **how}),
    "vae": lambda **how: mg.vae.fit("vae", IMAGES, **{"steps": 1, "batch": 8, **how}),
    "classifier": lambda **how: mg.classifier.fit("cnn", IMAGES, labels=LABELS, **{"steps": 1, "batch": 8, **how}),
    "restoration": lambda **how: mg.restoration.fit("deconvnet", IMAGES, **{"steps": 1, "batch": 8, **how}),
}
OPTIONS = [
    *((kind, name, number) for kind in FITS for name, number in (("seed", 3), ("steps", 2), ("batch", 4))),
    *((kind, "learning_rate", 0.25) for kind in FITS),
    *(("gan", name, number) for name, number in (("critic_steps", 2), ("ema", 0.5), ("label_smoothing", 0.25))),
    *(("gan", name, number) for name, number in (("instance_noise", 0.5), ("clip", 0.25), ("generator_rate", 0.125))),
    *(("gan", name, True) for name in ("spectral_norm", "minibatch_std")),
    *(("restoration", name, number) for name, number in (("adversarial", 0.5), ("filters", 3), ("depth", 2))),
    ("vae", "latent_size", 5),
    ("classifier", "classes", 4),
]


def forms(number):
    """The same number as NumPy has it."""
    if isinstance(number, bool):
        return np.bool_(number), np.array(number)
    if isinstance(number, int):
        return np.int64(number), np.uint8(number), np.array(number), np.arange(9)[number]
    return np.float64(number), np.float32(number), np.float16(number), np.array(number)


@pytest.mark.parametrize(("kind", "option", "number"), OPTIONS, ids=[f"{kind}, {name}" for kind, name, _ in OPTIONS])
def test_numpys_numbers_are_the_same_and_are_kept(kind, option, number, tmp_path):
    form = forms(number)[sum(map(ord, kind + option)) % len(forms(number))]  # one of them each, all over all options
    expected, found = (FITS[kind](**{option: each}) for each in (number, form))
    kept = [
        (weights.packed(result._trainer.header(), result._trainer.state()), json.dumps(result.settings))
        for result in (expected, found)
    ]
    assert kept[0] == kept[1]
    if option == "seed":
        found.save(tmp_path / "run")
        assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == number


def test_an_augmentation_and_a_recipe_hold_pythons_numbers():
    augment = mg.data.Augment(flip=np.True_, shift=np.int64(2), crop=np.array(1))
    recipe = Recipe(generator_rate=np.float32(0.5), betas=np.array([0.5, 0.75]), ema=np.array(0.25))
    assert json.loads(json.dumps(vars(augment))) == {"flip": True, "shift": 2, "crop": 1}
    assert json.loads(json.dumps(recipe.plain()))["betas"] == [0.5, 0.75]
    for value in (*vars(augment).values(), *vars(recipe).values(), *recipe.betas):
        assert not isinstance(value, np.generic | np.ndarray)


def test_a_hand_built_model_with_numpys_numbers_is_saved(tmp_path):
    gan = mg.models.build("cgan", (28, 28, 1), classes=np.int64(2))
    gan.classes = np.int64(2)
    images = np.zeros((4, 28, 28, 1), np.uint8)
    mg.gan.fit(gan, images, labels=[0, 1, 0, 1], steps=1, batch=2, out=tmp_path / "run")
    assert mg.gan.load(tmp_path / "run").classes == 2


REFUSED = {
    "seed": ("3", 2.0, None, -1, np.float64(1), [1], 1j),
    "steps": ("3", 2.5, 0, -1, np.float32(2), [1], np.array([1]), 10.0),
    "epochs": ("3", 0, -2, 1.5),
    "batch": ("3", 0, 2.5, -1, 1000),
    "learning_rate": ("1e-4", 0, -1, float("nan"), float("inf"), np.float32("nan"), [1], 1j, 10**400, np.array([0.1])),
    "augment": ("flip", 3, {"flip": True}),
    "device": (None, 3, "gpu", ["cpu"]),
}


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("option", REFUSED)
def test_what_is_no_such_number_is_refused_in_words(kind, option):
    for value in REFUSED[option]:
        how = {"steps": None} if option == "epochs" else {}
        with pytest.raises(MiniganError):
            FITS[kind](**{**how, option: value})


@pytest.mark.parametrize(
    "how",
    [
        *({name: value} for name in ("ema", "clip", "r1", "generator_rate") for value in ("1", [1], float("nan"), -1)),
        *({"betas": value} for value in (0.5, "ab", (0.5,), (0.5, "x"), (0.5, 1.0), (0.1, 0.2, 0.3))),
        *({"critic_steps": value} for value in ("2", 0, 1.5)),
        *({"recipe": value} for value in ("wgan", 3, {"ema": 0.5})),
        *({"objective": value} for value in ("none", 3)),
        {"freeze": "decoder"},
        {"freeze": [3]},
        {"start": 5},
        {"start": mg.models.build("vae", (8, 8, 1))},
        {"out": 5},
    ],
    ids=str,
)
def test_other_settings_of_a_gan_are_refused_in_words(how):
    with pytest.raises(MiniganError):
        FITS["gan"](**how)


@pytest.mark.parametrize("count", [0, -1, "3", 2.5, None, [2], np.float32(2)])
def test_counts_and_seeds_of_samples_are_whole(count):
    gan, vae = mg.models.build("mlp-gan", (4, 4, 1)), mg.models.build("vae", (4, 4, 1))
    for module, model in ((mg.gan, gan), (mg.vae, vae)):
        with pytest.raises(MiniganError):
            module.sample(model, count)
        if count != 0:
            with pytest.raises(MiniganError):
                module.sample(model, 2, seed=count)
        assert np.array_equal(module.sample(model, np.int64(2), np.uint8(3)), module.sample(model, 2, 3))


@pytest.mark.parametrize("source", [None, 5, "~nobody-of-this-name/x", ["glyphs"], "a\0b"])
def test_a_source_that_is_no_name_or_path_is_refused(source):
    with pytest.raises(MiniganError):
        mg.data.load(source)
