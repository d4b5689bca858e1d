import numpy as np
import pytest
from data_files import image_bytes, png_16, tar_bytes, write_tree
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigan.data import image_folder, load, load_splits
from minigan.errors import DataError


@pytest.fixture(params=["folder", "tar"])
def place(request, tmp_path):
    """Writes {name: bytes} as a folder or as an archive."""

    def write(files):
        if request.param == "folder":
            write_tree(tmp_path, files)
            return tmp_path
        (tmp_path / "images.tar").write_bytes(tar_bytes(files))
        return tmp_path / "images.tar"

    return write


def good(value):
    return image_bytes(np.full((4, 4), value, np.uint8))


def test_more_images_than_memory_holds_are_refused(place, monkeypatch):
    path = place({"1.png": good(1), "2.png": good(2)})

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(np, "empty", fail)
    with pytest.raises(DataError, match="not enough memory for 2 images of 4 x 4; choose a smaller size"):
        image_folder(path)


# Depth


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_files_of_one_set_share_the_depth_of_the_brightest(place, bits, channels):
    largest = (1 << bits) - 1
    tops = [largest // 100, largest, largest // 30]
    files = {f"{i}.png": png_16(np.full((4, 4, channels), top, np.uint16)) for i, top in enumerate(tops)}
    dataset = image_folder(place({**files, "8-bit.png": good(77)}), channels=channels)
    found = dataset.images[:, 0, 0, 0]
    assert np.abs(found - np.array([*(255 * top / largest for top in tops), 77])).max() <= 0.51
    assert dataset.remarks == (
        () if bits == 16 else (f"the largest value in the 16-bit files is {largest}, so {largest} is taken as white",)
    )


def deep(value):
    return png_16(np.full((4, 4, 1), value, np.uint16))


def test_test_images_and_parts_of_a_set_have_the_scale_of_all_training_images(place):
    bright, dark = {"train/0.png": deep(4095), "train/1.png": deep(400)}, {"test/0.png": deep(409)}
    path = place({**bright, **dark})
    white = 255 / 4095
    assert load(path, split="test").images[0, 0, 0, 0] == round(409 * white)
    assert [split.images[-1, 0, 0, 0] for split in load_splits(path)] == [round(400 * white), round(409 * white)]
    path = place({f"flat/{i}.png": deep(value) for i, value in enumerate((100, 4000))})
    flat = path / "flat" if path.is_dir() else path
    assert load(flat, count=1).images[0, 0, 0, 0] == round(100 * white)


def test_test_images_on_another_scale_are_refused(place):
    path = place({"train/0.png": deep(255), "test/0.png": deep(256)})
    with pytest.raises(DataError, match="have values up to 256, but those of the training images up to 255"):
        load_splits(path)


def test_files_of_8_bits_have_no_remarks(place):
    assert image_folder(place({"a.png": good(1)})).remarks == ()


# Files that cannot be read

BROKEN = good(9)[:-20]
marks = st.lists(st.booleans(), max_size=28).map(lambda more: [True, False, *more][:: -1 if len(more) % 2 else 1])


def labelled(kept):
    return {
        f"{'cat' if i % 2 else 'ant'}/{i:02}.png": good(i) if good_one else BROKEN for i, good_one in enumerate(kept)
    }


@given(kept=marks)
def test_unreadable_files_are_listed_together(tmp_path_factory, kept):
    folder = tmp_path_factory.mktemp("mixed")
    write_tree(folder, labelled(kept))
    broken = sorted(name for name, content in labelled(kept).items() if content is BROKEN)
    with pytest.raises(DataError) as refused:
        image_folder(folder)
    first, *lines = str(refused.value).splitlines()
    assert f"{len(broken)} of {len(kept)} images cannot be read" in first
    assert "--skip-unreadable (from Python: skip_unreadable=True)" in first
    assert [line.split(":")[0].strip() for line in lines[:10]] == broken[:10]
    assert lines[10:] == ([f"  and {len(broken) - 10} more"] if len(broken) > 10 else [])


@given(kept=marks)
def test_unreadable_files_are_skipped_where_asked_for_and_counted(tmp_path_factory, kept):
    folder = tmp_path_factory.mktemp("mixed")
    write_tree(folder, {**labelled(kept), "ant/always.png": good(200), "cat/always.png": good(201)})
    dataset = image_folder(folder, skip_unreadable=True)
    values = [i for i, good_one in enumerate(kept) if good_one]
    expected = {**{i: i % 2 for i in values}, 200: 0, 201: 1}
    assert dict(zip(dataset.images[:, 0, 0, 0].tolist(), dataset.labels.tolist(), strict=True)) == expected
    assert dataset.left_out.plain() == {"unreadable": kept.count(False)}


def test_load_passes_it_on(place):
    path = place({f"{i:02}.png": good(i) for i in range(20)} | {"broken.png": BROKEN})
    assert len(load(path, skip_unreadable=True)) == 20
    assert [len(split) for split in load_splits(path, skip_unreadable=True)] == [18, 2]
    with pytest.raises(DataError, match="1 of 21 images cannot be read; replace or remove it"):
        load(path)


def test_a_set_without_one_readable_file_is_an_error(place):
    path = place({"a.png": BROKEN, "b.png": b""})
    for skip in (True, False):
        with pytest.raises(DataError, match="2 of 2 images cannot be read"):
            image_folder(path, skip_unreadable=skip)


# Frames


def test_several_frames_are_remarked_on(place):
    first, second = np.full((2, 4, 4), [[[3]], [[200]]], np.uint8)
    moving = image_bytes(first, "GIF", save_all=True, append_images=[Image.fromarray(second)])
    still = image_bytes(np.zeros((4, 4), np.uint8), "GIF")
    dataset = image_folder(place({"still.gif": still, "moving.gif": moving}), channels=1)
    assert dataset.images[:, 0, 0, 0].tolist() == [3, 0]
    assert dataset.remarks == ("1 file has several frames or pages, and only the first is used (moving.gif)",)
