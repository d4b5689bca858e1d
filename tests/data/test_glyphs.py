import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.data import glyphs
from minigan.data.glyphs import FORMS, POINTS
from minigan.errors import DataError


@settings(max_examples=25)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 2**40))
def test_a_smaller_count_is_the_beginning_of_a_larger(count, more, seed):
    few, many = glyphs(count, seed), glyphs(count + more, seed)
    assert np.array_equal(few.images, many.images[:count])
    assert np.array_equal(few.labels, many.labels[:count])


def test_the_same_seed_gives_the_same_bits_on_every_machine():
    digest = hashlib.sha256(glyphs(300, seed=7).images.tobytes()).hexdigest()
    assert digest == "42daf45649718bbb9f81ff3b66b1aafc911eee9ba6a0b8c10b82b0795cce2f64"


def test_seeds_and_splits_share_no_image():
    sets = [glyphs(200, seed, split) for seed in (0, 1) for split in ("train", "test")]
    images = {image.tobytes() for drawn in sets for image in drawn.images}
    assert len(images) == 800


def test_shapes_labels_and_classes():
    drawn = glyphs(500)
    assert drawn.images.shape == (500, 28, 28, 1)
    assert set(drawn.labels) == set(range(10))
    assert drawn.classes == tuple("0123456789")


def test_every_image_has_ink_inside_a_black_border():
    images = glyphs(2000).images
    assert (images.max(axis=(1, 2, 3)) >= 180).all()
    assert ((images > 0).mean(axis=(1, 2, 3)) > 0.02).all()
    for edge in (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]):
        assert not edge.any()


def test_edges_are_soft():
    images = glyphs(200).images
    assert ((images > 0) & (images < 150)).any(axis=(1, 2, 3)).all()


def test_digits_can_be_told_apart_and_vary():
    """A linear classifier learns them, but not from a mean image alone: neither noise nor ten stamps."""
    train, test = glyphs(4000), glyphs(1000, split="test")

    def features(drawn):
        return np.concatenate([drawn.images.reshape(len(drawn), -1) / 255, np.ones((len(drawn), 1))], axis=1)

    targets = np.eye(10)[train.labels]
    inputs = features(train)
    weights = np.linalg.solve(inputs.T @ inputs + 5 * np.eye(inputs.shape[1]), inputs.T @ targets)
    assert np.mean((features(test) @ weights).argmax(axis=1) == test.labels) > 0.9
    spread = [np.std(train.images[train.labels == digit] / 255.0, axis=0).mean() for digit in range(10)]
    assert min(spread) > 0.08


@pytest.mark.parametrize("size", [24, 32, 64])
def test_other_sizes_show_the_same_drawing(size):
    small, large = glyphs(20), glyphs(20, size=size)
    assert large.images.shape == (20, size, size, 1)
    assert np.array_equal(small.labels, large.labels)
    ink = [drawn.images.mean(axis=(1, 2, 3)) for drawn in (small, large)]
    assert ink[1] == pytest.approx(ink[0], rel=0.05)


def test_every_digit_has_forms_whose_shares_make_one():
    for digit in range(10):
        assert sum(form.share for form in FORMS if form.digit == digit) == pytest.approx(1)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.digit}-{form.share}")
def test_a_spline_runs_through_its_points_in_short_steps(form):
    assert form.weights.sum(axis=1) == pytest.approx(np.ones(POINTS))
    box = np.array([form.width, 1]) * 20.5
    path, places = form.weights @ form.places * box, form.places * box
    nearest = np.sqrt(((places[:, None] - path) ** 2).sum(axis=2)).min(axis=1)
    assert nearest.max() < 0.5
    steps = np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1))
    assert np.sort(steps)[: -len(form.strokes)].max() < 0.9


@pytest.mark.parametrize("how", [{"count": -1}, {"seed": -1}, {"size": 7}, {"split": "valid"}])
def test_arguments_out_of_range_are_refused(how):
    with pytest.raises(DataError, match="glyphs"):
        glyphs(**how)
