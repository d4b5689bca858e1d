"""Beginning with another run's weights."""

import numpy as np
import pytest
from tiny_gan import same_bits, tiny_gan, tiny_images, weights_of

import minigan as mg
from minigan import models
from minigan.gan import RunError, TrainingError, fit
from minigan.gan.transfer import start_for


def begin_with(gan, source):
    start = start_for(gan, source)
    start.give(gan)
    return start.words


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    return folder, fit("mlp-gan", tiny_images(), steps=2, batch=8, out=folder).gan


def test_all_that_fits_is_taken_and_said(run):
    folder, trained = run
    gan = models.build("mlp-gan", (6, 6, 1), seed=9)
    told = begin_with(gan, folder)
    assert same_bits(gan, trained)
    assert told == [f"{player}: 6 of 6 arrays from {folder}" for player in ("generator", "discriminator")]


def test_what_differs_begins_afresh_and_is_said(run):
    folder, trained = run
    gan, before = (models.build("mlp-gan", (6, 6, 3), seed=9) for _ in range(2))
    told = begin_with(gan, folder)
    assert told[0] == "its images are 6 x 6 x 1, these are 6 x 6 x 3"
    assert told[1].startswith("generator: 4 of 6 arrays from")
    assert told[1].endswith(
        "newly initialised: 4.weight ((128, 36) there, (128, 108) here), 4.bias ((36,) there, (108,) here)"
    )
    taken = "generator.0.weight"
    assert np.array_equal(weights_of(gan)[taken], weights_of(trained)[taken])
    assert np.array_equal(weights_of(gan)["generator.4.bias"], weights_of(before)["generator.4.bias"])


def test_another_model_is_said(run):
    told = begin_with(models.build("wgan", (6, 6, 1)), run[0])
    assert told[0] == f"{run[0]} is a mlp-gan, this is a wgan"
    assert told[1].startswith("generator: 6 of 6")


def test_where_nothing_fits_it_is_refused(run):
    with pytest.raises(TrainingError, match=r"no weights of .* \(mlp-gan\) fit tiny"):
        begin_with(tiny_gan(), run[0])
    with pytest.raises(RunError, match="not a run of minigan"):
        begin_with(tiny_gan(), run[0].parent)


def test_where_nothing_fits_the_gan_stays_as_it_is(run):
    other = models.build("mlp-gan", (6, 6, 1)).change(["minibatch-std"])
    gan = tiny_gan()
    before = weights_of(gan)
    with pytest.raises(TrainingError, match=r"no weights of another mlp-gan .* fit tiny"):
        begin_with(gan, other)
    assert gan.changes == ()
    assert weights_of(gan).keys() == before.keys()


def test_a_discriminator_that_was_changed_is_changed_here_too(tmp_path):
    folder = tmp_path / "normed"
    trained = fit(tiny_gan(), tiny_images(), steps=2, spectral_norm=True, minibatch_std=True, out=folder).gan
    gan = tiny_gan(3)
    begin_with(gan, folder)
    assert gan.changes == ("minibatch-std", "spectral-norm")
    assert same_bits(gan, trained)


def test_training_goes_on_from_there_with_layers_frozen(run):
    folder, trained = run
    result = fit("mlp-gan", tiny_images(), steps=2, batch=8, start=folder, freeze=["generator.0"], seed=5)
    before, after = weights_of(trained), weights_of(result.gan)
    assert np.array_equal(before["generator.0.weight"], after["generator.0.weight"])
    assert not np.array_equal(before["generator.2.weight"], after["generator.2.weight"])
    # two steps of Adam at 2e-4 away; fresh weights are up to 0.17 away
    assert np.abs(before["generator.2.weight"] - after["generator.2.weight"]).max() <= 1e-3
    assert result.settings["start"][0].startswith("generator: 6 of 6")
    assert result.settings["frozen"] == ["generator.0"]


def test_another_gan_may_be_the_start(run):
    _, trained = run
    gan = models.build("mlp-gan", (6, 6, 1), seed=9)
    assert begin_with(gan, trained)[0] == "generator: 6 of 6 arrays from another mlp-gan"
    assert same_bits(gan, trained)


def test_progress_tells_it_first_and_the_report_too(run, capsys, tmp_path):
    fit("mlp-gan", tiny_images(), steps=1, batch=8, start=run[0], callbacks=[mg.gan.Progress()], out=tmp_path / "run")
    assert capsys.readouterr().err.splitlines()[0].startswith("generator: 6 of 6 arrays from")
    assert "initial weights" in (tmp_path / "run" / "report.html").read_text()
