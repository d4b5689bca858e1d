import json
from dataclasses import replace

import numpy as np
import pytest
from data_files import image_bytes, tar_bytes, write_mnist, write_tree
from hypothesis import given
from hypothesis import strategies as st

from minigan.data import Dataset, available, glyphs, load, load_splits
from minigan.data.dataset import Identity
from minigan.data.sources import SOURCES, Source
from minigan.errors import DataError, UnknownNameError


def shade(value):
    return image_bytes(np.full((6, 6, 3), value, np.uint8))


FILES = {f"{kind}/{n}.png": shade(50 * at + n) for at, kind in enumerate(("cat", "dog")) for n in range(10)}


def identity_of(folder, files):
    write_tree(folder, files)
    return load(folder).identity


def test_an_identity_is_the_same_at_every_size_and_place(tmp_path):
    first = identity_of(tmp_path / "train", FILES)
    (tmp_path / "pets.tar").write_bytes(tar_bytes(FILES))
    write_tree(tmp_path / "split", {f"train/{name}": content for name, content in FILES.items()})
    write_tree(tmp_path / "split", {"test/cat/1.png": shade(9)})
    for path in ("train", "pets.tar", "split", "split/train"):
        for how in ({}, {"size": 3}, {"channels": 1}):
            assert load(tmp_path / path, **how).identity.same(first)
    assert all(part.identity == first for part in load_splits(tmp_path / "train"))
    assert (first.kind, first.path, first.classes, first.count) == (
        *("folder", str(tmp_path / "train"), ("cat", "dog"), 20),
    )


CHANGES = {
    "another pixel": FILES | {"cat/3.png": shade(99)},
    "one image more": FILES | {"cat/99.png": shade(99)},
    "one image less": {name: content for name, content in FILES.items() if name != "cat/3.png"},
    "another class": {name.replace("cat", "cow"): content for name, content in FILES.items()},
    "an image of another class": {name.replace("cat/3", "dog/00"): content for name, content in FILES.items()},
    "another order": {name.replace("cat/3", "cat/99"): content for name, content in FILES.items()},
}


@pytest.mark.parametrize("change", CHANGES)
def test_two_folders_of_one_name_are_told_apart(tmp_path, change):
    first, second = tmp_path / "a" / "train", tmp_path / "b" / "train"
    assert not identity_of(first, FILES).same(identity_of(second, CHANGES[change]))


def test_a_folder_that_is_called_as_a_set_is_not_that_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = identity_of(tmp_path / "glyphs", FILES)
    assert (found.kind, load("glyphs", count=20).identity.kind) == ("folder", "glyphs")
    assert not found.same(load("glyphs", count=20).identity)


def test_one_entry_in_the_table_makes_a_source(tmp_path, monkeypatch):
    def blank(folder, wanted):
        return Dataset(np.zeros((wanted.count or 5, 6, 4, 1), np.uint8), name="blank")

    monkeypatch.setitem(SOURCES, "blank", Source("blank", "nothing to see", (6, 4, 1), {}, {}, blank, held_out=2))
    train, test = load_splits("blank")
    assert (len(train), len(test), load("blank", size=3, channels=3).shape) == (5, 2, (3, 3, 3))
    assert "blank" in [listing.name for listing in available()]
    with pytest.raises(UnknownNameError, match="did you mean blank"):
        load("blnk")
    identity_of(tmp_path / "pets" / "blank", FILES)
    assert load(tmp_path / "pets" / "blank").name == "pets/blank"  # a folder is never mistaken for the source


@pytest.mark.parametrize("name", [*SOURCES, "train", "Testing", "train.tar.gz", "TEST.TGZ", "glyphs.npz"])
def test_a_folder_that_is_called_as_others_are_is_named_with_the_one_above(tmp_path, name):
    place = tmp_path / "pets" / name
    if name.endswith("npz"):
        place.parent.mkdir()
        np.savez(place, images=np.zeros((3, 4, 4), np.uint8))
    elif "." in name:
        place.parent.mkdir()
        place.write_bytes(tar_bytes(FILES, "w:gz"))
    else:
        write_tree(place, FILES)
    assert load(place).name == f"pets/{name.partition('.')[0]}"


def test_glyphs_are_told_apart_by_seed_split_and_count():
    first = glyphs(30)
    assert first.identity.same(glyphs(30, size=8).identity)
    assert first[:10].identity == first.identity
    others = glyphs(30, seed=1), glyphs(30, split="test"), glyphs(29)
    assert not any(first.identity.same(other.identity) for other in others)


def test_files_of_a_named_set_are_told_apart_by_what_they_hold(tmp_path):
    for folder, count in (("a", 12), ("b", 12), ("c", 13)):
        (tmp_path / folder).mkdir()
        write_mnist(tmp_path / folder, count)
    a, b, c = (load("mnist", tmp_path / folder, size=8).identity for folder in "abc")
    assert a.same(b)
    assert not a.same(c)
    assert (a.kind, a.path) == ("mnist", str(tmp_path / "a"))


arrays = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        st.binary(min_size=n * 12, max_size=n * 12).map(lambda b: np.frombuffer(b, np.uint8).reshape(n, 2, 2, 3)),
        st.lists(st.integers(0, 2), min_size=n, max_size=n).map(lambda labels: np.array(labels, np.int64)),
    )
)


@given(arrays, st.data())
def test_arrays_are_what_they_hold_and_not_how_they_lie(pair, data):
    images, labels = pair
    first = Dataset(images, labels, "one", ("a", "b", "c")).identity
    turned = np.asfortranarray(images)
    assert Dataset(turned, labels.copy(), "another", ("a", "b", "c")).identity == first
    assert not Dataset(images, labels, "one", ("a", "b", "d")).identity.same(first)
    assert not Dataset(images, None, "one", ("a", "b", "c")).identity.same(first)
    changed, at = images.copy(), data.draw(st.integers(0, images.size - 1))
    changed.flat[at] ^= data.draw(st.integers(1, 255))
    assert not Dataset(changed, labels, "one", ("a", "b", "c")).identity.same(first)
    other, at = labels.copy(), data.draw(st.integers(0, len(labels) - 1))
    other[at] = (other[at] + 1) % 3
    assert not Dataset(images, other, "one", ("a", "b", "c")).identity.same(first)


def test_a_set_whose_images_were_replaced_is_another_one():
    drawn = glyphs(10)
    other = replace(drawn, images=255 - drawn.images)
    assert other.identity.kind == "array"
    assert not other.identity.same(drawn.identity)


def test_an_identity_survives_json():
    found = glyphs(5).identity
    assert Identity.of(json.loads(json.dumps(found.plain()))) == found


@pytest.mark.parametrize("plain", [None, 3, "glyphs", [], {}, {**glyphs(5).identity.plain(), "digest": 3}])
def test_what_is_no_identity_is_none(plain):
    assert Identity.of(plain) is None


@pytest.mark.parametrize("source", ["glyphs", "pets"])
@pytest.mark.parametrize("how", [load, load_splits])
def test_a_data_dir_that_would_have_no_effect_is_refused(tmp_path, monkeypatch, source, how):
    monkeypatch.chdir(tmp_path)
    write_tree(tmp_path / "pets", FILES)
    with pytest.raises(DataError, match=r"--data-dir .* is nowhere, but it is only for the downloaded files of mnist"):
        how(source, data_dir="nowhere")
