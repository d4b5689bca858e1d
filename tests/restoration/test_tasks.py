"""What images suffer, what a network is given of it, and the plain remedies."""

import numpy as np
import PIL.Image
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.errors import DataError, ShapeError, UnknownNameError
from minigan.restoration.tasks import HOLE, TASKS, bicubic, holes, mean_of_known, task_of


def images_of(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("name", TASKS)
def test_damage_comes_from_its_stream_alone_and_leaves_the_images(name):
    task, truth = TASKS[name], images_of(4, 8, 12, 3)
    before = truth.copy()
    first, again, other = (task.damage(truth, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(truth, before)
    assert np.array_equal(first.given, again.given)
    assert name == "super-resolution" or not np.array_equal(first.given, other.given)
    assert first.given.dtype == np.float32
    assert np.abs(first.given).max() <= 1
    assert first.given.shape[:3] == first.shown.shape[:3] == truth.shape[:3]
    assert first.shown.dtype == task.baseline(first).dtype == np.uint8
    assert task.baseline(first).shape == truth.shape


def test_super_resolution_is_given_what_pillow_makes_of_every_other_pixel():
    truth = images_of(2, 8, 6, 3)
    damaged = TASKS["super-resolution"].damage(truth, None)
    small = PIL.Image.fromarray(truth[0]).resize((3, 4), PIL.Image.Resampling.BICUBIC)
    large = np.asarray(small.resize((6, 8), PIL.Image.Resampling.BICUBIC))
    assert np.array_equal(TASKS["super-resolution"].baseline(damaged)[0], large)
    assert np.array_equal(damaged.shown[0], np.asarray(small).repeat(2, 0).repeat(2, 1))
    assert np.array_equal(bicubic(truth[..., :2], (8, 6)), truth[..., :2])
    with pytest.raises(ShapeError, match="7 x 6, but sides must be multiples of 2"):
        TASKS["super-resolution"].damage(truth[:, :7], None)


def test_noise_is_as_strong_as_said():
    truth = np.full((8, 64, 64, 1), 128, np.uint8)
    noise = TASKS["denoising"].damage(truth, np.random.default_rng(0)).shown.astype(float) - 128
    assert abs(noise.mean()) < 0.5
    assert noise.std() == pytest.approx(25, rel=0.02)


def test_the_median_filter_stays_within_an_image_and_a_channel():
    noisy = images_of(2, 6, 7, 3)
    task = TASKS["denoising"]
    cleaned = task.baseline(task.take(noisy))
    for image in range(2):
        for channel in range(3):
            expected = scipy.ndimage.median_filter(noisy[image, ..., channel], 3, mode="nearest")
            assert np.array_equal(cleaned[image, ..., channel], expected)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 3))
def test_a_hole_is_one_rectangle_of_the_size_that_is_said(height, width, seed):
    found = holes((6, height, width, 1), np.random.default_rng(seed))
    assert found.shape == (6, height, width, 1)
    for hole in found[..., 0]:
        rows, columns = hole.any(1), hole.any(0)
        assert np.array_equal(hole, rows[:, None] & columns)
        for line, size in ((rows, height), (columns, width)):
            places = np.flatnonzero(line)
            assert places[-1] - places[0] + 1 == len(places)
            assert max(1, round(HOLE[0] * size)) <= len(places) <= max(1, round(HOLE[1] * size))


def test_holes_are_everywhere():
    share = holes((4000, 8, 8, 1), np.random.default_rng(0)).mean((0, 3))
    assert share.min() > 0.02
    assert np.abs(share - share[::-1, ::-1]).max() < 0.03


def test_completion_is_given_the_mean_of_what_is_there_and_keeps_that():
    task, truth = TASKS["completion"], images_of(3, 8, 8, 3)
    damaged = task.damage(truth, np.random.default_rng(0))
    hole = damaged.hole[..., 0]
    known = [truth[i][~hole[i]].mean(0) for i in range(3)]
    assert np.abs(mean_of_known(truth, damaged.hole)[:, 0, 0] - np.array(known)).max() <= 0.5
    assert np.array_equal(damaged.given[..., 3] > 0, hole)
    baseline = task.baseline(damaged)
    assert np.array_equal(baseline[~hole], truth[~hole])
    assert np.array_equal(baseline[1][hole[1]][0], np.rint(known[1]))
    assert not damaged.shown[hole].any()
    output = np.full(truth.shape, 0.25, np.float32)
    finished = task.finish(damaged, output)
    assert np.array_equal(mg.data.to_uint8(finished)[~hole], truth[~hole])
    assert np.array_equal(finished[hole], output[hole])
    assert np.array_equal(finished, task.finish(damaged, mg.tensor(output)).numpy())


@pytest.mark.parametrize("hole", [None, np.zeros((2, 8, 7), bool), np.zeros((2, 8, 8), int)])
def test_completion_needs_to_know_where(hole):
    with pytest.raises(DataError, match=r"hole is .*but it must be bool \(N, H, W\)"):
        TASKS["completion"].take(images_of(2, 8, 8, 1), hole)


def test_an_unknown_task_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean denoising"):
        task_of("denoise")
