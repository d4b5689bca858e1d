"""What each setting of a recipe does to a run."""

import json

import numpy as np
import pytest
from tiny_gan import SHAPE, same_bits, tiny_gan, tiny_images, weights_of

import minigan as mg
from minigan.data import Batches
from minigan.gan import Callback, DivergedError, Every, Recipe, Trainer, TrainingError, fit
from minigan.optim import Adam, RMSprop

SETTINGS = [
    {"objective": "wasserstein", "gradient_penalty": 10.0, "critic_steps": 3},
    {"r1": 10.0},
    {"objective": "wasserstein", "clip": 0.05, "optimiser": "rmsprop"},
    {"objective": "hinge", "spectral_norm": True, "minibatch_std": True, "ema": 0.9},
    {"label_smoothing": 0.1, "instance_noise": 0.5},
    {"objective": "least-squares", "generator_rate": 1e-3},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(s))
def test_a_run_is_the_same_to_the_bit_and_is_saved_and_loaded(settings, tmp_path):
    first = fit(tiny_gan(), tiny_images(), steps=4, out=tmp_path / "run", **settings)
    again = fit(tiny_gan(), tiny_images(), steps=4, **settings)
    assert same_bits(first.gan, again.gan)
    assert not same_bits(first.gan, fit(tiny_gan(), tiny_images(), steps=4).gan)
    loaded = mg.gan.load(tmp_path / "run", into=tiny_gan(7))
    assert same_bits(first.gan, loaded)
    assert np.array_equal(first.sample(5), mg.gan.sample(loaded, 5))
    recipe = json.loads((tmp_path / "run" / "config.json").read_text())["recipe"]
    assert {name: recipe[name] for name in settings} == settings


def test_a_step_of_wgan_gp_is_the_one_written_out():
    gan, other = tiny_gan(), tiny_gan()
    images = mg.data.scaled(tiny_images(40))
    recipe = Recipe("wasserstein", critic_steps=3, gradient_penalty=10.0, betas=(0.5, 0.9), generator_rate=1e-3)
    trainer = Trainer(gan, Batches(images, batch_size=8, seed=4), steps=9, seed=3, recipe=recipe)
    record = trainer.train_step(*next(trainer.batches))

    batches, generator, critic = Batches(images, batch_size=8, seed=4), other.generator, other.discriminator
    noises, mixings = mg.random.Philox(3, "noise"), mg.random.Philox(3, "mixing")
    for_critic = Adam(critic.parameters(), 2e-4, betas=(0.5, 0.9))
    for _ in range(3):
        real = mg.tensor(next(batches)[0])
        fake = generator(other.noise(8, noises))
        mixing = mixings.random((8, 1, 1, 1))
        points = mg.tensor(mixing * real.numpy() + (1 - mixing) * fake.numpy(), requires_grad=True)
        slopes = mg.grad(critic(points).sum(), points, create_graph=True)
        penalty = ((mg.sqrt((slopes * slopes).sum((1, 2, 3))) - 1) ** 2).mean()
        loss = critic(fake.detach()).mean() - critic(real).mean() + 10 * penalty
        for_critic.step(mg.grad(loss, critic.parameters()))
    generator_loss = -critic(fake).mean()
    Adam(generator.parameters(), 1e-3, betas=(0.5, 0.9)).step(mg.grad(generator_loss, generator.parameters()))

    assert record["discriminator_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert record["generator_loss"] == pytest.approx(generator_loss.item(), rel=1e-5)
    assert record["gradient_penalty"] == pytest.approx(penalty.item(), rel=1e-5)
    expected, found = weights_of(other), weights_of(gan)
    # Batch norm subtracts the mean, so the gradient of this bias is rounding, which Adam scales up to its rate.
    free = "generator.0.0.bias"
    np.testing.assert_allclose(found.pop(free), weights_of(tiny_gan())[free], rtol=0, atol=1e-3 * (1 + 1e-4))
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-6, err_msg=name)
    assert trainer.batches.at == batches.at


def test_epochs_count_every_batch_that_the_critic_sees():
    result = fit(tiny_gan(), tiny_images(40), epochs=3, critic_steps=5)  # 5 batches of 8 an epoch
    assert len(result.history) == 3
    assert result.history.column("epoch").tolist() == [1, 2, 3]


def test_r1_is_on_real_images_alone():
    record = fit(tiny_gan(), tiny_images(), steps=1, batch=8, r1=10.0)
    plain = fit(tiny_gan(), tiny_images(), steps=1, batch=8)
    penalty = record.history[0]["r1"]
    expected = plain.history[0]["discriminator_loss"] + 5 * penalty
    assert record.history[0]["discriminator_loss"] == pytest.approx(expected, rel=1e-6)
    assert penalty > 0


def test_clipping_keeps_the_discriminators_weights_small():
    largest = []

    def look(trainer, record):
        largest.append(max(np.abs(p.numpy()).max() for p in trainer.gan.discriminator.parameters()))

    result = fit(tiny_gan(), tiny_images(), steps=3, clip=0.05, callbacks=[Every(1, look)])
    assert largest == [np.float32(0.05)] * 3
    assert max(np.abs(p.numpy()).max() for p in result.gan.generator.parameters()) > 0.05


def test_each_player_has_its_optimiser_and_rate():
    trainer = Trainer(
        tiny_gan(), None, steps=1, recipe=Recipe(optimiser="rmsprop", generator_rate=0.25, discriminator_rate=0.5)
    )
    players = trainer.generator_optimiser, trainer.discriminator_optimiser
    assert [type(optimiser) for optimiser in players] == [RMSprop] * 2
    assert [optimiser.groups[0]["lr"] for optimiser in players] == [0.25, 0.5]


def test_smoothed_labels_raise_the_loss_of_a_sure_discriminator():
    def first_loss(**settings):
        return fit(tiny_gan(), tiny_images(), steps=1, **settings).history[0]["discriminator_loss"]

    gan, images = tiny_gan(), mg.data.scaled(tiny_images(8))
    drawn = Trainer(gan, None, steps=1).drawn(images)
    real, fake = gan.discriminator(drawn.real), gan.discriminator(gan.generator(drawn.noise))
    smoothed = (0.75 * mg.softplus(-real) + 0.25 * mg.softplus(real)).mean() + mg.softplus(fake).mean()
    trainer = Trainer(tiny_gan(), None, steps=1, recipe=Recipe(label_smoothing=0.25))
    assert trainer.train_step(images)["discriminator_loss"] == pytest.approx(smoothed.item(), rel=1e-5)
    assert first_loss(label_smoothing=0.25) != first_loss()


def test_instance_noise_falls_to_nothing_over_the_run():
    images = np.zeros((64, *SHAPE), np.float32)
    trainer = Trainer(tiny_gan(), None, steps=4, recipe=Recipe(instance_noise=0.8))
    spreads = []
    for trainer.step in range(4):
        drawn = trainer.drawn(images)
        spreads.append(drawn.real.numpy().std())
        assert drawn.fake_noise.numpy().std() == pytest.approx(spreads[-1], rel=0.1)
        assert not np.array_equal(drawn.fake_noise.numpy(), drawn.real.numpy())
    assert spreads == pytest.approx([0.8, 0.6, 0.4, 0.2], rel=0.1)
    trainer.step = 4
    assert not trainer.drawn(images).fake_noise.numpy().any()


def test_the_average_makes_samples_and_previews_and_the_generator_trains_on(tmp_path):
    class Looking(Callback):
        def on_step(self, trainer, record):
            self.preview, self.trainer = trainer.preview(), trainer

    looking = Looking()
    result = fit(tiny_gan(), tiny_images(), steps=6, ema=0.5, learning_rate=0.05, callbacks=[looking])
    gan, plain = result.gan, fit(tiny_gan(), tiny_images(), steps=6, learning_rate=0.05).gan
    assert np.array_equal(gan.generator.state_dict()["0.0.weight"], plain.generator.state_dict()["0.0.weight"])
    assert not np.array_equal(gan.average.state_dict()["0.0.weight"], gan.generator.state_dict()["0.0.weight"])
    noise = gan.noise(64, mg.random.Philox(0, "preview"))
    assert np.array_equal(looking.preview, mg.data.to_uint8(gan.average(noise).numpy()))
    assert not np.array_equal(result.sample(4), mg.gan.sample(plain, 4))
    result.save(tmp_path / "run")
    loaded = mg.gan.load(tmp_path / "run", into=tiny_gan())
    assert np.array_equal(loaded.average.state_dict()["0.1.running_mean"], gan.average.state_dict()["0.1.running_mean"])


def test_the_average_follows_every_step():
    start, result = weights_of(tiny_gan()), fit(tiny_gan(), tiny_images(), steps=1, ema=0.9)
    now = result.gan.generator.state_dict()["0.0.weight"]
    expected = 0.1 * start["generator.0.0.weight"] + 0.9 * now  # at first the present counts for most
    np.testing.assert_allclose(result.gan.average.state_dict()["0.0.weight"], expected, rtol=1e-5, atol=1e-7)


def test_a_weight_file_without_an_average_leaves_none(tmp_path):
    fit(tiny_gan(), tiny_images(), steps=1, out=tmp_path / "run")
    averaged = fit(tiny_gan(), tiny_images(), steps=1, ema=0.5).gan
    assert mg.gan.load(tmp_path / "run", into=averaged).average is None


def test_scores_that_only_count_beside_one_another_are_told_from_the_middle():
    """All scores shifted: the critic is as right as before."""
    gan, recipe = tiny_gan(), Recipe("wasserstein", clip=10.0)
    images = mg.data.scaled(tiny_images(8))
    before = Trainer(tiny_gan(), None, steps=1, recipe=recipe).train_step(images)
    gan.discriminator[3].bias.data += 5
    after = Trainer(gan, None, steps=1, recipe=recipe).train_step(images)
    assert before["real_accuracy"] == after["real_accuracy"]
    assert 0 < before["real_accuracy"] + before["fake_accuracy"] < 2


def test_a_player_that_would_become_nan_has_not_moved():
    gan = tiny_gan()
    trainer = Trainer(gan, None, steps=1, recipe=Recipe("wasserstein", gradient_penalty=1e38))
    images = mg.data.scaled(tiny_images(8))
    for parameter in gan.discriminator.parameters():
        parameter.data *= 1e3
    before = weights_of(gan)
    with pytest.raises(DivergedError, match=r"discriminator's loss is inf"), np.errstate(all="ignore"):
        trainer.train_step(images)
    for name, _ in gan.discriminator.named_parameters():
        assert np.array_equal(before[f"discriminator.{name}"], weights_of(gan)[f"discriminator.{name}"])


def test_penalties_are_in_the_report_and_in_what_progress_tells(tmp_path, capsys):
    fit(tiny_gan(), tiny_images(), steps=2, r1=1.0, out=tmp_path / "run", callbacks=[mg.gan.Progress()])
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "R1 1" in page
    assert "penalty" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------- freezing


def test_what_is_frozen_stays():
    before = weights_of(tiny_gan())
    after = weights_of(fit(tiny_gan(), tiny_images(), steps=2, freeze=["generator.0.0", "discriminator.1"]).gan)
    frozen = {name for name in before if name.startswith(("generator.0.0.", "discriminator.1."))}
    assert len(frozen) == 4
    for name, array in before.items():
        assert np.array_equal(array, after[name]) == (name in frozen), name


def test_a_player_that_is_frozen_whole_or_a_part_that_is_not_there_is_said():
    with pytest.raises(TrainingError, match="the whole generator is frozen"):
        fit(tiny_gan(), tiny_images(), steps=1, freeze=["generator"])
    with pytest.raises(mg.UnknownNameError, match=r"no part of tiny is called 'generator\.9'"):
        fit(tiny_gan(), tiny_images(), steps=1, freeze=["generator.9"])
