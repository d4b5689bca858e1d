import builtins
import sys

import numpy as np
import pytest
from data_files import image_bytes, tar_bytes, write_tree, zip_bytes
from hypothesis import given
from hypothesis import strategies as st

from minigan.data import image_folder
from minigan.data.arrays import resized, with_channels
from minigan.errors import DataError


def shade(value, height=4, width=4):
    return image_bytes(np.full((height, width, 3), value, np.uint8))


LABELLED = {
    "cat/b.png": shade(20),
    "cat/a.PNG": shade(10),
    "ant/z.png": shade(30),
    "cat/deeper/c.png": shade(25),
    "cat/notes.txt": b"no image",
    "cat/._a.png": b"a Mac's resource fork",
    ".git/x.png": b"hidden",
}


PACKED = {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


@pytest.fixture(
    params=["folder", *PACKED, "zip", "zip with a leading folder", "tar with a leading folder", "tar with ./"]
)
def labelled(request, tmp_path):
    if request.param == "folder":
        write_tree(tmp_path, LABELLED)
        return tmp_path
    kind, _, lead = request.param.partition(" with ")
    lead = {"a leading folder": "photos/of/", "./": "./"}.get(lead, "")
    files = {lead + name: content for name, content in reversed(LABELLED.items())}
    path = tmp_path / "pets.packed"  # its content says how
    path.write_bytes(zip_bytes(files) if kind == "zip" else tar_bytes(files, PACKED[kind]))
    return path


def test_sub_folders_are_labels_and_names_give_the_order(labelled):
    dataset = image_folder(labelled)
    assert dataset.classes == ("ant", "cat")
    assert dataset.labels.tolist() == [0, 1, 1, 1]
    assert dataset.images[:, 0, 0, 0].tolist() == [30, 10, 20, 25]
    assert dataset.shape == (4, 4, 3)


def test_a_count_is_spread_over_the_labels(labelled):
    dataset = image_folder(labelled, count=2)
    assert dataset.labels.tolist() == [0, 1]
    assert dataset.images[:, 0, 0, 0].tolist() == [30, 20]
    with pytest.raises(DataError, match="5 images requested, but it has 4"):
        image_folder(labelled, count=5)


def test_a_flat_folder_has_no_labels(tmp_path):
    write_tree(tmp_path, {"2.png": shade(2), "1.png": shade(1)})
    dataset = image_folder(tmp_path)
    assert dataset.labels is None
    assert dataset.images[:, 0, 0, 0].tolist() == [1, 2]
    assert dataset.name == tmp_path.name


def test_a_name_packed_twice_counts_once_and_the_last_holds(tmp_path):
    first, second = tar_bytes({"a.png": shade(1)}), tar_bytes({"a.png": shade(2), "b.png": shade(3)})
    path = tmp_path / "twice.tar"
    path.write_bytes(first[:1024] + second)  # a header and its data are a block each
    assert image_folder(path).images[:, 0, 0, 0].tolist() == [2, 3]


def test_the_shorter_side_is_resized_and_the_middle_kept(tmp_path):
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 200
    write_tree(tmp_path, {"wide.png": image_bytes(wide), "tall.png": image_bytes(wide.transpose(1, 0, 2))})
    assert np.array_equal(image_folder(tmp_path, size=8).images, np.full((2, 8, 8, 3), 200))
    assert image_folder(tmp_path, size=16).shape == (16, 16, 3)
    with pytest.raises(DataError, match=r"wide\.png is 24 x 8, but images before it are 8 x 24; give a size"):
        image_folder(tmp_path)


def test_grey_and_colour(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    write_tree(tmp_path, {"grey.png": image_bytes(np.full((4, 4), 76, np.uint8)), "red.png": image_bytes(red)})
    assert np.array_equal(image_folder(tmp_path, channels=1).images, np.full((2, 4, 4, 1), 76))
    colour = image_folder(tmp_path, channels=3).images
    assert colour[0, 0, 0].tolist() == [76, 76, 76]
    assert colour[1, 0, 0].tolist() == [255, 0, 0]
    with pytest.raises(DataError, match="channels must be 1"):
        image_folder(tmp_path, channels=2)
    with pytest.raises(DataError, match="size must be at least 1"):
        image_folder(tmp_path, size=0)


def test_transparency_lies_on_white_and_16_bits_become_8(tmp_path):
    clear = np.zeros((4, 4, 4), np.uint8)
    deep = np.full((4, 4), 0x8001, np.uint16)
    write_tree(tmp_path, {"clear.png": image_bytes(clear), "deep.png": image_bytes(deep)})
    assert image_folder(tmp_path).images[:, 0, 0, 0].tolist() == [255, 128]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_a_truncated_image_is_named(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    content = image_bytes(noise, kind)
    for length in (0, 3, len(content) // 2):
        write_tree(tmp_path, {f"cat/1.{kind}": content[:length], f"ant/0.{kind}": content})
        with pytest.raises(DataError, match=rf"cat/1\.{kind}: (corrupt|not an image)"):
            image_folder(tmp_path)


def test_a_foreign_file_with_an_image_name_is_named(tmp_path):
    write_tree(tmp_path, {"page.jpg": b"<html>not found</html>"})
    with pytest.raises(DataError, match=r"page\.jpg: not an image"):
        image_folder(tmp_path)


def test_no_images_is_an_error(tmp_path):
    write_tree(tmp_path, {"read.me": b"text"})
    with pytest.raises(DataError, match="contains no images"):
        image_folder(tmp_path)


def test_images_beside_labels_are_refused(tmp_path):
    write_tree(tmp_path, {"cat/1.png": shade(1), "stray.png": shade(2)})
    with pytest.raises(DataError, match=r"stray\.png lies beside the sub-folders"):
        image_folder(tmp_path)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_anywhere_is_refused_by_name(tmp_path, mode):
    path = tmp_path / "cut.tar"
    content = tar_bytes({"a/1.png": shade(1), "b/2.png": shade(2)}, mode)
    needed = len(content) if mode == "w:gz" else 4 * 512 + 512  # what follows a tar's end mark is padding
    for length in range(0, needed, 1 if mode == "w:gz" else 37):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut\.tar"):
            image_folder(path)


def test_a_damaged_header_is_not_the_end_of_an_archive(tmp_path):
    path = tmp_path / "damaged.tar"
    content = bytearray(tar_bytes({"a/1.png": shade(1), "b/2.png": shade(2)}))
    content[1024 + 150] ^= 0xFF  # in the second header's check sum
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.tar: corrupt or truncated archive"):
        image_folder(path)


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(shade(1))
    with pytest.raises(DataError, match=r"photo\.png: one image; name the folder that contains it"):
        image_folder(path)


def test_without_pillow_the_error_names_the_extra(tmp_path, monkeypatch):
    write_tree(tmp_path, {"1.png": shade(1)})
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    importing = builtins.__import__

    def refuse(name, *rest):
        if name.partition(".")[0] == "PIL":
            raise ImportError(name)
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(DataError, match=r"pip install 'minigan\[train\]'"):
        image_folder(tmp_path)


@given(st.integers(0, 255), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
def test_resizing_keeps_a_flat_image_flat(value, height, width, size, channels):
    images = np.full((2, height, width, channels), value, np.uint8)
    assert np.array_equal(resized(images, size), np.full((2, size, size, channels), value))


def test_resizing_to_the_same_size_changes_nothing():
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 5, 1), np.uint8)
    assert resized(images, 5) is images


def test_grey_is_luma_rounded():
    primaries = 255 * np.eye(3, dtype=np.uint8).reshape(1, 1, 3, 3)
    assert with_channels(primaries, 1).ravel().tolist() == [76, 150, 29]


@given(st.integers(0, 255))
def test_grey_to_colour_and_back_is_the_same(value):
    grey = np.full((1, 1, 1, 1), value, np.uint8)
    assert np.array_equal(with_channels(with_channels(grey, 3), 1), grey)
