"""FID and Inception Score by a network of one product, where the answer is known, and what is kept between calls."""

import sys

import numpy as np
import pytest

import minigan as mg
from minigan.data import Dataset
from minigan.errors import DataError, MiniganError, RunError
from minigan.evaluation import fid, inception_weights
from minigan.evaluation.inception_weights import SHA256, Weights
from minigan.models.inception import Inception
from minigan.training import weights as weights_file

FEATURES = 6  # here


class Product(mg.nn.Module):
    """Stands for the network: its features are a product with the pixels, and their first four are its logits."""

    def __init__(self, pixels, features):
        super().__init__()
        self.weight = mg.tensor(np.eye(pixels, features, dtype=np.float32), requires_grad=True)
        self.calls = 0

    def forward(self, images):
        self.calls += len(images)
        return mg.matmul(mg.flatten(images), self.weight)

    def logits(self, features, bias=True):
        assert not bias
        return features[:, :4]


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr(fid, "FEATURES", FEATURES)
    monkeypatch.setattr(fid, "OUTPUTS", 4)


def by(pixels=4, published=False, features=FEATURES):
    return Weights(Product(pixels, features), f"{pixels:064}", published)


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 5, (count, 2, 2, 1), np.uint8)


def test_a_set_is_at_no_distance_from_itself_and_a_shift_costs_its_squared_length():
    images = pictures(50)
    found = fid.evaluate(images + np.uint8(3), by(), Dataset(images), Dataset(images))
    assert found.floor.frechet == pytest.approx(0, abs=1e-9)
    assert found.made.frechet == pytest.approx(4 * 3**2)
    assert (found.made.count, found.floor.count, found.training, found.images) == (50, 50, 50, 50)


def test_the_score_is_of_ten_parts_in_order_and_of_test_images_in_none():
    """A hundred images of one class and a hundred of another: each part has one class, and scores 1; in turn, 2."""
    apart = np.zeros((200, 2, 2, 1), np.uint8)
    apart[:100, 0, 0] = apart[100:, 1, 1] = 200
    in_turn = np.stack([apart[:100], apart[100:]], 1).reshape(apart.shape)
    data = Dataset(pictures(20))
    for images, score in ((apart, 1), (in_turn, 2)):
        parts = fid.evaluate(images, by(), data, Dataset(apart))
        assert parts.made.score == pytest.approx((score, 0), abs=1e-9)
        assert parts.floor.score.mean > 1.9  # whose classes come one after the other, as a folder's


def test_figures_are_named_after_the_published_weights_only():
    data = Dataset(pictures(30), name="pictures")
    own, published = (fid.evaluate(data.images, by(4, published), data, data) for published in (False, True))
    assert own.names == {"frechet": "as FID", "score": "as IS"}
    assert published.names == {"frechet": "FID", "score": "IS"}
    assert published.digest == SHA256[:8]
    assert own.digest == "00000000"
    assert "\nFID " in fid.words(published)
    assert "by the 2015 Inception network (6726825d), compared with\n30 training images of pictures" in fid.words(
        published
    )
    assert "\nas FID " in fid.words(own)
    assert "weights 00000000, which are not those of FID and IS" in fid.words(own)
    plain = published.plain()
    assert (plain["made"]["score"]["mean"], plain["names"]["score"]) == (published.made.score.mean, "IS")


@pytest.mark.parametrize("few", ["training", "made", "test", None])
def test_of_no_more_images_than_features_it_is_said_what_a_distance_means(few, monkeypatch):
    monkeypatch.setattr(fid, "FEATURES", 30)
    sets = {name: pictures(30 if name == few else 31) for name in ("training", "made", "test")}
    found = fid.evaluate(sets["made"], by(features=30), Dataset(sets["training"]), Dataset(sets["test"]))
    note = "(with 30 images or fewer, the distance mostly reflects their small number)"
    assert (fid.words(found).splitlines()[-1] == note) == (few is not None)


def test_fewer_training_images_may_do_and_are_the_same_every_time():
    data = Dataset(pictures(60))
    first, second = (fid.evaluate(pictures(20, 1), by(), data, data, most=15) for _ in range(2))
    assert first == second
    assert (first.training, first.images, first.floor.count) == (15, 60, 20)
    assert "15 of the 60 training images" in fid.words(first)


def test_what_real_images_get_is_kept_and_what_was_not_finished_is_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(fid, "SECONDS", 0.0)
    monkeypatch.setattr(fid, "PART", 64)
    data, test, told = Dataset(pictures(200)), Dataset(pictures(40, 1)), []
    whole = fid.evaluate(pictures(20, 2), by(), data, test)

    class Stop(Exception):
        pass

    def stop(name, done, total):
        told.append((name, done, total))
        if done > 128:
            raise Stop

    network = by()
    with pytest.raises(Stop):
        fid.evaluate(pictures(20, 2), network, data, test, folder=tmp_path, report=stop)
    assert told[-1] == ("training", 160, 220 + 20)
    network.network.calls = 0
    told.clear()
    resumed = fid.evaluate(
        pictures(20, 2), network, data, test, folder=tmp_path, report=lambda *how_far: told.append(how_far)
    )
    assert told[0] == ("training", 32, 112)
    assert [done for name, done, total in told] == [32, 64, 72, 92, 112]
    assert network.network.calls == 200 - 128 + 20 + 20
    assert resumed == whole
    network.network.calls = 0
    assert fid.evaluate(pictures(20, 2), network, data, test, folder=tmp_path) == whole
    assert network.network.calls == 20  # generated images alone
    for other in (Weights(network.network, "f" * 64, False), network):
        images = pictures(200) if other is not network else pictures(200, 9)
        network.network.calls = 0
        fid.evaluate(pictures(20, 2), other, Dataset(images), test, folder=tmp_path)
        assert network.network.calls >= 200 + 20  # other weights and other images are seen anew


@pytest.mark.parametrize("error", [RunError("the disk is full"), PermissionError("read-only")])
def test_figures_need_no_room_to_keep_anything(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    data, test = Dataset(pictures(50)), Dataset(pictures(40, 1))
    whole = fid.evaluate(pictures(20, 2), by(), data, test)
    monkeypatch.setattr(fid.weights, "save", fail)
    assert fid.evaluate(pictures(20, 2), by(), data, test, folder=tmp_path) == whole
    (tmp_path / "file").touch()
    assert fid.evaluate(pictures(20, 2), by(), data, test, folder=tmp_path / "file" / "folder") == whole


def test_a_damaged_file_is_made_anew(tmp_path):
    data = Dataset(pictures(30))
    first = fid.evaluate(pictures(20, 2), by(), data, data, folder=tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2  # training and test images
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    assert fid.evaluate(pictures(20, 2), by(), data, data, folder=tmp_path) == first
    assert all(file.stat().st_size > 100 for file in files)


def test_of_more_images_than_features_only_moments_are_held(tmp_path):
    images = pictures(1100)
    whole = fid.InceptionFeatures(images, by(), tmp_path, logits=False)
    whole.compute()
    for sample in (whole, fid.InceptionFeatures(images, by(), tmp_path, logits=False)):
        assert sample.done == 1100
        assert not sample.arrays["features"].size
        found = sample.features()
        flat = images.reshape(1100, 4)
        np.testing.assert_allclose(found.mean[:4], flat.mean(0), rtol=1e-6)
        np.testing.assert_allclose(found.covariance[:4, :4], np.cov(flat, rowvar=False), rtol=1e-6, atol=1e-9)
        assert not found.covariance[4:].any()
    few = fid.InceptionFeatures(images[:FEATURES], by())
    few.compute()
    assert np.array_equal(few.features()[:, :4], flat[:FEATURES])


@pytest.mark.parametrize(
    ("images", "train", "test", "message"),
    [
        (pictures(9), pictures(20), pictures(20), "there are 9 generated images, but every score needs at least 10"),
        (pictures(20), pictures(20), pictures(5), "there are 5 test images"),
        (pictures(20)[:, :1], pictures(20), pictures(20), r"generated images are \(1, 2, 1\), training"),
        (pictures(20) / 1.0, pictures(20), pictures(20), "generated images are float64, expected uint8"),
        (pictures(20)[..., [0, 0]], pictures(20), pictures(20), r"C = 1 \(grey\) or 3"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, train, test, message):
    with pytest.raises(DataError, match=message):
        fid.evaluate(images, by(), Dataset(train), Dataset(test))


@pytest.fixture(scope="module")
def arrays():
    return Inception(np.random.default_rng(3)).published()


def test_weights_of_safetensors_are_the_published_ones_where_they_were_converted(arrays, tmp_path, monkeypatch):
    """And are not changed since."""
    path, header = tmp_path / "own.safetensors", {}
    path.touch()
    monkeypatch.setattr(weights_file, "read", lambda path: (header, arrays))
    found = inception_weights.load(path)
    assert not found.published
    assert found.digest == found.arrays[:8]
    assert not found.network.training
    assert not found.network.parameters()
    header["made_from_sha256"] = SHA256
    assert not inception_weights.load(path).published  # who knows of which arrays it was said
    header["arrays_sha256"] = found.arrays
    assert inception_weights.load(path).published
    header["arrays_sha256"] = found.arrays[::-1]
    with pytest.raises(DataError, match="its arrays were changed after the conversion"):
        inception_weights.load(path)


def test_a_file_of_pytorch_takes_pytorch(tmp_path, monkeypatch):
    path = tmp_path / "published.pth"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MiniganError, match=r"published.pth: .*not installed \(pip install torch\); .*w.converted\("):
        inception_weights.load(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.pth", "there is no such file"), ("weights.npz", "must be a .pth or a .safetensors file")],
)
def test_other_files_are_refused(name, message, tmp_path):
    (tmp_path / "weights.npz").write_bytes(b"")
    with pytest.raises(DataError, match=message):
        inception_weights.load(tmp_path / name)


def test_a_file_with_other_arrays_is_named(tmp_path):
    weights_file.save(tmp_path / "other.safetensors", {}, {"fc.bias": np.zeros(1000, np.float32)})
    with pytest.raises(DataError, match=r"other.safetensors: not the 2015 .* is missing.*torchvision's Inception v3"):
        inception_weights.load(tmp_path / "other.safetensors")
