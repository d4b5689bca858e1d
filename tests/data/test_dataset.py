import numpy as np
import pytest

from minigan.data import Dataset, scaled, to_uint8
from minigan.errors import DataError

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


def digits(count=5):
    images = np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2, 1)
    return Dataset(images, np.arange(count) % 3, "few", ("a", "b", "c"))


def test_bytes_survive_the_way_to_floats_and_back():
    assert np.array_equal(to_uint8(scaled(EVERY_BYTE)), EVERY_BYTE)


def test_scaled_is_float32_over_exactly_minus_one_to_one():
    floats = scaled(EVERY_BYTE)
    assert floats.dtype == np.float32
    assert (floats.min(), floats.max()) == (-1, 1)
    assert (np.diff(floats.ravel()) > 0).all()


def test_floats_out_of_range_are_clipped_and_the_middle_rounds():
    assert to_uint8(np.array([-9.0, -1.0, 0.003, 1.0, 9.0])).tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros(3, np.int64)])
def test_scaled_takes_bytes_only(wrong):
    with pytest.raises(DataError, match="uint8"):
        scaled(wrong)


def test_no_byte_stands_for_nan():
    with pytest.raises(DataError, match="NaN"):
        to_uint8(np.array([0.0, np.nan]))


def test_slices_keep_images_and_labels_together():
    for part in (digits()[1:4:2], digits()[[1, 3]], digits()[np.array([False, True, False, True, False])]):
        assert part.images[:, 0, 0, 0].tolist() == [4, 12]
        assert part.labels.tolist() == [1, 0]
        assert (part.name, part.classes) == ("few", ("a", "b", "c"))


def test_take_is_the_beginning():
    assert len(digits().take(2)) == 2
    assert np.array_equal(digits().take(2).images, digits().images[:2])
    with pytest.raises(DataError, match="few: 6 images requested, but it has 5"):
        digits().take(6)


def test_one_index_is_not_a_data_set():
    with pytest.raises(DataError, match=r"use \.images\[2\]"):
        digits()[2]


@pytest.mark.parametrize(
    ("images", "labels", "complaint"),
    [
        (np.zeros((2, 4, 4), np.uint8), None, r"shape \(2, 4, 4\), expected \(N, H, W, C\)"),
        (
            np.zeros((2, 4, 4, 1)),
            None,
            r"float64, expected uint8; convert floats in \[-1, 1\] with mg\.data\.to_uint8\(images\)",
        ),
        (
            np.zeros((2, 4, 4, 1), np.uint8),
            np.zeros(3, np.int64),
            r"shape \(3,\), expected .* one for each of 2 images",
        ),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2), r"labels\.astype\(int\)"),
        (np.zeros((2, 4, 4, 1), np.uint8).tolist(), None, "images are a list"),
        (np.ma.masked_equal(np.zeros((2, 4, 4, 1), np.uint8), 0), None, "images are masked"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.ma.masked_equal([0, 1], 1), "labels are masked"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 2]), "up to 2, but there are 2 classes"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.array([-1, 0]), "down to -1"),
    ],
)
def test_arrays_that_are_no_data_set_are_refused(images, labels, complaint):
    with pytest.raises(DataError, match=complaint):
        Dataset(images, labels, "odd", ("a", "b"))


@pytest.mark.parametrize("classes", [{"a", "b"}, "ab", None, 2, {"a": 0, "b": 1}])
def test_classes_without_an_order_or_names_are_refused(classes):
    with pytest.raises(DataError, match=r"classes are a .*, expected a list of names in order of their labels"):
        Dataset(np.zeros((2, 4, 4, 1), np.uint8), [0, 1], "odd", classes)


def test_what_numpy_and_python_call_the_same_makes_the_same_data_set():
    images, labels = np.arange(16, dtype=np.uint8).reshape(4, 2, 2, 1), np.array([0, 1, 1, 0])
    expected = Dataset(images, labels, "four", ("a", "b"))
    for same in (
        Dataset(images, labels.tolist(), "four", ["a", "b"]),
        Dataset(images.astype(int), labels.astype(">i2"), "four", np.array(["a", "b"])),
        Dataset(np.asfortranarray(images), labels.astype(np.uint8), "four", ("a", "b")),
    ):
        assert same.identity.same(expected.identity)
        assert same.labels.dtype == np.int64
        same.check_classes(expected, "fit", "test")
    assert Dataset(images, labels, "four", (0, 1)).words().endswith("in 2 classes (0 2, 1 2)")


@pytest.mark.parametrize("rows", [[5], [0.5], np.ones(3, bool), "a"])
def test_rows_that_are_not_there_are_refused(rows):
    with pytest.raises(DataError, match="few: "):
        digits()[rows]


def test_repr_tells_what_it_is():
    assert repr(digits()) == "Dataset('few', 5 images of 2 x 2 x 1, 3 classes)"
