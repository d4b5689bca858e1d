import hashlib
import re
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from data_files import image_bytes, tar_bytes, write_mnist, write_tree

from minigan.data import available, glyphs, load, load_splits, sources
from minigan.data.sources import Remote
from minigan.errors import DataError, UnknownNameError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def shade(value):
    return image_bytes(np.full((4, 4, 3), value, np.uint8))


def test_glyphs_come_as_asked():
    drawn = load("glyphs", count=30, seed=5, split="test", size=32, channels=3)
    assert drawn.shape == (32, 32, 3)
    assert np.array_equal(drawn.images[..., :1], glyphs(30, 5, "test", 32).images)
    assert load(count=3).shape == (28, 28, 1)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_files_at_hand_are_read_resized_and_cut_short(tmp_path, name):
    images, labels = write_mnist(tmp_path)
    dataset = load(name, data_dir=tmp_path)
    assert np.array_equal(dataset.images[..., 0], images)
    assert np.array_equal(dataset.labels, labels)
    small = load(name, data_dir=str(tmp_path), size=32, channels=3, count=5)
    assert small.images.shape == (5, 32, 32, 3)
    assert small.name == name


def test_missing_files_in_data_dir_are_not_downloaded(tmp_path):
    with pytest.raises(DataError, match="has no train-images"):
        load("mnist", data_dir=tmp_path)


def test_a_named_set_is_downloaded_into_the_cache(tmp_path, cache, monkeypatch):
    write_mnist(tmp_path)
    remotes = tuple(
        Remote(path.as_uri(), path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(tmp_path.glob("train-*"))
    )
    monkeypatch.setitem(sources.SOURCES, "mnist", replace(sources.SOURCES["mnist"], files={"train": remotes}))
    seen = []
    assert len(load("mnist", report=lambda *step: seen.append(step))) == 12
    assert {step[0] for step in seen} == {remote.name for remote in remotes}
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(remote.name for remote in remotes)
    assert next(listing for listing in available() if listing.name == "mnist").cached


def test_a_folder_and_an_archive_are_sources_with_splits(tmp_path):
    write_tree(tmp_path, {"pets/train/ant/1.png": shade(1), "pets/train/cat/2.png": shade(2)})
    (tmp_path / "pets" / "test.tar.gz").write_bytes(tar_bytes({"test/ant/3.png": shade(3)}, "w:gz"))
    train = load(tmp_path / "pets", size=8, channels=1)
    assert train.shape == (8, 8, 1)
    assert train.classes == ("ant", "cat")
    assert load(str(tmp_path / "pets"), split="test").images[0, 0, 0, 0] == 3
    assert len(load(tmp_path / "pets" / "train")) == 2
    write_tree(tmp_path, {"pets/test/ant/4.png": shade(4)})
    assert len(load(tmp_path / "pets")) == 2
    assert load(tmp_path / "pets", split="test").images[0, 0, 0, 0] == 4
    with pytest.raises(DataError, match="no test split"):
        load(tmp_path / "pets" / "train", split="test")


def test_a_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    write_tree(tmp_path, {"glyphs/1.png": shade(1)})
    monkeypatch.chdir(tmp_path)
    assert load("glyphs", count=2).shape == (28, 28, 1)
    assert load("./glyphs").shape == (4, 4, 3)


@pytest.mark.parametrize(("typed", "meant"), [("mnits", "mnist"), ("cifar", "cifar10"), ("glyph", "glyphs")])
def test_an_unknown_name_gets_the_nearest(typed, meant):
    with pytest.raises(UnknownNameError, match=rf"no data source is called '{typed}'; did you mean .*{meant}"):
        load(typed)


@pytest.mark.parametrize("path", ["./photos", "a/b", "~/nowhere-at-all", "photos.tar.gz"])
def test_a_path_that_does_not_exist_is_called_a_path(path):
    with pytest.raises(DataError, match=re.escape(f"{path}: there is no such folder, archive or image file")):
        load(path)


@pytest.mark.parametrize("how", [{"split": "valid"}, {"size": 0}, {"channels": 2}])
def test_arguments_are_checked_before_anything_is_fetched(how):
    with pytest.raises(DataError, match=next(iter(how))):
        load("mnist", **how)


@pytest.mark.parametrize("source", ["glyphs", "folder", "array.npy"])
@pytest.mark.parametrize("count", [2.5, "3", [3]])
def test_a_count_is_a_whole_number(tmp_path, monkeypatch, source, count):
    monkeypatch.chdir(tmp_path)
    write_tree(tmp_path, {f"folder/{i}.png": image_bytes(np.zeros((2, 2), np.uint8)) for i in range(3)})
    np.save("array.npy", np.zeros((3, 2, 2), np.uint8))
    assert len(load(source, count=np.int64(3))) == 3
    with pytest.raises(DataError, match=f"count must be a whole number, not {re.escape(repr(count))}"):
        load(source, count=count)


def test_what_no_file_system_or_memory_can_hold_is_refused():
    with pytest.raises(DataError, match="File name too long"):
        load("x" * 5000)
    with pytest.raises(DataError, match="do not fit into memory"):
        load("glyphs", size=1 << 40, count=2)


def test_the_table_lists_every_source():
    names = [listing.name for listing in available()]
    assert names == ["glyphs", "mnist", "fashion-mnist", "cifar10", "FOLDER"]
    mnist = available()[1]
    assert (mnist.shape, mnist.count, mnist.cached) == ((28, 28, 1), 60_000, False)
    assert mnist.place.endswith("mnist")


def test_every_remote_has_a_size_and_a_sha256():
    for source in (source for source in sources.SOURCES.values() if source.files):
        assert set(source.files) == set(source.counts) == {"train", "test"}
        for remote in (remote for files in source.files.values() for remote in files):
            assert remote.size > 1000
            assert re.fullmatch("[0-9a-f]{64}", remote.sha256)


def test_nothing_is_not_the_current_folder():
    with pytest.raises(DataError, match="the data source is empty"):
        load("")


def test_both_splits_of_what_has_them():
    train, test = load_splits("glyphs", size=8)
    assert (len(train), len(test)) == (20_000, 2000)
    assert np.array_equal(test.images, load("glyphs", split="test", size=8, count=2000).images)


def test_every_tenth_image_of_a_path_without_a_test_split_is_held_out(tmp_path):
    for number in range(25):
        PIL.Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / f"{number:02}.png")
    train, test = load_splits(tmp_path, channels=1)
    assert test.images[:, 0, 0, 0].tolist() == [9, 19]
    assert train.images[:, 0, 0, 0].tolist() == [n for n in range(25) if n not in (9, 19)]
    for number in range(20):
        (tmp_path / f"{number:02}.png").unlink()
    with pytest.raises(DataError, match=r"5 images, but at least ten are needed, as every tenth"):
        load_splits(tmp_path)


def test_a_path_with_a_test_split_keeps_it(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        (tmp_path / split).mkdir()
        for number in range(count):
            PIL.Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / split / f"{number}.png")
    train, test = load_splits(tmp_path)
    assert (len(train), len(test)) == (3, 2)
