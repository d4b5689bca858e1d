import io

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.training.grids import GAP, enlarged, grid, png, spread


@given(st.integers(1, 13), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3]), st.integers(1, 6))
def test_every_image_is_in_its_place(count, height, width, channels, columns):
    images = np.random.default_rng(0).integers(0, 256, (count, height, width, channels), np.uint8)
    picture = grid(images, columns)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        assert np.array_equal(picture[top : top + height, left : left + width], image)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_pixels(channels):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    decoded = np.asarray(PIL.Image.open(io.BytesIO(png(picture)))).reshape(picture.shape)
    assert np.array_equal(decoded, picture)


def test_small_pictures_are_enlarged_by_whole_factors():
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    large = enlarged(picture, 12)
    assert large.shape == (8, 12, 1)
    assert np.array_equal(large[::4, ::4], picture)
    assert np.array_equal(enlarged(picture, 1), picture)


def test_what_is_no_picture_is_refused():
    with pytest.raises(mg.DataError, match="1 or 3"):
        png(np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(mg.DataError, match="no images"):
        grid(np.zeros((0, 2, 2, 1), np.uint8))


@given(st.integers(0, 50), st.integers(1, 20))
def test_what_is_spread_is_in_order_and_has_both_ends(count, most):
    chosen = spread(np.arange(count), most)
    assert len(chosen) == min(count, most)
    assert (np.diff(chosen) > 0).all()
    if count and most > 1:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
    gaps = np.diff(chosen)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1
