"""The 2015 Inception network, FID and Inception Score against pytorch-fid, torch-fidelity and torchmetrics.

All networks have the same random weights, as the published ones are not here.
"""

import hashlib

import numpy as np
import pytest
import pytorch_fid.inception
import torch
from inception_in_torch import ours, random_weights
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torch_fidelity.metric_isc import isc_features_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance
from weights_in_torch import assert_close, channels_first, channels_last

from minigan.data import Dataset
from minigan.errors import DataError
from minigan.evaluation import fid, inception_weights
from minigan.models import inception as network_file
from minigan.models.inception import prepared

CHANNELS = {  # that a layer is given
    "Conv2d_1a_3x3": 3,
    "Conv2d_2a_3x3": 32,
    "Conv2d_2b_3x3": 32,
    "MaxPool_1": 64,
    "Conv2d_3b_1x1": 64,
    "Conv2d_4a_3x3": 80,
    "MaxPool_2": 192,
    "Mixed_5b": 192,
    "Mixed_5c": 256,
    "Mixed_5d": 288,
    "Mixed_6a": 288,
    "Mixed_6b": 768,
    "Mixed_6c": 768,
    "Mixed_6d": 768,
    "Mixed_6e": 768,
    "Mixed_7a": 768,
    "Mixed_7b": 1280,
    "Mixed_7c": 2048,
}
IN_TORCHVISION = {"MaxPool_1": "maxpool1", "MaxPool_2": "maxpool2"}  # other names


@pytest.fixture(scope="module")
def published_file(tmp_path_factory):
    """A file as the published one is, with random weights in it."""
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(random_weights(), path)
    return path


@pytest.fixture(scope="module")
def plain():
    """The network that pytorch-fid makes before it cuts it into its blocks, in float64."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytorch_fid.inception, "load_state_dict_from_url", lambda *_, **__: random_weights())
        return pytorch_fid.inception.fid_inception_v3().eval().double()


@pytest.fixture(scope="module")
def wide():
    """minigan's network in float64."""
    return ours().astype(np.float64)


@pytest.mark.parametrize("name", CHANNELS)
def test_a_layer_is_pytorch_fids(name, plain, wide, rng):
    x = rng.standard_normal((2, 6, 5, CHANNELS[name]))
    with torch.no_grad():
        expected = channels_last(getattr(plain, IN_TORCHVISION.get(name, name))(channels_first(x)))
    assert_close(getattr(wide, name)(x), expected, 1e-13)


@pytest.mark.parametrize("size", [(75, 75), (139, 203)])
def test_the_network_is_pytorch_fids(size, plain, wide, rng, monkeypatch):
    """The network as it gives features out, to which images come as they are."""
    monkeypatch.setattr(pytorch_fid.inception, "fid_inception_v3", lambda: plain)
    theirs = pytorch_fid.inception.InceptionV3(resize_input=False, normalize_input=False).eval()
    x = rng.uniform(-1, 1, (2, *size, 3))
    with torch.no_grad():
        expected = channels_last(theirs(channels_first(x))[0])[:, 0, 0]
        logits = plain.fc(torch.from_numpy(expected)).numpy()
    found = wide.pooled(x)
    assert_close(found, expected, 1e-12)
    assert_close(wide.logits(found), logits, 1e-12)


@pytest.mark.parametrize("size", [(28, 28), (32, 26), (299, 299), (310, 400), (1, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_resized_as_by_torch_fidelity(size, channels, rng):
    images = rng.integers(0, 256, (2, *size, channels)).astype(np.float32)
    resized = interpolate_bilinear_2d_like_tensorflow1x(channels_first(images), (299, 299), align_corners=False)
    expected = (channels_last(resized) - 128) / 128
    np.testing.assert_allclose(prepared(images), np.broadcast_to(expected, (2, 299, 299, 3)), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bytes_have_torch_fidelitys_features_and_logits(dtype, published_file, rng):
    names = ["2048", "logits_unbiased", "logits"]
    theirs = FeatureExtractorInceptionV3(
        "inception", names, feature_extractor_weights_path=published_file, feature_extractor_internal_dtype=dtype
    )
    images = rng.integers(0, 256, (1, 32, 32, 3), np.uint8)
    with torch.no_grad():
        expected = [array.numpy() for array in theirs(channels_first(images))]
    network = ours().astype(dtype)
    features = network(images.astype(dtype))
    for found, other in zip(
        (features, network.logits(features, bias=False), network.logits(features)), expected, strict=True
    ):
        assert_close(found, other, 1e-5)  # theirs come back in float32 in any case


def test_the_distance_is_torchmetrics_fid_and_the_score_torch_fidelitys(published_file, rng, monkeypatch):
    """With 75 pixels in place of 299, so that it takes seconds."""
    monkeypatch.setattr(network_file, "SIZE", 75)
    monkeypatch.setattr(FeatureExtractorInceptionV3, "INPUT_IMAGE_SIZE", 75)
    real, held_out, made = (
        np.minimum(rng.integers(0, 100, (count, 20, 20, 3)) * bright, 255).astype(np.uint8)
        for count, bright in ((30, 1), (10, 2), (20, 3))
    )
    weights = inception_weights.load(published_file)
    found = fid.evaluate(made, weights, Dataset(real), Dataset(held_out))

    path = str(published_file)
    theirs = FeatureExtractorInceptionV3("inception", ["logits_unbiased"], feature_extractor_weights_path=path)
    for images, measured in ((made, found.made), (held_out, found.floor)):
        with torch.no_grad():
            logits = theirs(channels_first(images))[0]
        score = isc_features_to_metric(logits, splits=10, shuffle=False)
        expected = score["inception_score_mean"], score["inception_score_std"]
        assert measured.score == pytest.approx(expected, rel=1e-4)

    theirs = FrechetInceptionDistance(feature_extractor_weights_path=path, antialias=False).set_dtype(torch.float64)
    theirs.update(channels_first(real), real=True)
    theirs.update(channels_first(made), real=False)
    assert found.made.frechet == pytest.approx(theirs.compute().item(), rel=1e-5)


def test_a_file_of_pytorch_is_read_and_converted(published_file, tmp_path):
    """And what is converted is what was read, by its digests; only the published file's are FID's."""
    read = inception_weights.load(published_file)
    written = random_weights()
    assert all(np.array_equal(array, written[name].numpy()) for name, array in read.network.published().items())
    assert not read.published
    assert read.digest == read.arrays[:8]
    inception_weights.converted(published_file, tmp_path / "random.safetensors")
    again = inception_weights.load(tmp_path / "random.safetensors")
    assert (again.arrays, again.published) == (read.arrays, False)


def test_the_published_file_is_known_by_its_hash(published_file, tmp_path, monkeypatch):
    digest = hashlib.sha256(published_file.read_bytes()).hexdigest()
    monkeypatch.setattr(inception_weights, "SHA256", digest)
    inception_weights.converted(published_file, tmp_path / "random.safetensors")
    for file in (published_file, tmp_path / "random.safetensors"):
        read = inception_weights.load(file)
        assert (read.published, read.digest) == (True, digest[:8])


@pytest.mark.parametrize("content", [{"fc.bias": 3}, [1, 2], b"no file of PyTorch", {"fc.bias": np.zeros(3)}])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "other.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(DataError, match=r"other.pth: (not a file of PyTorch weights|expected a mapping of names)"):
        inception_weights.load(path)


def test_torchvisions_own_weights_are_told(tmp_path):
    torch.save({"AuxLogits.fc.bias": torch.zeros(1000), **random_weights()}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"AuxLogits.fc.bias is unknown; it may be torchvision's Inception v3"):
        inception_weights.load(tmp_path / "other.pth")
