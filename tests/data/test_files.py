import io
import os
import signal
import socket
import tarfile

import numpy as np
import pytest
from data_files import image_bytes, tar_bytes, write_tree

from minigan.data import archive, image_folder, load, reading
from minigan.data.files import SYSTEM_FOLDERS
from minigan.errors import DataError
from minigan.training.folder import CONFIG, FORMAT


@pytest.fixture(autouse=True)
def at_most_ten_seconds():
    def give_up(*_):
        raise TimeoutError("still reading")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def shade(value, kind="PNG"):
    return image_bytes(np.full((4, 4, 3), value, np.uint8), kind)


def shades(dataset):
    return dataset.images[:, 0, 0, 0].tolist()


def put(folder, files, packed):
    if packed:
        (folder / "data.tar").write_bytes(tar_bytes(files))
        return folder / "data.tar"
    write_tree(folder, files)
    return folder


PETS = {"cat/1.png": shade(1), "dog/2.png": shade(2)}
RUN_CONFIG = b'{\n  "format": "%s",\n  "kind": "gan"\n}' % FORMAT.encode()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("beside", "reason", "count"),
    [
        *(({f"{name}/3.png": shade(3)}, "in a system folder", 1) for name in sorted(SYSTEM_FOLDERS)),
        ({"cat/@eaDir/1.png/SYNOPHOTO_THUMB.jpg": shade(3)}, "in a system folder", 1),
        ({"$RECYCLE.BIN/S-1-5/3.png": shade(3)}, "in a system folder", 1),
        ({".thumbnails/3.png": shade(3)}, "hidden", 1),
        ({"cat/.3.png": shade(3), "dog/._2.png": b"fork"}, "hidden", 2),
        ({"cat/notes.txt": b"about cats", "labels.csv": b"1,2", "empty": b""}, "not readable as an image", 3),
        ({"cat/3.heic": b"\0\0\0\x18ftypheic" + bytes(64), "cat/4.svg": b"<svg/>"}, "not readable as an image", 2),
        ({f"runs/cnn/{CONFIG}": RUN_CONFIG, "runs/cnn/pictures/confusion.png": shade(3)}, "in a run of minigan", 1),
        ({f"old/{CONFIG}": RUN_CONFIG, "old-inside/saliency.png": shade(3)}, "in a run of minigan", 1),
    ],
)
def test_what_is_no_image_of_the_set_is_no_class_and_is_counted(tmp_path, beside, reason, count, packed):
    dataset = image_folder(put(tmp_path, PETS | beside, packed))
    assert dataset.classes == ("cat", "dog")
    assert shades(dataset) == [1, 2]
    assert len(dataset.left_out) == count
    said = dataset.left_out.words()
    assert reason in said
    assert any(name.split("/")[0] in said for name in beside)


@pytest.mark.parametrize("packed", [False, True])
def test_chains_of_links_that_multiply_are_refused(tmp_path, packed):
    folder = tmp_path / "chain"
    write_tree(folder, {"40/1.png": shade(1)})
    for number in range(40):
        (folder / f"{number}").mkdir()
        for name in "ab":
            (folder / f"{number}" / name).symlink_to(f"../{number + 1}")
    if packed:
        with tarfile.open(tmp_path / "chain.tar", "w") as archive:
            archive.add(folder, "chain")
        folder = tmp_path / "chain.tar"
    with pytest.raises(DataError, match=r"chain.*: links lead to this folder in over 1,000 ways"):
        image_folder(folder)


def test_a_run_is_no_data_set(tmp_path):
    write_tree(tmp_path, {CONFIG: RUN_CONFIG, "samples/step-000001.png": shade(1)})
    with pytest.raises(DataError, match="a run of minigan, not a dataset"):
        image_folder(tmp_path)
    assert len(image_folder(tmp_path / "samples")) == 1


@pytest.mark.parametrize("beside", [PETS, {"1.png": shade(1), "2.png": shade(2)}])
def test_arrays_beside_images_do_not_hide_them(tmp_path, beside):
    stream = io.BytesIO()
    np.save(stream, np.zeros((5, 4, 4), np.uint8))
    write_tree(tmp_path, {**beside, "masks.npy": stream.getvalue()})
    if beside is PETS:
        assert load(tmp_path).classes == ("cat", "dog")
    assert shades(load(tmp_path)) == [1, 2]
    assert load(tmp_path).left_out.words() == "1 file: not readable as an image (masks.npy)"


def test_another_config_is_no_run(tmp_path):
    write_tree(tmp_path, {**PETS, f"cat/{CONFIG}": b'{"format": "of something else"}'})
    assert image_folder(tmp_path).classes == ("cat", "dog")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ending", ["", ".jpg_large", ".dat", ".JFIF", ".Png"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_images_are_read_whatever_their_ending(tmp_path, kind, ending, packed):
    path = put(tmp_path, {f"1{ending}": shade(80, kind), "2.txt": b"P6 is no image"}, packed)
    dataset = image_folder(path)
    assert abs(shades(dataset)[0] - 80) < 4
    assert len(dataset.left_out) == 1


def test_an_avif_is_read_where_pillow_can(tmp_path):
    features = pytest.importorskip("PIL.features")
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    write_tree(tmp_path, {"1.avif": shade(80, "AVIF"), "2": shade(80, "AVIF")})
    assert len(image_folder(tmp_path)) == 2


def test_links_are_followed_and_loops_end(tmp_path):
    data = tmp_path / "data"
    write_tree(tmp_path, {"data/dog/2.png": shade(2), "elsewhere/1.png": shade(1), "one.png": shade(3)})
    (data / "cat").symlink_to(tmp_path / "elsewhere")
    (data / "hare").mkdir()
    (data / "hare" / "3.png").symlink_to("../../one.png")
    (data / "ibis").symlink_to("hare")  # the same images as another class
    os.link(tmp_path / "one.png", data / "hare" / "4.png")
    (data / "dog" / "again").symlink_to(data)
    (data / "hare" / "itself").symlink_to("itself")
    (data / "hare" / "nowhere.png").symlink_to("nowhere")
    (tmp_path / "elsewhere" / "back").symlink_to(data / "dog")
    dataset = image_folder(data)
    assert dataset.classes == ("cat", "dog", "hare", "ibis")
    assert shades(dataset) == [1, 2, 2, 3, 3, 3, 3]
    assert dataset.left_out.plain() == {"behind a circular link": 2, "behind a broken link": 4}


def archive_with_links(files, links):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, (kind, target) in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
    return stream.getvalue()


HARD, SYMBOLIC = tarfile.LNKTYPE, tarfile.SYMTYPE


@pytest.mark.parametrize(
    ("links", "classes", "expected", "left_out"),
    [
        ({"./hare/4.png": (HARD, "./dog/2.png")}, ("cat", "dog", "hare"), [1, 2, 2], {}),
        ({"hare/4.png": (SYMBOLIC, "../dog/2.png")}, ("cat", "dog", "hare"), [1, 2, 2], {}),
        ({"hare": (SYMBOLIC, "./dog")}, ("cat", "dog", "hare"), [1, 2, 2], {}),
        ({"hare": (SYMBOLIC, "ibis"), "ibis": (SYMBOLIC, "dog")}, ("cat", "dog", "hare", "ibis"), [1, 2, 2, 2], {}),
        (
            {"dog/5.png": (SYMBOLIC, "../cat/1.png"), "hare": (SYMBOLIC, "dog")},
            ("cat", "dog", "hare"),
            [1, 2, 1, 2, 1],
            {},
        ),
        ({"hare": (SYMBOLIC, "/elsewhere")}, ("cat", "dog"), [1, 2], {"behind a broken link": 1}),
        ({"dog/again": (SYMBOLIC, "..")}, ("cat", "dog"), [1, 2], {"behind a circular link": 1}),
        ({"dog/again": (SYMBOLIC, "../dog")}, ("cat", "dog"), [1, 2], {"behind a circular link": 1}),
        ({"dog/x": (SYMBOLIC, "y"), "dog/y": (SYMBOLIC, "x")}, ("cat", "dog"), [1, 2], {"behind a circular link": 2}),
        (
            {"dog/cats": (SYMBOLIC, "../cat"), "cat/dogs": (SYMBOLIC, "../dog")},
            None,
            [1, 2, 1, 2],
            {"behind a circular link": 2},
        ),
        ({"dog/.png": (HARD, "dog/2.png")}, ("cat", "dog"), [1, 2], {"hidden": 1}),
        ({"dog/pipe.png": (tarfile.FIFOTYPE, "")}, ("cat", "dog"), [1, 2], {"not a regular file": 1}),
    ],
)
def test_links_in_an_archive_are_other_names_of_its_files(tmp_path, links, classes, expected, left_out):
    path = tmp_path / "pets.tgz"
    path.write_bytes(archive_with_links(PETS, links))
    dataset = image_folder(path)
    assert dataset.classes == (classes or ("cat", "dog"))
    assert sorted(shades(dataset)) == sorted(expected)
    assert dataset.left_out.plain() == left_out


def test_pipes_sockets_and_devices_are_left_out(tmp_path):
    write_tree(tmp_path, PETS)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    (tmp_path / "cat" / "zero.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "cat" / "socket.png"))
        dataset = image_folder(tmp_path)
    assert shades(dataset) == [1, 2]
    assert dataset.left_out.plain() == {"not a regular file": 3}


@pytest.mark.parametrize("special", ["pipe.tar", "zero.tar"])
def test_a_source_that_is_no_file_is_refused(tmp_path, special):
    os.mkfifo(tmp_path / "pipe.tar")
    (tmp_path / "zero.tar").symlink_to("/dev/zero")
    with pytest.raises(DataError, match=rf"{special}: a pipe, a socket or a device"):
        image_folder(tmp_path / special)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_images_that_vanish_while_they_are_read_are_no_pixels(tmp_path, monkeypatch, count):
    write_tree(tmp_path, {f"{number}.png": shade(number) for number in range(6)})
    decoded = reading.decoded

    def remove_and_decode(*arguments):
        for number in range(6 - count, 6):
            (tmp_path / f"{number}.png").unlink(missing_ok=True)
        return decoded(*arguments)

    monkeypatch.setattr(reading, "decoded", remove_and_decode)
    with pytest.raises(DataError, match=rf"{count} of 6 images cannot be read(.|\n)*{6 - count}\.png"):
        image_folder(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    write_tree(tmp_path, PETS)
    listed = os.scandir

    def refuse(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="dog: Permission denied"):
        image_folder(tmp_path)


@pytest.mark.parametrize("name", ["cat/notes.txt", "cat/9", "config.json", "cat/9.png"])
def test_a_file_that_cannot_be_opened_is_left_out_unless_it_ends_as_an_image(tmp_path, monkeypatch, name):
    write_tree(tmp_path, {**PETS, name: b""})
    opened = archive.open_regular

    def refuse(path):
        if path == tmp_path / name:
            raise PermissionError(13, "Permission denied")
        return opened(path)

    monkeypatch.setattr(archive, "open_regular", refuse)
    if name.endswith("png"):
        with pytest.raises(DataError, match=r"1 of \d images cannot be read(.|\n)*Permission denied"):
            image_folder(tmp_path)
    else:
        assert image_folder(tmp_path).left_out.words() == f"1 file: not readable as an image ({name})"


def test_a_folder_without_files_is_counted(tmp_path):
    write_tree(tmp_path, PETS)
    (tmp_path / "cow").mkdir()
    assert image_folder(tmp_path).left_out.words() == "1 file: empty (cow/)"


def test_names_that_no_terminal_shows_are_escaped(tmp_path):
    write_tree(tmp_path, PETS)
    with open(os.fsencode(tmp_path) + b"/cat/\xff\x1b[31m.txt", "wb"):
        pass
    assert r"cat/\udcff\x1b[31m.txt" in image_folder(tmp_path).words()
