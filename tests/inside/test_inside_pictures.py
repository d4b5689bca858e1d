"""Pictures of what was seen: every image whole and in its place, words beside and above, sizes that fit a page."""

import io

import numpy as np
import PIL.Image
import pytest

from minigan import inside, nn
from minigan.inside import pictures
from minigan.training.grids import SHADE

COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255]], np.uint8)


def decoded(png):
    return np.asarray(PIL.Image.open(io.BytesIO(png)).convert("RGB"))


def plain(rows, columns, height=4, width=6):
    """Images (rows, columns, height, width, 3), each of one colour."""
    return np.broadcast_to(COLOURS[: rows * columns].reshape(rows, columns, 1, 1, 3), (rows, columns, height, width, 3))


def boxes(picture):
    """Where each colour is, as (top, bottom, left, right); all within must be of it."""
    found = []
    for colour in COLOURS:
        rows, columns = np.nonzero((picture == colour).all(2))
        if len(rows):
            box = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
            assert (picture[box[0] : box[1], box[2] : box[3]] == colour).all()
            found.append(box)
    return np.array(found)


@pytest.mark.parametrize("words", [False, True])
def test_rows_of_images_are_whole_and_in_their_places(words):
    settings = {"beside": ["a", "longer"], "above": ["1", "2", "3"], "title": "words " * 40} if words else {}
    found = boxes(decoded(pictures.rows(plain(2, 3), **settings)))
    heights, widths = found[:, 1] - found[:, 0], found[:, 3] - found[:, 2]
    assert len(set(heights)) == len(set(widths)) == 1
    assert widths[0] / heights[0] == pytest.approx(6 / 4, rel=0.05)
    assert (found[:3, 0] == found[0, 0]).all()
    assert (found[3:, 0] > found[0, 1]).all()
    assert found[0, 2] == found[3, 2] < found[1, 2] < found[2, 2]


def test_words_make_room_and_blocks_are_apart():
    bare, spoken, apart = (
        decoded(pictures.rows(plain(2, 3), **how))
        for how in ({}, {"beside": ["a", "longer"], "above": "123", "title": "a title"}, {"together": 1})
    )
    assert spoken.shape[0] > bare.shape[0]
    assert spoken.shape[1] > bare.shape[1]
    left = boxes(spoken)[:, 2].min()
    assert (spoken[:, : left - 20] < 128).any()  # words are there
    column = apart[:, apart.shape[1] // 2]
    assert (column[boxes(apart)[0, 1] : boxes(apart)[3, 0]] == 255).any()  # white between blocks
    assert not (bare[boxes(bare)[0, 1] : boxes(bare)[3, 0], bare.shape[1] // 2] == 255).any()


def test_many_rows_stay_on_a_page():
    tall = decoded(pictures.rows(np.zeros((40, 3, 28, 28, 1), np.uint8)))
    assert max(tall.shape) < 1.5 * pictures.TALL


def test_signs_are_shades_around_grey_and_saliency_is_black_to_white():
    values = np.array([[-2.0, 0, 1, 2], [0, 0, 0, 0], [1, 0, -0.5, 0]]).reshape(3, 1, 4, 1)
    assert pictures.signed(values)[..., 0].tolist() == [[[0, 128, 191, 255]], [[128] * 4], [[255, 128, 64, 128]]]
    assert pictures.heat(np.array([[[0, 1.0, 2.0]], [[0, 0, 0]]]), 3).tolist() == [
        [[[0] * 3, [128] * 3, [255] * 3]],
        [[[0] * 3] * 3],
    ]


def test_views_are_cut_to_what_they_depend_on_and_dark_where_that_leaves_the_image():
    images = np.zeros((3, 6, 6, 3), np.uint8)
    images[0, 0, 0], images[1, 5, 3], images[2, 3, 2] = COLOURS[:3]  # at the top left, at the bottom, in the middle
    layer = nn.Conv2d(3, 1, 3, padding=1, bias=False)
    layer.weight.data[...] = 0
    layer.weight.data[1, 1] = 1
    found = inside.views(nn.Sequential(layer, nn.ReLU()), images.astype(np.float32) / 255, layer=1, maps=[0])
    assert found.boxes.tolist() == [[[0, 2, 0, 2], [4, 6, 2, 5], [2, 5, 1, 4]]]
    picture = decoded(pictures.views_of(found, images))
    red, green, blue = boxes(picture)
    side = red[1] - red[0]
    # in all cells the pixel is the middle one of 3 x 3
    assert red[0] == green[0] == blue[0]
    assert green[2] - red[2] == blue[2] - green[2] > 3 * side
    dark = picture[red[0] - side // 2, red[2] + side // 2]
    assert dark.tolist() == [SHADE] * 3
