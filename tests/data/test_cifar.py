import numpy as np
import pytest
from data_files import tar_bytes, write_tree

from minigan.data import cifar10
from minigan.errors import DataError

RECORDS = 4


def batch(seed):
    rows = np.random.default_rng(seed).integers(0, 256, (RECORDS, 3073), np.uint8)
    rows[:, 0] %= 10
    return rows


def files():
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    batches = {f"cifar-10-batches-bin/{name}": batch(i).tobytes() for i, name in enumerate(names)}
    return {**batches, "cifar-10-batches-bin/batches.meta.txt": b"airplane\n"}


@pytest.fixture(params=["archive", "folder with archive", "extracted", "folder with extracted"])
def place(request, tmp_path):
    if "archive" in request.param:
        # The archive's own order is not that of the names.
        shuffled = dict(reversed(files().items()))
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(tar_bytes(shuffled, "w:gz"))
        return tmp_path if "folder" in request.param else tmp_path / "cifar-10-binary.tar.gz"
    write_tree(tmp_path, files())
    return tmp_path if "folder" in request.param else tmp_path / "cifar-10-batches-bin"


def test_records_become_images_with_channels_last(place):
    train = cifar10(place, records=RECORDS)
    assert train.images.shape == (5 * RECORDS, 32, 32, 3)
    assert np.array_equal(train.labels, np.concatenate([batch(i)[:, 0] for i in range(5)]))
    second = batch(1)
    for channel in range(3):
        plane = second[1, 1 + channel * 1024 :][:1024].reshape(32, 32)
        assert np.array_equal(train.images[RECORDS + 1, :, :, channel], plane)
    test = cifar10(place, "test", records=RECORDS)
    assert np.array_equal(test.labels, batch(5)[:, 0])


def broken(tmp_path, name, content):
    write_tree(tmp_path, {**files(), f"cifar-10-batches-bin/{name}": content})
    return tmp_path


def test_files_of_another_length_are_refused(tmp_path):
    for content, complaint in [
        (batch(0).tobytes()[:-1], r"data_batch_3\.bin: truncated: 12291 bytes, but 4 records of 3073 are 12292"),
        (batch(0)[:-1].tobytes(), r"data_batch_3\.bin: truncated"),
        (batch(0).tobytes() + b"x", r"data_batch_3\.bin: too long"),
    ]:
        with pytest.raises(DataError, match=complaint):
            cifar10(broken(tmp_path, "data_batch_3.bin", content), records=RECORDS)


def test_labels_out_of_range_are_refused(tmp_path):
    rows = batch(0)
    rows[2, 0] = 10
    with pytest.raises(DataError, match=r"test_batch\.bin: corrupt: label 2 is 10"):
        cifar10(broken(tmp_path, "test_batch.bin", rows.tobytes()), "test", RECORDS)


def test_an_archive_cut_anywhere_is_refused_by_name(tmp_path):
    path = tmp_path / "cut.tar.gz"
    content = tar_bytes(files(), "w:gz")
    for length in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut\.tar\.gz"):
            cifar10(path, "test", RECORDS)


def test_what_is_not_the_binary_version_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"has no test_batch\.bin$"):
        cifar10(tmp_path, "test")
    write_tree(tmp_path, {"cifar-10-batches-py/data_batch_1": b"pickle"})
    with pytest.raises(DataError, match=r"Python version, .* download cifar-10-binary\.tar\.gz"):
        cifar10(tmp_path)
    with pytest.raises(DataError, match="no file or folder"):
        cifar10(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no split"):
        cifar10(tmp_path, "valid")
