import itertools
import unicodedata

import numpy as np
import pytest
from data_files import image_bytes, tar_bytes, write_tree, zip_bytes
from hypothesis import given
from hypothesis import strategies as st

from minigan.data import image_folder, load, load_splits
from minigan.data.splits import NAMES, classes_in_order, in_order
from minigan.errors import DataError

TRAINING = ["train", "Train", "TRAINING", "training_set", "Training Set", "train-data", "train2017"]
HELD_OUT = [
    "test",
    "Testing",
    "TEST",
    "test_set",
    "val",
    "Valid",
    "validation",
    "dev",
    "eval",
    "Evaluation",
    "test1",
    "val_2017",
]


def shade(value):
    return image_bytes(np.full((2, 2), value, np.uint8))


def put(folder, files, packed=False, above=""):
    """Files in a folder, or packed into an archive there; returns what to load."""
    files = {above + name: content for name, content in files.items()}
    if not packed:
        write_tree(folder, files)
        return folder
    (folder / "data.tar").write_bytes(tar_bytes(files))
    return folder / "data.tar"


@given(st.lists(st.integers(0, 10**30), unique=True), st.sampled_from(["", "img-", "a b"]), st.integers(0, 3))
def test_numbers_in_names_are_in_their_order(numbers, before, zeros):
    names = [f"x/{before}{'0' * zeros}{number}.png" for number in numbers]
    assert in_order(names) == [f"x/{before}{'0' * zeros}{number}.png" for number in sorted(numbers)]


@given(st.lists(st.decimals(-1000, 1000, places=2), unique=True, min_size=1))
def test_classes_that_are_numbers_are_in_order_of_value(values):
    assert classes_in_order(map(str, values)) == tuple(map(str, sorted(values)))


@given(st.lists(st.text("ab01/", min_size=1)))
def test_every_order_keeps_folders_together(names):
    ordered = in_order(names)
    assert sorted(ordered) == sorted(names)
    assert ordered == in_order(reversed(ordered))
    for depth in (1, 2):
        folders = [name.split("/")[:depth] for name in ordered]
        assert len(list(itertools.groupby(folders))) == len({tuple(folder) for folder in folders})


@pytest.mark.parametrize("packed", [False, True])
def test_one_class_may_be_written_in_both_ways_of_unicode(tmp_path, packed):
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    files = {f"train/{composed}/1.png": shade(1), f"train/{decomposed}/2.png": shade(2), "train/tea/3.png": shade(3)}
    path = put(tmp_path, files | {f"test/{decomposed}/4.png": shade(4)}, packed)
    for split, labels in (("train", [0, 0, 1]), ("test", [0])):
        dataset = load(path, split=split)
        assert dataset.classes == (composed, "tea")
        assert dataset.labels.tolist() == labels


@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
@pytest.mark.parametrize("above", ["/", "/home/me/set/", "//set/", "../set/", "./", "set/../"])
def test_splits_are_found_wherever_an_archive_says_its_files_were(tmp_path, above, pack):
    names = [f"{split}/{kind}/1.png" for split in ("train", "test") for kind in ("cat", "dog")]
    path = tmp_path / "pets.archive"
    path.write_bytes(pack({above + name: shade(value) for value, name in enumerate(names)}))
    train, test = load_splits(path)
    assert train.images[:, 0, 0, 0].tolist() == [0, 1]
    assert test.images[:, 0, 0, 0].tolist() == [2, 3]
    assert train.classes == test.classes == ("cat", "dog")


@pytest.mark.parametrize("packed", [False, True])
def test_class_folders_are_in_order_wherever_they_are_read(tmp_path, packed):
    path = put(tmp_path, {f"{number}/a.png": shade(number) for number in range(12)}, packed)
    dataset = load(path)
    assert dataset.classes == tuple(map(str, range(12)))
    assert np.array_equal(dataset.images[:, 0, 0, 0], dataset.labels)


@pytest.mark.parametrize(
    ("train", "test", "above", "packed"),
    [
        *((name, "test", "", False) for name in TRAINING),
        *(("train", name, "", False) for name in HELD_OUT),
        ("Training", "Testing", "brain/archive/", False),
        ("Training", "Testing", "", True),
        *(
            (f"seg_{name}", f"seg_{other}", "", False)
            for name, other in zip(("train", "TRAINING"), ("test", "val"), strict=True)
        ),
        ("trainImages", "testImages", "", False),
        ("train-01", "test-01", "", False),
        ("train", "val", "./data/", True),
    ],
)
def test_splits_are_recognised(tmp_path, train, test, above, packed):
    files = {f"{train}/{kind}/{n}.png": shade(n) for kind in ("cat", "dog") for n in range(3)}
    files |= {f"{test}/{kind}/{n}.png": shade(100 + n) for kind in ("cat", "dog") for n in range(2)}
    path = put(tmp_path, files, packed, above)
    learned, held_out = load_splits(path)
    assert (len(learned), len(held_out)) == (6, 4)
    assert learned.classes == held_out.classes == ("cat", "dog")
    assert held_out.images.min() >= 100 > learned.images.max()
    assert len(load(path)) == 6


def test_test_is_preferred_to_validation_which_is_counted(tmp_path):
    files = {f"{split}/{n}.png": shade(n) for n, split in enumerate(("train", "val", "test"))}
    learned, held_out = load_splits(put(tmp_path, files))
    assert (learned.images[0, 0, 0, 0], held_out.images[0, 0, 0, 0]) == (0, 2)
    assert learned.left_out.plain() == {"outside train/ and test/": 1}
    assert "val/1.png" in learned.left_out.words()


def test_labelled_images_are_held_out_rather_than_others(tmp_path):
    files = {f"{split}/{kind}/{n}.png": shade(n) for split in ("train", "val") for n, kind in enumerate(("cat", "dog"))}
    _, held_out = load_splits(put(tmp_path, files | {"test/1.png": shade(9), "test/2.png": shade(9)}))
    assert held_out.labels.tolist() == [0, 1]


def test_archives_are_splits_too_of_any_case(tmp_path):
    (tmp_path / "Training.tar.gz").write_bytes(tar_bytes({"a/1.png": shade(1), "b/2.png": shade(2)}, "w:gz"))
    (tmp_path / "VAL.TAR").write_bytes(tar_bytes({"b/3.png": shade(3)}))
    learned, held_out = load_splits(tmp_path)
    assert (learned.classes, learned.labels.tolist(), held_out.labels.tolist()) == (("a", "b"), [0, 1], [1])
    assert not learned.left_out


def test_test_images_in_a_folder_beside_an_archive_to_train_on(tmp_path):
    (tmp_path / "train.tar").write_bytes(tar_bytes({"a/1.png": shade(1), "b/2.png": shade(2)}))
    write_tree(tmp_path, {"test/b/3.png": shade(3)})
    learned, held_out = load_splits(tmp_path)
    assert (len(learned), held_out.labels.tolist()) == (2, [1])


@given(st.sets(st.sampled_from("abcdefg"), min_size=2), st.data(), st.sampled_from(["", "images/", "a/", "a/b/"]))
def test_a_label_means_the_same_class_in_both_splits(tmp_path_factory, classes, data, inner):
    shown = data.draw(st.sets(st.sampled_from(sorted(classes)), min_size=1))
    files = {f"train/{inner}{kind}/1.png": shade(ord(kind)) for kind in classes}
    files |= {f"test/{inner}{kind}/1.png": shade(ord(kind)) for kind in shown}
    for dataset in load_splits(put(tmp_path_factory.mktemp("data"), files)):
        assert dataset.classes == tuple(sorted(classes))
        assert [dataset.classes[label] for label in dataset.labels] == [chr(i) for i in dataset.images[:, 0, 0, 0]]


@pytest.mark.parametrize("test", [("dog", "wolf"), ("wolf",), ("cat", "Dog")])
def test_a_test_class_that_training_lacks_is_an_error(tmp_path, test):
    files = {f"train/{kind}/1.png": shade(1) for kind in ("cat", "dog")} | {
        f"test/{kind}/1.png": shade(1) for kind in test
    }
    with pytest.raises(DataError, match=rf"test: has the class {test[-1]}, but the training images have cat, dog"):
        load_splits(put(tmp_path, files))


def test_test_images_without_class_folders_have_no_labels(tmp_path):
    for above, below in (("", ""), ("images/", ""), ("", "images/")):
        files = {
            f"train/{above}cat/{below}1.png": shade(1),
            f"train/{above}dog/{below}2.png": shade(2),
            f"test/{above}{below}1.png": shade(3),
        }
        learned, held_out = load_splits(put(tmp_path / f"with-{above}-{below}", files))
        assert (learned.labels.tolist(), held_out.labels) == ([0, 1], None)


@pytest.mark.parametrize("name", [*NAMES["train"], *NAMES["test"], "Train"])
def test_a_class_that_is_called_as_a_split_is_a_class(tmp_path, name):
    kinds = sorted(("bus", "car", name))
    path = put(tmp_path, {f"{kind}/1.png": shade(1) for kind in kinds})
    assert load(path).classes == tuple(kinds)
    assert len(load(path)) == 3


def test_classes_with_the_words_of_splits_in_their_names_are_classes(tmp_path):
    kinds = ("freight train", "test tube", "training_ground")
    assert load(put(tmp_path, {f"{kind}/1.png": shade(1) for kind in kinds})).classes == kinds


@pytest.mark.parametrize(
    ("folders", "match"),
    [
        (("train", "test", "extra"), "contains the splits train, test and beside them extra"),
        (("test", "val"), "contains test, val, but no folder train"),
        (("train", "Training", "test"), "Training, train are all names for training images"),
        (("seg_train", "seg_test", "seg_pred"), "the splits seg_train, seg_test and beside them seg_pred"),
        (("trainA", "trainB", "testA", "testB"), "trainA, trainB are all names for training images"),
        (("train_cat", "train_dog", "test_cat", "test_dog"), "train_cat, train_dog are all names"),
        (("train", "test", "test_set"), "test, test_set are all names for test images"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path, folders, match):
    with pytest.raises(DataError, match=match):
        load(put(tmp_path, {f"{folder}/1.png": shade(1) for folder in folders}))


def test_images_beside_an_archive_of_the_same_split_are_refused(tmp_path):
    write_tree(tmp_path, {"cat/1.png": shade(1), "dog/1.png": shade(1)})
    (tmp_path / "train.tar").write_bytes(tar_bytes({"a/1.png": shade(1)}))
    with pytest.raises(DataError, match=r"contains train\.tar and images beside it"):
        load(tmp_path)


def test_a_split_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no test split"):
        image_folder(put(tmp_path, {"train/1.png": shade(1)}), split="test")
