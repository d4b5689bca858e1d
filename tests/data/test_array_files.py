import gzip
import re

import numpy as np
import pytest
from data_files import idx_bytes, image_bytes, npy_bytes, npz_bytes, tar_bytes, write_tree, zip_bytes
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minigan.data import archive, load, load_splits
from minigan.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 4, 5), np.uint8)
COLOUR = RNG.integers(0, 256, (12, 4, 5, 3), np.uint8)
LABELS = np.arange(12) % 3
TEST_IMAGES, TEST_LABELS = GREY[:4][::-1].copy(), np.array([2, 2, 1, 0])


@st.composite
def named_arrays(draw):
    """Names that people give to images and labels of training, and of testing if there are such."""
    return draw(
        st.sampled_from(
            [
                ("images", "labels", None, None),
                ("x", "y", None, None),
                ("X_train", "y_train", "X_test", "y_test"),
                ("x_train", "y_train", "x_val", "y_val"),
                ("train_images", "train_labels", "test_images", "test_labels"),
                ("arr_0", "arr_1", None, None),
                ("data", "target", None, None),
                ("image_data", "label_data", None, None),
                ("data_X_train", "data_y_train", "data_X_test", "data_y_test"),
            ]
        )
    )


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "folder"])
@given(names=named_arrays(), grey=st.booleans(), wide=st.booleans(), column=st.booleans())
def test_arrays_are_known_by_their_names(tmp_path_factory, kind, names, grey, wide, column):
    images = GREY if grey else COLOUR
    labels = LABELS[:, None] if column else LABELS
    held = dict(
        zip(names, (images.astype(np.int64) if wide else images, labels, TEST_IMAGES, TEST_LABELS), strict=True)
    )
    held.pop(None, None)
    path = tmp_path_factory.mktemp("arrays")
    if kind == "folder":
        write_tree(path, {f"{name}.npy": npy_bytes(array) for name, array in held.items()})
    else:
        path = path / "set.npz"
        path.write_bytes(npz_bytes(kind != "npz", **held))
    train = load(path)
    assert np.array_equal(train.images, images[..., None] if grey else images)
    assert (train.labels.tolist(), train.classes) == (LABELS.tolist(), ("0", "1", "2"))
    if names[2] is None:
        with pytest.raises(DataError, match="no test split"):
            load(path, split="test")
        return
    test = load(path, split="test")
    assert np.array_equal(test.images[..., 0], TEST_IMAGES)
    assert (test.labels.tolist(), test.classes) == (TEST_LABELS.tolist(), train.classes)
    assert [len(split) for split in load_splits(path)] == [12, 4]


def test_an_array_may_be_larger_than_an_image_file(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 50)
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(images=GREY))
    assert len(load(path)) == len(GREY)


def test_test_images_come_before_those_for_validation(tmp_path):
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(train_images=GREY, val_images=GREY[:2], test_images=GREY[:3]))
    assert len(load(path, split="test")) == 3


def test_labels_may_be_words_or_any_numbers(tmp_path):
    path = tmp_path / "set.npz"
    for labels, classes in [
        (["dog", "cat"] * 6, ("cat", "dog")),
        ([10, 9] * 6, ("9", "10")),
        ([True, False] * 6, None),
    ]:
        path.write_bytes(npz_bytes(images=GREY, labels=np.array(labels)))
        found = load(path)
        assert [found.classes[i] for i in found.labels] == [str(label) for label in labels]
        assert classes in (None, found.classes)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=5)), st.sampled_from("CF"))
def test_an_array_file_is_images_without_labels(tmp_path_factory, images, order):
    path = tmp_path_factory.getbasetemp() / "any.npy"
    path.write_bytes(npy_bytes(np.asarray(images, order=order)))
    found = load(path)
    assert np.array_equal(found.images[..., 0], images)
    assert found.labels is None


def test_size_channels_count_and_held_out_images(tmp_path):
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(images=COLOUR, labels=np.arange(12) // 6))
    assert load(path, size=8, channels=1).shape == (8, 8, 1)
    assert load(path, count=4).labels.tolist() == [0, 0, 1, 1]
    assert [len(split) for split in load_splits(path)] == [11, 1]
    assert load(path).identity.path == str(path)


@pytest.mark.parametrize("beside", ["label_names", "x_mean", "ids", "labels_of_experts"])
def test_arrays_that_say_more_are_not_taken_for_images_or_labels(tmp_path, beside):
    path = tmp_path / "set.npz"
    path.write_bytes(npz_bytes(**{beside: np.arange(3)}, images=GREY, labels=LABELS))
    found = load(path)
    assert np.array_equal(found.images[..., 0], GREY)
    assert [found.classes[i] for i in found.labels] == [str(label) for label in LABELS]


@pytest.mark.parametrize("above", ["", "set/"])
def test_arrays_in_folders_of_an_archive_belong_to_their_splits(tmp_path, above):
    path = tmp_path / "set.zip"
    arrays = {"train/images": GREY, "train/labels": LABELS, "test/images": TEST_IMAGES, "test/labels": TEST_LABELS}
    path.write_bytes(zip_bytes({f"{above}{name}.npy": npy_bytes(array) for name, array in arrays.items()}))
    train, test = load_splits(path)
    assert np.array_equal(train.images[..., 0], GREY)
    assert np.array_equal(test.images[..., 0], TEST_IMAGES)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_of_idx_files_needs_no_name(tmp_path, ending):
    for stem, images, labels in (("train", GREY, LABELS), ("t10k", TEST_IMAGES, TEST_LABELS)):
        for what, array in (("images-idx3", images), ("labels-idx1", labels.astype(np.uint8))):
            content = idx_bytes(array)
            path = tmp_path / f"letters-{stem}-{what}-ubyte{ending}"
            path.write_bytes(gzip.compress(content) if ending else content)
    train, test = load_splits(tmp_path)
    assert np.array_equal(train.images[..., 0], GREY)
    assert test.labels.tolist() == TEST_LABELS.tolist()
    assert train.classes == ("0", "1", "2")


def test_an_idx_file_packed_and_unpacked_is_one(tmp_path):
    content = idx_bytes(GREY)
    write_tree(tmp_path, {"train-images-idx3-ubyte": content, "train-images-idx3-ubyte.gz": gzip.compress(content)})
    assert len(load(tmp_path)) == len(GREY)


@pytest.mark.parametrize("beside", [".hidden/a.png", "@eaDir/a.png", "__pycache__/a.pyc", "notes.md"])
def test_what_systems_put_beside_arrays_does_not_hide_them(tmp_path, beside):
    write_tree(tmp_path, {beside: b"", "images.npy": npy_bytes(GREY), "labels.npy": npy_bytes(LABELS)})
    assert len(load(tmp_path)) == len(GREY)


@pytest.mark.parametrize("image", ["0.png", "cat/0.png"])
def test_arrays_beside_images_are_left_out(tmp_path, image):
    write_tree(tmp_path, {image: image_bytes(GREY[0]), "images.npy": npy_bytes(GREY), "labels.npy": npy_bytes(LABELS)})
    found = load(tmp_path)
    assert len(found) == 1
    assert len(found.left_out) == 2


@pytest.mark.parametrize(
    ("held", "complaint"),
    [
        ({"images": GREY / 255}, r"images are float64, expected uint8; convert floats"),
        ({"images": GREY.astype(np.uint16) * 256}, "run from .* but 8-bit values run from 0 to 255"),
        ({"images": COLOUR.transpose(0, 3, 1, 2)}, r"move the channels to the end: images\.transpose"),
        ({"images": COLOUR[..., [0, 1, 2, 2]]}, r"drop alpha with images\[\.\.\., :3\]"),
        ({"images": np.zeros((5, 784), np.uint8)}, r"images\.reshape\(-1, 28, 28\)"),
        ({"images": GREY[:0]}, "it contains no images"),
        ({"images": GREY, "labels": LABELS[:5]}, "12 images, but 5 labels in labels"),
        ({"images": GREY, "labels": np.eye(12)}, r"convert one-hot rows with labels\.argmax\(1\)"),
        ({"images": GREY, "labels": LABELS / 2}, "whole numbers or words$"),
        ({"images": GREY, "labels": LABELS / 1}, r"whole numbers or words; use labels\.astype\(int\)"),
        ({"X": COLOUR.transpose(1, 2, 3, 0)}, r"move the image axis to the front: images\.transpose\(3, 0, 1, 2\)"),
        ({"images": GREY, "x_train": GREY}, "images and x_train are both train images; remove one"),
        ({"a": GREY, "b": GREY}, "no array has a name for training images; name them images and labels"),
        ({"images": np.array([None] * 3, object)}, "contains object, but .* not objects"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, held, complaint):
    (tmp_path / "set.npz").write_bytes(npz_bytes(**held))
    with pytest.raises(DataError, match=complaint):
        load(tmp_path / "set.npz")


# What is not read is reported


def test_a_table_of_pixels_is_told_how_it_becomes_an_array_file(tmp_path):
    path = tmp_path / "train.csv"
    rows = [[int(label), *image.ravel()] for image, label in zip(GREY[:, :4, :4], LABELS, strict=True)]
    names = ",".join(["label", *(f"pixel{i}" for i in range(16))])
    path.write_text("\n".join([names, *(",".join(map(str, row)) for row in rows)]))
    with pytest.raises(DataError, match="a text table") as refused:
        load(path)
    exec(re.sub(r"(?m)^  ", "", str(refused.value).partition("to an .npz file:\n")[2]))  # what it says works
    found = load(tmp_path / "train.npz")
    assert np.array_equal(found.images[..., 0], GREY[:, :4, :4])
    assert found.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"pets.npz": npz_bytes(images=GREY)}, r"; to read pets\.npz, name it directly: .*pets\.npz$"),
        ({"notes.md": b"", "pets.tar": tar_bytes({})}, r"; to read pets\.tar, name it directly: .*pets\.tar$"),
        (
            dict.fromkeys(("a/test.npz", "test/a.npz", "train.npz"), npz_bytes(images=GREY)),
            r"; to read train\.npz, name it",
        ),
        (
            {"images.npy": npy_bytes(GREY), "other/notes.md": b""},
            r"; to read images\.npy and its labels, name a folder",
        ),
        ({"MNIST/raw/train-images-idx3-ubyte.gz": b""}, r"; to read MNIST/raw/train-images-idx3-ubyte\.gz and its"),
        ({"b.h5": b"\x89HDF\r\n\x1a\n", "a.md": b"read me"}, r"; b\.h5 is an HDF5 file; convert it"),
        ({"train.csv": b"label,pixel0\n1,2\n"}, r"; train\.csv is a text table\. If each row"),
        ({"notes.md": b"read me"}, r"not readable as an image \(notes\.md\)$"),
    ],
)
def test_a_folder_without_images_says_what_else_it_holds(tmp_path, held, words):
    write_tree(tmp_path, held)
    with pytest.raises(DataError, match=rf"contains no images; left out .*{words}"):
        load(tmp_path)


def test_an_archive_of_archives_is_to_be_extracted(tmp_path):
    (tmp_path / "all.zip").write_bytes(zip_bytes({"train.tar": tar_bytes({"0.png": image_bytes(GREY[0])})}))
    with pytest.raises(DataError, match=r"left out .*train\.tar\); extract it and name the folder"):
        load(tmp_path / "all.zip")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"Rar!\x1a\7\0", "a RAR archive; extract it"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; extract it"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file; convert it"),
        (b"PAR1", "a Parquet file; convert it"),
        (b"\x80\4\x95", "a pickle, which could run any program; convert it"),
        (b"MATLAB 5.0", "a MATLAB file; convert it"),
        (idx_bytes(GREY), "one IDX file; name the folder"),
        (image_bytes(GREY[0]), "one image; name the folder"),
        (b"hello", "not a folder, an archive"),
        (b"", "not a folder, an archive"),
    ],
)
def test_other_files_are_called_what_they_are(tmp_path, start, words):
    (tmp_path / "thing.bin").write_bytes(start)
    with pytest.raises(DataError, match=rf"thing\.bin: {words}"):
        load(tmp_path / "thing.bin")


def test_zip_archives_may_be_splits_and_have_backslashes(tmp_path):
    for split, values in (("train", (1, 2)), ("test", (2,))):
        files = {f"{split}\\{value}\\0.png": image_bytes(np.full((4, 4), value, np.uint8)) for value in values}
        (tmp_path / f"{split}.zip").write_bytes(zip_bytes(files))
    train, test = load_splits(tmp_path)
    assert (train.labels.tolist(), test.labels.tolist(), train.classes) == ([0, 1], [1], ("1", "2"))


def test_a_file_without_a_name_is_damage(tmp_path):
    content = zip_bytes({"0.png": image_bytes(GREY[0])}).replace(b"0.png", bytes(5))
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="corrupt or truncated archive"):
        load(tmp_path / "a.zip")


def test_encrypted_archives_are_refused(tmp_path):
    content = bytearray(zip_bytes({"a/1.png": image_bytes(GREY[0])}))
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + place] |= 1
    (tmp_path / "secret.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"a/1\.png is encrypted; extract the archive"):
        load(tmp_path / "secret.zip")
