"""A fresh discriminator: it cannot tell real images from real ones, and tells others at once."""

import numpy as np
import pytest
from scipy import stats

import minigan as mg
from minigan.errors import DataError
from minigan.evaluation import tell_apart

SIZE = 16  # pixels, which a discriminator learns in a quarter of the time of 28
REAL = mg.data.glyphs(800, size=SIZE).images


def test_real_images_cannot_be_told_from_real_ones():
    found = tell_apart(mg.data.glyphs(800, size=SIZE, seed=3).images, REAL, steps=60)
    assert found.held_out == 400
    of_scipy = stats.binomtest(round(800 * found.accuracy), 800).proportion_ci(method="wilson")
    assert found.interval == pytest.approx((of_scipy.low, of_scipy.high))
    assert abs(found.accuracy - 0.5) < 2 * (found.interval.high - found.interval.low)


def test_worse_images_are_told_with_more_ease():
    noise = np.random.default_rng(0).integers(0, 256, (300, SIZE, SIZE, 1), np.uint8)
    found = tell_apart(noise, REAL, steps=60)
    assert (found.accuracy, found.on_real, found.on_made) == (1, 1, 1)
    assert found.held_out == 150
    assert found.interval.low < 0.99 < found.interval.high == 1  # nobody knows of 300 images that none will be missed
    dimmed = tell_apart((REAL[::-1] * 0.8).astype(np.uint8), REAL, steps=60)
    assert 0.6 < dimmed.accuracy <= 1
    assert dimmed.accuracy == pytest.approx((dimmed.on_real + dimmed.on_made) / 2)


def test_it_is_asked_about_what_it_has_not_learned_from():
    """Of images that say nothing of their kind, a discriminator learns its own by heart and is right by chance."""
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (100, 8, 8, 1), np.uint8) for _ in range(2))
    assert tell_apart(first, second, steps=200).accuracy == pytest.approx(0.5, abs=0.2)


def test_the_same_seed_tells_the_same():
    found = [tell_apart(REAL[:60], REAL[400:], steps=5, seed=seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_either_kinds_share_is_its_own():
    """Half of the generated images are real ones, and nearly half of all; the discriminator says "real" of those."""
    noise = np.random.default_rng(0).integers(0, 256, (300, SIZE, SIZE, 1), np.uint8)
    found = tell_apart(np.concatenate([REAL[:300], noise]), REAL[200:], steps=120)
    assert found.on_made < 0.8 < found.on_real


def test_halves_are_drawn_at_random():
    """Generated images in an order, noise first: half of either half is noise."""
    noise = np.random.default_rng(0).integers(0, 256, (100, SIZE, SIZE, 1), np.uint8)
    found = tell_apart(np.concatenate([noise, np.zeros_like(noise)]), REAL[:200], steps=60)
    assert found.accuracy > 0.95  # of what comes last only, nothing would have been learned


@pytest.mark.parametrize(
    ("made", "message"),
    [(REAL[:19], "at least 20 of each"), (REAL[:, :12], "shapes must match"), (REAL / 255, "uint8")],
)
def test_what_cannot_be_told_apart_is_refused(made, message):
    with pytest.raises(DataError, match=message):
        tell_apart(made, REAL)
