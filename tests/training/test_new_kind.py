"""A new kind of model is one file, here this one, and one entry in the table."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

import minigan as mg
from minigan import autograd, kinds, models, ops, training
from minigan.kinds import Architecture, Kind
from minigan.models import Model
from minigan.models.model import as_floats
from minigan.nn import Flatten, Linear, Module, Reshape, Sequential, Tanh
from minigan.tool.__main__ import main
from minigan.training import Curves, RunError, Shown, TrainingError, fitting
from minigan.training.trainer import ModelTrainer


@dataclass
class Autoencoder(Model):
    """Images to a few numbers and back."""

    kind: ClassVar[str] = "autoencoder"
    players: ClassVar[tuple[str, ...]] = ("encoder", "decoder")

    name: str
    encoder: Module
    decoder: Module
    image_shape: tuple[int, int, int]
    options: dict = field(default_factory=dict)
    learning_rate: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)
    batch: int = 8
    first_run: tuple[int, int] = (4, 8)

    def input_shape(self, player):
        return (self.options["filters"],) if player == "decoder" else self.image_shape


def autoencoder(image_shape, rng, filters=3):
    pixels = int(np.prod(image_shape))
    encoder = Sequential(Flatten(), Linear(pixels, filters, rng=rng))
    decoder = Sequential(Linear(filters, pixels, rng=rng), Tanh(), Reshape(*image_shape))
    return Autoencoder("autoencoder", encoder, decoder, image_shape, {"filters": filters})


class Trainer(ModelTrainer):
    def __init__(self, model, batches, *, learning_rate=None, **how):
        super().__init__(model, batches, **how)
        self.optimiser = self.adam(learning_rate)

    def train_step(self, images, labels=None):
        given = self.on_device(images)
        loss = ops.mean_squared_error(self.model.decoder(self.model.encoder(given)), given)
        self.check_loss("the loss", loss, images, lambda: self.model.encoder(given))
        self.optimiser.step(autograd.grad(loss, self.optimiser.parameters))
        return {"loss": loss.item()}

    def measure(self):
        images = mg.tensor(as_floats(self.test))
        return ops.mean_squared_error(self.model.decoder(self.model.encoder(images)), images).item()

    def figures(self, error):
        return {"error": error}

    def shown(self):
        return Shown(curves=(Curves("Error", {"squared": "loss"}),), settings={"optimiser": self.optimiser_in_words()})


class Result(training.Result):
    def __init__(self, trainer, settings):
        super().__init__(trainer, settings)
        self.model = trainer.model


def fit(model, images, *, test=None, learning_rate=None, options=(), **how):
    asked = ("steps", "epochs", "batch", "augment", "out")
    how = {**dict.fromkeys(asked), "seed": 0, "device": "cpu", "callbacks": (), "force": False, **how}
    settings = {"learning_rate": learning_rate}
    return fitting.fit(KIND, model, images, test=test, options=dict(options), settings=settings, **how)


def sample(model, count, seed=0, label=None):
    codes = np.random.default_rng(seed).standard_normal((count, model.options["filters"]), np.float32)
    return np.rint(model.decoder(mg.tensor(codes)).numpy() * 127.5 + 127.5).astype(np.uint8)


KIND = Kind(
    name="autoencoder",
    plural="autoencoders",
    model=Autoencoder,
    models={"autoencoder": Architecture(autoencoder, "two dense layers; any image shape", options=("filters",))},
    trainer=Trainer,
    result=Result,
    fit=fit,
    sample=sample,
)


@pytest.fixture(autouse=True)
def entry(monkeypatch):
    monkeypatch.setitem(kinds.KINDS, "autoencoder", KIND)


def test_it_is_built_trained_saved_loaded_and_sampled(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    assert models.available()["autoencoder"] == "two dense layers; any image shape"
    assert models.kind_of("autoencoder") == "autoencoder"
    model = models.build("autoencoder", (8, 8, 1), filters=2)
    assert models.size(model)["decoder"].multiply_adds == 2 * 64
    with pytest.raises(mg.MiniganError, match="there is no option 'depth'; its options are: filters"):
        models.build("autoencoder", depth=2)
    result = fit(model, images, test=images[:10], steps=2, out=tmp_path / "run")
    assert len(result.history) == 2
    assert (tmp_path / "run" / "report.html").is_file()
    again = fitting.load(tmp_path / "run")
    assert again.digest() == model.digest()
    assert again.options == {"filters": 2}
    assert sample(again, 3).shape == (3, 8, 8, 1)
    with pytest.raises(RunError, match="a run of a autoencoder, not of a vae"):
        mg.vae.load(tmp_path / "run")
    with pytest.raises(TrainingError, match=r"autoencoder is a autoencoder; train it with mg\.autoencoder\.fit"):
        mg.vae.fit(model, images)


def test_the_commands_know_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--size", "8", "--steps", "2", "--filters", "2", "--learning-rate", "0.1", "--out", "run"]
    assert main(["train", "autoencoder", *options]) == 0, capsys.readouterr().err
    assert "more images: minigan sample run" in capsys.readouterr().out
    assert main(["sample", "run", "--count", "5", "--out", "x.npz"]) == 0
    assert np.array_equal(np.load("x.npz")["images"], sample(fitting.load("run"), 5))
    assert main(["train", "autoencoder", "--objective", "hinge"]) == 2
    assert "--objective is an option of GANs" in capsys.readouterr().err
    assert main(["train", "vae", "--filters", "2"]) == 2
    assert "--filters is an option of deconvnet and autoencoder" in " ".join(capsys.readouterr().err.split())
    assert main(["models"]) == 0
    assert "autoencoder" in capsys.readouterr().out


def test_without_the_entry_it_is_unknown(monkeypatch, tmp_path):
    fit("autoencoder", np.zeros((8, 4, 4, 1), np.uint8), steps=1, out=tmp_path / "run")
    monkeypatch.delitem(kinds.KINDS, "autoencoder")
    with pytest.raises(mg.UnknownNameError, match="no model is called 'autoencoder'"):
        models.build("autoencoder")
    with pytest.raises(RunError, match="its 'kind' is 'autoencoder', which minigan does not write"):
        fitting.load(tmp_path / "run")
