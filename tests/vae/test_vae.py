"""Training variational autoencoders: the step, the bound at the end, samples, the run folder."""

import json

import numpy as np
import pytest

import minigan as mg
from minigan import optim, vae
from minigan.training import DivergedError, Every, TrainingError
from minigan.vae import paired


@pytest.fixture(scope="module")
def glyphs():
    return mg.data.glyphs(200, size=8)


def fit(glyphs, **settings):
    return vae.fit("vae", glyphs, **{"steps": 10, "batch": 16, "latent_size": 7, **settings})


def same_bits(first, second):
    return all(
        np.array_equal(array, second.networks()[part].state_dict()[name])
        for part, network in first.networks().items()
        for name, array in network.state_dict().items()
    )


def test_one_step_is_the_one_written_out(glyphs):
    images = mg.data.scaled(glyphs.images[:16])
    models = [mg.models.build("vae", glyphs.shape, seed=4) for _ in range(2)]
    trainer = vae.Trainer(models[0], None, steps=1, seed=9)
    record = trainer.train_step(images)
    other = models[1]
    noise = mg.random.Philox(9, "noise").standard_normal((16, 100))
    losses = other.losses(mg.tensor(images), mg.tensor(noise))
    parameters = [*other.encoder.parameters(), *other.decoder.parameters()]
    optim.Adam(parameters, lr=1e-3).step(mg.grad(losses[0] + losses[1], parameters))
    assert [record[name] for name in ("reconstruction", "divergence")] == [loss.item() for loss in losses]
    assert record["loss"] == pytest.approx(sum(loss.item() for loss in losses), rel=1e-6)
    assert same_bits(*models)


def test_it_learns_and_the_bound_is_that_of_the_held_out_images():
    glyphs, held_out = (
        mg.data.glyphs(count, size=14, split=split) for count, split in ((1000, "train"), (100, "test"))
    )
    start = mg.models.build("vae", glyphs.shape, latent_size=7).bound(held_out.images, mg.random.Philox(0, "x"))
    result = fit(glyphs, steps=300, batch=32, test=held_out)
    assert result.bound < 0.5 * sum(start)
    again = sum(result.model.bound(held_out.images, mg.random.Philox(0, "metrics")))
    assert result.bound == pytest.approx(again, rel=1e-6)
    assert error_of(result.reconstruct(held_out.images), held_out) < 0.85 * error_of(glyphs.images.mean(0), held_out)


def error_of(images, dataset):
    return np.mean((images - dataset.images.astype(float)) ** 2)


def test_samples_are_the_same_for_the_same_seed_and_draw_nothing_else(glyphs, tmp_path):
    result = fit(glyphs, out=tmp_path / "run")
    many = result.sample(20, seed=4)
    assert (many.dtype, many.shape) == (np.uint8, (20, 8, 8, 1))
    assert np.array_equal(result.sample(7, seed=4), many[:7])
    assert not np.array_equal(result.sample(20, seed=5), many)
    assert same_bits(result.model, fit(glyphs).model)
    with pytest.raises(TrainingError, match="count must be above 0, not 0"):
        result.sample(0)


def test_a_run_keeps_samples_reconstructions_the_bound_and_what_builds_it_again(glyphs, tmp_path):
    result = fit(glyphs, out=tmp_path / "run", test=glyphs.images[:30])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["kind"] == "vae"
    assert config["results"]["bound"] == result.bound
    assert sum(config["results"][part] for part in ("reconstruction", "divergence")) == pytest.approx(result.bound)
    model = vae.load(tmp_path / "run")
    assert model.latent_size == 7
    assert same_bits(model, result.model)
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"{result.bound:.1f} nats" in page
    assert (tmp_path / "run" / "pictures" / "reconstructions.png").is_file()
    assert len(list((tmp_path / "run" / "samples").iterdir())) >= 3


def test_pairs_of_rows():
    above = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) + 1
    assert paired(above, above + 10, columns=3).ravel().tolist() == [1, 2, 3, 11, 12, 13, 4, 5, 0, 14, 15, 0]


def test_a_loss_that_is_no_number_is_traced(glyphs):
    def inflate(trainer, record):
        trainer.model.encoder[-1].bias.data[7:] = 1e5

    with pytest.raises(DivergedError, match=r"step 2: the loss is nan; exp, called"), np.errstate(all="ignore"):
        fit(glyphs, callbacks=[Every(1, inflate)])
