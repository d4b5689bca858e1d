import gzip

import numpy as np
import pytest
from data_files import IDX_CODES, idx_bytes, write_mnist
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from minigan.data import fashion_mnist, mnist, read_idx
from minigan.errors import DataError

SMALL = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
ZIPPED = gzip.compress(SMALL, mtime=0)  # without the time: names of tests are the same in every process

any_array = st.sampled_from(sorted(IDX_CODES)).flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "any-name"


@given(array=any_array, zipped=st.booleans())
def test_what_is_written_is_read(scratch, array, zipped):
    content = idx_bytes(array)
    scratch.write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    found = read_idx(scratch)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("content", [SMALL, ZIPPED], ids=["plain", "gzip"])
def test_a_file_cut_anywhere_is_refused_by_name(scratch, content):
    for length in range(len(content)):
        scratch.write_bytes(content[:length])
        with pytest.raises(DataError, match="any-name"):
            read_idx(scratch)


def found_or_refused(path):
    try:
        return read_idx(path)
    except DataError as error:
        return str(error)


def test_no_flipped_bit_in_a_gzip_changes_the_data(scratch):
    content = ZIPPED
    found = []
    for bit in range(8 * len(content)):
        broken = bytearray(content)
        broken[bit // 8] ^= 1 << bit % 8
        scratch.write_bytes(broken)
        found.append(found_or_refused(scratch))
    refused = [each for each in found if isinstance(each, str)]
    assert all("any-name" in each for each in refused)
    # The time, the system and a few more bits of the ten-byte header say nothing about the data.
    accepted = [each for each in found if not isinstance(each, str)]
    assert all(np.array_equal(each, np.arange(24).reshape(2, 3, 4)) for each in accepted)
    assert len(accepted) <= 8 * 10


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r"not an IDX file: it starts with b''"),
        (b"\x89PNG\r\n\x1a\n", r"not an IDX file: it starts with b'\\x89PNG'"),
        (b"\0\0\x0a\1\0\0\0\0", "not an IDX file"),
        (SMALL[:9], "truncated: the header of 16 bytes ends after 9"),
        (SMALL[:-5], "truncated: the header says 2 x 3 x 4 of 1 bytes, 24 in all, but 19 follow"),
        (SMALL + b"ab", "trailing bytes: the header says 2 x 3 x 4 .* but 26 follow"),
        (ZIPPED[:-9], "truncated: the compressed data ends"),
        (ZIPPED[:-8] + bytes(8), "corrupt compressed data .*CRC"),
        (ZIPPED + b"tail", "corrupt compressed data"),
    ],
)
def test_errors_say_what_is_wrong(scratch, content, complaint):
    scratch.write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        read_idx(scratch)


def test_a_header_that_promises_more_than_memory_is_only_truncated(scratch):
    scratch.write_bytes(b"\0\0\x0e\4" + b"\xff" * 16)
    with pytest.raises(DataError, match="truncated"):
        read_idx(scratch)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(DataError, match="directory"):
        read_idx(tmp_path)


def rename(folder, joint, zipped):
    for path in list(folder.iterdir()):
        content = path.read_bytes()
        path.unlink()
        name = path.name.replace("-idx", f"{joint}idx") + (".gz" if zipped else "")
        (folder / name).write_bytes(gzip.compress(content, mtime=0) if zipped else content)


@pytest.mark.parametrize("joint", ["-", "."])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("split", ["train", "test"])
def test_mnist_under_each_of_its_names(tmp_path, joint, zipped, split):
    images, labels = write_mnist(tmp_path, split=split)
    rename(tmp_path, joint, zipped)
    dataset = mnist(tmp_path, split)
    assert np.array_equal(dataset.images, images[..., None])
    assert np.array_equal(dataset.labels, labels)
    assert dataset.labels.dtype == np.int64


def test_fashion_mnist_has_the_same_files_and_other_classes(tmp_path):
    write_mnist(tmp_path)
    dataset = fashion_mnist(tmp_path)
    assert dataset.name == "fashion-mnist"
    assert dataset.classes[9] == "ankle boot"


def labels_file(folder):
    return folder / "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.zeros(11, np.uint8), "11 labels, but .*train-images-idx3-ubyte has 12 images"),
        (np.array([0] * 7 + [10] + [0] * 4, np.uint8), "train-labels-idx1-ubyte: label 7 is 10; labels are 0 to 9"),
        (np.zeros((12, 1), np.uint8), r"contains uint8 \(12, 1\), expected labels \(N,\), uint8 of rank 1"),
        (np.zeros(12, np.int32), r"contains int32 \(12,\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, labels, complaint):
    write_mnist(tmp_path)
    labels_file(tmp_path).write_bytes(idx_bytes(labels))
    with pytest.raises(DataError, match=complaint):
        mnist(tmp_path)


def test_missing_files_are_named(tmp_path):
    write_mnist(tmp_path)
    labels_file(tmp_path).unlink()
    with pytest.raises(DataError, match=r"has no train-labels-idx1-ubyte\.gz"):
        mnist(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        mnist(tmp_path / "nowhere")
    with pytest.raises(DataError, match="there is no split 'valid'"):
        mnist(tmp_path, "valid")
