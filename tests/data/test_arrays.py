"""What is taken for images and labels, at every call that takes some: right, or refused in a sentence of minigan's."""

import io
import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigan as mg
from minigan import evaluation, inside, metrics, restoration
from minigan.data import Batches, Dataset, to_uint8
from minigan.data.arrays import images_from, labels_from
from minigan.errors import DataError, MiniganError
from minigan.evaluation.people import page

SHAPE = (12, 10, 1)
COUNT = 24
LABELS = np.arange(COUNT) % 2
# two classes that differ in brightness, so that an image on another scale is another image
BYTES = np.random.default_rng(0).integers(0, 100, (COUNT, *SHAPE), np.uint8)
BYTES[LABELS == 1] += 150
BYTES[0, 0, 0], BYTES[1, 0, 0] = 0, 255
FLOATS = mg.data.scaled(BYTES)
FEW = {"steps": 1, "batch": 8}


@pytest.fixture(scope="module")
def models():
    return {
        "judge": mg.classifier.fit("cnn", BYTES, labels=LABELS, **FEW).model,
        "vae": mg.vae.fit("vae", BYTES, **FEW).model,
        "restorer": mg.restoration.fit("deconvnet", BYTES, task="denoising", **FEW).model,
        "gan": mg.gan.fit("mlp-gan", BYTES, **FEW).gan,
    }


# Every call that takes images, as a function of them and of trained models, with a result that depends on them.
TAKE_FLOATS = {
    "gan.fit": lambda images, models: mg.gan.fit("mlp-gan", images, **FEW).sample(2),
    "vae.fit": lambda images, models: mg.vae.fit("vae", images, **FEW).sample(2),
    "classifier.fit": lambda images, models: mg.classifier.fit("cnn", images, labels=LABELS, **FEW).model.digest(),
    "restoration.fit": lambda images, models: mg.restoration.fit("deconvnet", images, **FEW).model.digest(),
    "classifier.fit, test": lambda images, models: (
        mg.classifier.fit("cnn", BYTES, labels=LABELS, test=(images, LABELS), **FEW).confusion_matrix
    ),
    "vae.fit, test": lambda images, models: mg.vae.fit("vae", BYTES, test=images, **FEW).bound,
    "restoration.fit, test": lambda images, models: mg.restoration.fit("deconvnet", BYTES, test=images, **FEW).figures[
        "damaged"
    ]["psnr"],
    "predict": lambda images, models: models["judge"].predict(images),
    "logits": lambda images, models: models["judge"].logits(images),
    "features": lambda images, models: models["judge"].features(images),
    "reconstruct": lambda images, models: mg.vae.reconstruct(models["vae"], images),
    "bound": lambda images, models: models["vae"].bound(images, mg.random.Philox(0, "test")),
    "restore": lambda images, models: models["restorer"].restore(images),
    "swapped": lambda images, models: str(evaluation.swapped(models["gan"], models["gan"], images, 20)),
    "saliency": lambda images, models: inside.saliency(models["judge"], images),
    "views": lambda images, models: inside.views(models["judge"], images, 2).strengths,
    "Batches": lambda images, models: Batches(images, batch_size=8, ahead=0).batch(0, 0)[0],
}
TAKE_BYTES = {
    "restoration.predict": lambda images, models: restoration.predict(models["restorer"], images),
    "restoration.evaluate": lambda images, models: str(
        restoration.evaluate(models["restorer"], images, np.random.default_rng(0)).figures
    ),
    "psnr": lambda images, models: metrics.psnr(images, BYTES[::-1].copy()),
    "psnr, images": lambda images, models: metrics.psnr(BYTES[::-1].copy(), images),
    "ssim": lambda images, models: metrics.ssim(images, BYTES[::-1].copy()),
    "page": lambda images, models: page(images, BYTES[::-1].copy()),
    "page, examples": lambda images, models: page(BYTES, BYTES[::-1].copy(), examples=images),
}
CALLS = TAKE_FLOATS | TAKE_BYTES


def subclass(array):
    return array.view(type("Own", (np.ndarray,), {}))


def mapped(array):
    """As np.load(..., mmap_mode="r") gives an array: a subclass that cannot be written."""
    content = io.BytesIO()
    np.save(content, array)
    whole = np.frombuffer(content.getvalue(), np.uint8)
    return subclass(whole[-array.nbytes :].view(array.dtype).reshape(array.shape))


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)
    found = np.frombuffer(memory, array.dtype, offset=1, count=array.size).reshape(array.shape)
    found[...] = array
    return found


def strided(array):
    wide = np.zeros((*array.shape[:-1], 3), array.dtype)
    wide[..., 1] = array[..., 0]
    return wide[..., 1:2]


FORMS = {  # of the same images
    "read-only": lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
    "memory map": mapped,
    "subclass": subclass,
    "masked, no mask": np.ma.masked_array,
    "masked nowhere": lambda array: np.ma.masked_array(array, np.zeros(array.shape, bool)),
    "Fortran order": np.asfortranarray,
    "negative strides": lambda array: np.ascontiguousarray(array[::-1])[::-1],
    "strided": strided,
    "unaligned": unaligned,
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
}
SAME_BYTES = {str(np.dtype(dtype)): dtype for dtype in (np.int16, np.uint16, np.int32, np.uint32, np.int64, ">i8")}


def as_result(found):
    return found.tobytes() if isinstance(found, np.ndarray) else found


@pytest.fixture(scope="module")
def of_bytes(models):
    return {name: as_result(call(BYTES, models)) for name, call in CALLS.items()}


@pytest.fixture(scope="module")
def of_floats(models):
    return {name: as_result(call(FLOATS, models)) for name, call in TAKE_FLOATS.items()}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_bytes_in_any_form_have_the_same_result(name, models, of_bytes):
    for form in (FORMS["memory map"], FORMS["strided"], FORMS["masked nowhere"]):
        assert as_result(CALLS[name](form(BYTES), models)) == of_bytes[name]
    assert as_result(CALLS[name](BYTES.astype(np.int64), models)) == of_bytes[name]


@pytest.mark.parametrize("name", TAKE_FLOATS)
def test_the_same_floats_in_any_form_have_the_same_result(name, models, of_floats):
    for form in (FORMS["unaligned"], FORMS["big-endian"], FORMS["masked, no mask"]):
        assert as_result(TAKE_FLOATS[name](form(FLOATS), models)) == of_floats[name]


MEANT = {  # what is not images on a scale of minigan's -> what is said about it
    "floats of 0 to 255": (BYTES.astype(np.float32), r"run from 0 to 255, .* in \[-1, 1\]; pass uint8"),
    "floats of 0 to 1": (BYTES / np.float32(255), r"may be \[0, 1\] or \[-1, 1\]; say which: images \* 2 - 1"),
    "16 bits": (BYTES.astype(np.uint16) * 257, r"uint16 .* from 0 to 65535, .*images >> 8"),
    "negative integers": (BYTES.astype(np.int64) - 128, "int64 and run from -128 to 127"),
    "NaN": (np.where(FLOATS > 0.9, np.nan, FLOATS), "contain NaN or infinity"),
    "infinity": (np.where(FLOATS > 0.9, np.inf, FLOATS), "contain NaN or infinity"),
    "booleans": (BYTES > 127, r"bool, .* images.astype\(np.uint8\) \* 255"),
    "complex": (FLOATS.astype(np.complex64), "complex64"),
    "objects": (BYTES.astype(object), "array of object"),
    "a masked pixel": (np.ma.masked_array(BYTES, BYTES == 255), r"masked; fill them first: .*\.filled"),
    "words": (BYTES.astype(str), "<U3"),
    "a list": (BYTES.tolist(), "list"),
    "a Tensor": (mg.tensor(FLOATS), "Tensor"),
    "no channel": (BYTES[..., 0], r"images\[\.\.\., None\]"),
    "one image": (BYTES[0], r"\(N, H, W, C\)"),
    "two axes": (BYTES[:, :, 0, 0], r"\(N, H, W, C\)"),
}
NEITHER_HERE = {"restore": ("floats of 0 to 1",)}  # a network's input, of a scale that was checked before
BYTES_ONLY = "expected uint8|run from|masked|array of object|a list|a Tensor|shape"


@pytest.mark.parametrize("name", CALLS)
def test_images_on_no_scale_of_minigans_are_refused_by_every_call(name, models):
    for what, (given_, words) in MEANT.items():
        if what in NEITHER_HERE.get(name, ()):
            continue
        with pytest.raises(DataError, match=words if name in TAKE_FLOATS else BYTES_ONLY):
            CALLS[name](given_, models)


@pytest.mark.parametrize("name", [name for name in TAKE_FLOATS if ".fit" in name])
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((COUNT, 1, 12, 12), r"move the channels to the end: images.transpose\(0, 2, 3, 1\)"),
        ((COUNT, 3, 10, 12), r"move the channels to the end: images.transpose\(0, 2, 3, 1\)"),
        ((COUNT, 12, 12, 4), r"drop alpha with images\[\.\.\., :3\]"),
        ((COUNT, 12, 12, 2), r"drop alpha with images\[\.\.\., :1\]"),
        ((COUNT, 12, 12, 7), "choose the channels"),
        ((0, 12, 12, 3), "there are no images"),
        ((COUNT, 0, 12, 3), "there are no images"),
    ],
)
def test_images_that_could_not_be_shown_are_refused_before_training(name, shape, words):
    images = np.zeros(shape, np.uint8)
    with pytest.raises(DataError, match=words):
        TAKE_FLOATS[name](images, {})


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int8, ">i4", np.int64, np.uint64, np.float16, ">f4", np.float64, np.longdouble]),
        st.tuples(*[st.integers(0, 3)] * 4),
    ),
    st.sampled_from([name for name in FORMS if name != "strided"]),
)
def test_any_array_is_taken_with_its_values_or_refused(array, form):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy about signalling NaNs
        given_ = FORMS[form](array)
        try:
            found = images_from("call", given_)
        except MiniganError:
            low, high = (array.min(), array.max()) if array.size else (0, 0)
            surely = (low >= 0 and high <= 255) if array.dtype.kind in "iu" else (-1 <= low < 0 and high <= 1)
            assert array.size
            assert not surely
            return
    assert type(found) is np.ndarray
    assert found.flags.aligned
    assert found.dtype.isnative
    assert np.array_equal(found, array)
    assert found.dtype == np.uint8 or (found.dtype.kind == "f" and (found.size == 0 or found.min() < 0))


@pytest.mark.parametrize(
    ("scale", "to_scale"),
    [("in [-1, 1]", lambda x: x / 127.5 - 1), ("in [0, 1]", lambda x: x / 255), ("in [0, 255]", np.float32)],
)
def test_floats_of_any_scale_become_bytes_as_the_error_says(scale, to_scale):
    images = to_scale(BYTES)
    with pytest.raises(DataError) as refused:
        Dataset(images)
    (advice,) = re.findall(rf"floats {re.escape(scale)} with ([\w.]+\([^;,]*\))", str(refused.value))
    assert np.array_equal(eval(advice, {"mg": mg, "np": np, "images": images}), BYTES)


def test_both_ways_to_say_what_floats_of_0_to_1_are_lead_to_what_was_meant():
    assert np.array_equal(to_uint8((BYTES / 255) * 2 - 1), BYTES)
    assert np.array_equal(images_from("call", to_uint8(np.abs(FLOATS))), to_uint8(np.abs(FLOATS)))


# ---------------------------------------------------------------------------------------------- labels

TAKE_LABELS = {
    "classifier.fit": lambda labels: mg.classifier.fit("cnn", BYTES, labels=labels, **FEW).model.digest(),
    "classifier.fit, test": lambda labels: (
        mg.classifier.fit("cnn", BYTES, labels=LABELS, test=(BYTES, labels), **FEW).accuracy
    ),
    "gan.fit": lambda labels: mg.gan.fit("mlp-gan", BYTES, labels=labels, **FEW).sample(2).tobytes(),
}
LABELS_MEANT = {
    "words": (LABELS.astype(str), r"np.unique\(labels, return_inverse=True\)"),
    "a list of words": (["cat", "dog"] * (COUNT // 2), r"np.unique\(labels, return_inverse=True\)"),
    "NaN": (np.where(LABELS == 1, np.nan, 0), "float64"),
    "halves": (LABELS / 2, "float64"),
    "whole floats": (LABELS.astype(float), r"labels.astype\(int\)"),
    "too few": (LABELS[:-1], "one for each of 24 images"),
    "too many": ([*LABELS, 0], "one for each of 24 images"),
    "none": ([], "one for each of 24 images"),
    "one": (np.int64(1), "int64"),
    "negative": (LABELS - 1, "go down to -1"),
    "a column": (LABELS[:, None], "ravel"),
    "one-hot": (np.eye(2, dtype=int)[LABELS], "argmax"),
    "objects": (LABELS.astype(object), "array of object"),
    "a ragged list": ([[0], [1, 1]] * 12, "list"),
    "a list with None": ([None, 1] * 12, "object"),
    "masked": (np.ma.masked_array(LABELS, LABELS == 1), "masked"),
    "10^9": (np.where(LABELS == 1, 10**9, 0), "go up to 1000000000"),
    "2^64 - 1": (np.where(LABELS == 1, np.uint64(2**64 - 1), np.uint64(0)), "go up to"),
    "10^30": ([0, 10**30] * 12, "object"),
    "a word": ("cats", "str"),
    "a dict": ({0: 1}, "dict"),
}


@pytest.mark.parametrize("name", TAKE_LABELS)
def test_labels_that_number_no_classes_are_refused_by_every_call(name):
    left_out = {"NaN", "halves"} if name == "classifier.fit, test" else ()  # with a warning: see test_classifier.py
    for given_, words in (LABELS_MEANT[kind] for kind in LABELS_MEANT.keys() - left_out):
        with pytest.raises(DataError, match=words):
            TAKE_LABELS[name](given_)


@pytest.mark.parametrize("name", TAKE_LABELS)
def test_the_same_labels_in_any_form_have_the_same_result(name):
    found = TAKE_LABELS[name](LABELS)
    for form in (
        LABELS.tolist(),
        tuple(LABELS.tolist()),
        LABELS == 1,
        LABELS.astype(np.uint8),
        LABELS.astype(">i4"),
        unaligned(LABELS),
        subclass(LABELS),
        np.ma.masked_array(LABELS),
    ):
        assert TAKE_LABELS[name](form) == found


MASKED = np.ma.masked_array(np.ones((5, 3)), np.eye(5, 3) > 0)


@pytest.mark.parametrize("given_", [MASKED, [["a", "b"]] * 5, np.ones((5, 3)) * 1j, [[1], [1, 2]] * 3, [[None]] * 5])
def test_what_are_no_real_numbers_is_refused_by_every_measure(given_):
    good = np.random.default_rng(0).random((5, 3))
    for measure in (metrics.frechet_distance, metrics.kernel_distance, metrics.nearest):
        for pair in ((given_, good), (good, given_)):
            with pytest.raises(MiniganError):
                measure(*pair)
    with pytest.raises(MiniganError):
        metrics.classifier_score(given_, splits=1)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ((BYTES.tolist(),), "images are a list, expected an array"),
        ((np.ma.masked_array(BYTES, BYTES > 9),), "images are masked"),
        ((BYTES, np.ma.masked_array(LABELS, LABELS > 0)), "labels are masked"),
        ((None,), "images are a NoneType, expected an array"),
    ],
)
def test_a_dataset_holds_plain_arrays(arrays, words):
    with pytest.raises(DataError, match=words):
        Dataset(*arrays, classes=("a", "b"))


def test_labels_are_not_shared_with_the_caller():
    labels = LABELS.copy()
    labels_from("call", labels, COUNT)[:] = 7
    assert np.array_equal(labels, LABELS)


def test_classes_without_a_name_have_their_numbers(tmp_path):
    dataset = Dataset(BYTES, LABELS, "two", ("dark", "light"))
    images, labels = np.concatenate([BYTES, BYTES]), np.concatenate([LABELS, LABELS + 2])
    result = mg.classifier.fit(
        "cnn", dataset, labels=(LABELS * 3).tolist(), test=(images, labels), out=tmp_path / "run", **FEW
    )
    assert result.confusion_matrix.shape == (4, 4)
    assert (tmp_path / "run" / "report.html").is_file()
