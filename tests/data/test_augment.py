import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minigan.data import Augment
from minigan.errors import DataError

shapes = st.tuples(st.integers(0, 3), st.integers(2, 7), st.integers(2, 7), st.sampled_from([1, 3]))
changes = st.builds(Augment, st.booleans(), st.integers(0, 3), st.integers(0, 1))
images_uint8 = arrays.arrays(np.uint8, shapes)
images_float = arrays.arrays(np.float32, shapes, elements=st.floats(-1, 1, width=32))
seeds = st.integers(0, 1000)


def generator(seed=0):
    return np.random.default_rng(seed)


@given(images_uint8 | images_float, changes, seeds)
def test_shape_dtype_range_and_input_are_kept(images, augment, seed):
    before = images.copy()
    changed = augment(images, generator(seed))
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert np.array_equal(images, before)
    assert not np.shares_memory(changed, images)
    for image, original in zip(changed, images, strict=True):
        assert original.min() <= image.min()
        assert image.max() <= original.max()


@given(images_uint8, changes, seeds)
def test_equal_generators_give_equal_batches(images, augment, seed):
    assert np.array_equal(augment(images, generator(seed)), augment(images, generator(seed)))


@given(images_uint8)
def test_no_change_is_the_identity(images):
    assert np.array_equal(Augment()(images, generator()), images)


def ramp(count=200, side=9):
    """Pixels that tell where they came from: 10 times the row plus the column."""
    rows, columns = np.mgrid[:side, :side]
    return np.broadcast_to((10 * rows + columns).astype(np.uint8)[None, :, :, None], (count, side, side, 1))


def test_flip_mirrors_about_half_of_the_images():
    images = ramp()
    changed = Augment(flip=True)(images, generator())
    mirrored = (changed == images[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (changed == images).all(axis=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 70 < mirrored.sum() < 130


def test_shift_moves_by_whole_pixels_up_to_the_limit_and_repeats_the_edge():
    images = ramp()
    changed = Augment(shift=2)(images, generator())
    seen = set()
    for image in changed:
        down, right = divmod(int(image[4, 4, 0]), 10)
        down, right = down - 4, right - 4
        rows, columns = (np.clip(np.arange(9) + move, 0, 8) for move in (down, right))
        assert np.array_equal(image, images[0][rows][:, columns])
        seen.add((down, right))
    assert seen == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}


def test_crop_stretches_a_window_over_the_image():
    changed = Augment(crop=3)(ramp(), generator())
    top, left = divmod(changed[:, 0, 0, 0].astype(int), 10)
    assert set(top) == set(left) == {0, 1, 2, 3}
    assert np.array_equal(changed[:, -1, -1, 0], 10 * (top + 5) + left + 5)
    middle = 10 * (top + 2.5) + left + 2.5
    assert np.abs(changed[:, 4, 4, 0] - middle).max() <= 0.5


def test_images_of_a_batch_change_each_in_its_own_way():
    changed = Augment(flip=True, shift=3)(ramp(50), generator())
    assert len({image.tobytes() for image in changed}) > 20


def test_impossible_changes_are_refused():
    with pytest.raises(DataError, match=r"shift must be .*, not -1"):
        Augment(shift=-1)
    with pytest.raises(DataError, match="crop 9 leaves no pixels of 9 x 9 images"):
        Augment(crop=9)(ramp(), generator())
