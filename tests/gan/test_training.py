import numpy as np
import pytest
from tiny_gan import same_bits, tiny_gan, tiny_images, weights_of

import minigan as mg
from minigan.gan import Callback, DivergedError, Every, Trainer, TrainingError, fit
from minigan.optim import Adam


@pytest.mark.numba
def test_one_step_is_the_one_written_out():
    gan, other = tiny_gan(), tiny_gan()
    images = mg.data.scaled(tiny_images(8))
    trainer = Trainer(gan, None, steps=1, seed=3)
    record = trainer.train_step(images)

    generator, discriminator = other.generator, other.discriminator
    noise = other.noise(8, mg.random.Philox(3, "noise"))
    fake = generator(noise)
    real_logits, fake_logits = discriminator(mg.tensor(images)), discriminator(fake.detach())
    loss = mg.mean(mg.softplus(-real_logits)) + mg.mean(mg.softplus(fake_logits))
    loss.backward()
    Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999)).step()
    assert record["discriminator_loss"] == pytest.approx(loss.item())
    loss = mg.mean(mg.softplus(-discriminator(fake)))
    loss.backward()
    Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999)).step()
    assert record["generator_loss"] == pytest.approx(loss.item())
    assert record["real_accuracy"] == np.mean(real_logits.numpy() > 0)
    assert record["fake_accuracy"] == np.mean(fake_logits.numpy() < 0)
    expected = weights_of(other)
    for name, array in weights_of(gan).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-6, atol=1e-7, err_msg=name)


def test_the_same_seed_gives_the_same_weights_to_the_bit():
    first, again, other = (fit(tiny_gan(), tiny_images(), steps=7, seed=seed).gan for seed in (1, 1, 2))
    assert same_bits(first, again)
    assert not same_bits(first, other)


def test_drawing_previews_and_samples_never_changes_training():
    class Curious(Callback):
        def on_start(self, trainer):
            self.first = trainer.preview()

        def on_step(self, trainer, record):
            self.last = trainer.preview()
            mg.gan.sample(trainer.gan, 3, seed=record["step"])

    curious = Curious()
    watched = fit(tiny_gan(), tiny_images(), steps=6, callbacks=[curious])
    alone = fit(tiny_gan(), tiny_images(), steps=6)
    assert same_bits(watched.gan, alone.gan)
    assert curious.first.shape == (64, 6, 6, 1)
    assert not np.array_equal(curious.first, curious.last)


def test_samples_use_running_statistics_and_fewer_are_the_beginning_of_more():
    result = fit(tiny_gan(), tiny_images(), steps=3)
    many = result.sample(20, seed=4)
    assert many.dtype == np.uint8
    assert many.shape == (20, 6, 6, 1)
    assert np.array_equal(result.sample(7, seed=4), many[:7])
    assert not np.array_equal(result.sample(20, seed=5), many)
    assert result.gan.generator.training


def test_the_history_has_every_step_and_its_epoch():
    result = fit(tiny_gan(), tiny_images(40), epochs=2)  # batches of 8: 5 steps an epoch
    assert len(result.history) == 10
    assert result.history.column("epoch").tolist() == [1] * 5 + [2] * 5
    assert result.history.column("step").tolist() == list(range(1, 11))
    assert np.isfinite(result.history.column("generator_loss")).all()
    assert (np.diff(result.history.column("seconds")) > 0).all()


def test_a_data_set_an_array_of_bytes_and_one_of_floats_train_alike():
    images = tiny_images()
    by_bytes = fit(tiny_gan(), images, steps=3).gan
    assert same_bits(by_bytes, fit(tiny_gan(), mg.data.scaled(images), steps=3).gan)
    assert same_bits(by_bytes, fit(tiny_gan(), mg.data.Dataset(images), steps=3).gan)


def test_a_model_may_be_a_name():
    result = fit("mlp-gan", tiny_images(), steps=1, batch=4)
    assert result.gan.image_shape == (6, 6, 1)


def test_a_callback_can_stop_the_run_and_all_of_them_see_the_end():
    ends = []

    class Watching(Callback):
        def on_end(self, trainer):
            ends.append((trainer.step, trainer.outcome))

    stopping = Every(2, lambda trainer, record: trainer.stop())
    result = fit(tiny_gan(), tiny_images(), steps=9, callbacks=[stopping, Watching()])
    assert len(result.history) == 2
    assert ends == [(2, "interrupted")]


def test_a_failing_callback_keeps_none_of_the_others_from_ending():
    ends = []

    class Ending(Callback):
        def on_end(self, trainer):
            ends.append(trainer.outcome)

    def fail(trainer, record):
        raise RuntimeError("no more paper")

    with pytest.raises(RuntimeError, match="no more paper"):
        fit(tiny_gan(), tiny_images(), steps=2, callbacks=[Ending(), Every(1, fail), Ending()])
    assert ends == ["failed", "failed"]


def test_a_loss_that_is_no_number_names_the_step_the_weight_and_what_to_try():
    def poison(trainer, record):
        trainer.gan.generator.parameters()[0].data[0, 0] = np.nan

    with pytest.raises(
        DivergedError, match=r"step 3: .* generator's 0\.0\.weight .* smaller learning rate than 0.0002"
    ):
        fit(tiny_gan(), tiny_images(), steps=9, callbacks=[Every(2, poison)])


def test_an_overflow_is_traced_to_its_operation():
    def inflate(trainer, record):
        for parameter in trainer.gan.discriminator.parameters():
            parameter.data[...] = 1e30

    with pytest.raises(DivergedError, match=r"step 2: the discriminator's loss is .*linear"), np.errstate(all="ignore"):
        fit(tiny_gan(), tiny_images(), steps=9, callbacks=[Every(1, inflate)])


@pytest.mark.parametrize(
    ("images", "settings", "words"),
    [
        (tiny_images()[..., 0], {}, r"images\[..., None\]"),
        ([[1, 2]], {}, "Dataset .* or an array"),
        (tiny_images().astype(np.int32) * 2, {}, "8-bit values run from 0 to 255"),
        (tiny_images().astype(np.float32), {}, r"lie in \[-1, 1\]"),
        (mg.data.scaled(tiny_images()) * np.nan, {}, r"lie in \[-1, 1\]"),
        (tiny_images()[:, :4], {}, r"is for images of \(6, 6, 1\), but these are \(4, 6, 1\)"),
        (tiny_images()[:0], {}, "shape"),
        (tiny_images(), {"batch": 41}, "a batch of 41 .* there are 40"),
        (tiny_images(), {"steps": 0}, "steps must be above 0, not 0"),
        (tiny_images(), {"epochs": -1}, "epochs must be above 0"),
        (tiny_images(), {"steps": 1, "epochs": 1}, "give one"),
        (tiny_images(), {"learning_rate": 0}, "learning rate must be above 0"),
        (tiny_images(), {"labels": np.zeros(3, np.int64)}, r"labels have shape \(3,\), .* each of 40 images"),
    ],
)
def test_what_cannot_be_trained_with_is_refused(images, settings, words):
    with pytest.raises((mg.DataError, TrainingError), match=words):
        fit(tiny_gan(), images, **settings)
