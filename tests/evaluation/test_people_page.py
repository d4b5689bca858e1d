"""The page that asks people: it needs nothing, gives nothing away, and holds the pixels that it was given."""

import base64
import io
import re

import numpy as np
import PIL.Image
import pytest
from pages import Logic, pictures, scripts, small

import minigan as mg
from minigan.errors import DataError
from minigan.evaluation import page

SHAPES = [(28, 28, 1), (5, 4, 3), (1, 1, 1)]


def decoded(text, shape):
    with PIL.Image.open(io.BytesIO(base64.b64decode(text))) as picture:
        assert picture.mode == {1: "L", 3: "RGB"}[shape[2]]
        return np.array(picture).reshape(shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_key_leads_back_to_the_pixels(shape):
    made, real, examples = (pictures(6, shape, seed) for seed in range(3))
    logic = Logic(page(made, real, seed=3, examples=examples))
    order = logic("opened", ...)
    assert sorted(order) == list(range(12))
    for number, text in zip(order, logic.page["images"], strict=True):
        assert np.array_equal(decoded(text, shape), np.concatenate([real, made])[number])
    assert logic("truth", ...) == ["real" if number < 6 else "generated" for number in order]
    for image, text in zip(examples, logic.page["examples"], strict=True):
        assert np.array_equal(decoded(text, shape), image)


@pytest.mark.parametrize("shape", SHAPES)
def test_both_kinds_are_encoded_alike(shape):
    """Clean edges compress better than noise, so nothing is compressed: all files are as long, of the same chunks."""
    noise, flat = pictures(8, shape), np.zeros((8, *shape), np.uint8)
    content, _, _ = scripts(page(noise, flat))
    files = [base64.b64decode(text) for text in content["images"]]
    assert len({len(file) for file in files}) == 1
    assert len({file[:33] for file in files}) == 1  # up to the end of the header: size, depth, colour
    assert len({tuple(re.findall(rb"IHDR|IDAT|IEND|gAMA|sRGB|pHYs|tEXt|tIME", file)) for file in files}) == 1


def test_it_needs_nothing_else():
    html = small(name="mnist", examples=pictures(2))
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<(iframe|object|embed|audio|video)", html)
    assert [source for source in re.findall(r"""\b(?:src|href)\s*=\s*["']([^"']*)""", html)] == ["data:,"]
    assert "default-src 'none'" in html


def test_what_is_what_shows_in_the_key_alone():
    """The same images in the same order with another truth: all else is the same."""
    shown = pictures(12)
    contents = []
    for seed in (0, 1):
        order = np.random.default_rng(seed).permutation(12)
        given = np.empty_like(shown)
        given[order] = shown
        html = page(given[6:], given[:6], seed=seed)
        contents.append(scripts(html)[0])
        assert re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL).count("real") == (
            re.sub(r"<script.*?</script>", "", small(6), flags=re.DOTALL).count("real")
        )
    first, second = contents
    assert first["images"] == second["images"]
    assert {name for name in first if first[name] != second[name]} == {"seed", "id", "key"}


def test_the_key_is_not_the_order():
    logic = Logic(small(40))
    digits = [int(logic.page["key"][i : i + 4], 16) for i in range(0, 4 * 80, 4)]
    assert digits != logic("opened", ...)
    assert np.corrcoef(digits, np.array(logic.truth()) == "real")[0, 1] == pytest.approx(0, abs=0.35)


def test_the_seed_decides_the_order():
    orders = [Logic(small(20, seed=seed))("opened", ...) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert small(seed=1) == small(seed=1)


def test_its_name_depends_on_all_that_it_asks():
    names = {
        scripts(html)[0]["id"]
        for html in (
            small(),
            small(seed=1),
            small(seconds=1.0),
            small(examples=pictures(1)),
            page(pictures(4, seed=1), pictures(4, seed=3)),
            page(pictures(4, seed=2), pictures(4, seed=1)),
        )
    }
    assert len(names) == 6


def test_a_name_is_text():
    assert "(&lt;b&gt;cats&lt;/b&gt;)" in small(name="<b>cats</b>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((pictures(3), pictures(4)), "3 generated and 4 real images"),
        ((pictures(0), pictures(0)), "0 generated and 0 real"),
        ((np.zeros((1001, 1, 1, 1), np.uint8),) * 2, "from 1 to 1,000"),
        ((pictures(3), pictures(3, (4, 4, 1))), r"real images are \(4, 4, 1\), generated ones \(5, 4, 1\)"),
        ((pictures(3, (4, 4, 2)), pictures(3, (4, 4, 2))), r"C = 1 \(grey\)"),
        ((pictures(3) / 255, pictures(3)), "generated images are float64, expected uint8"),
        ((pictures(3), pictures(3)[0]), r"real images have shape .* expected \(N, H, W, C\)"),
        ((pictures(3), pictures(3), 0, 0), "shown for 0 seconds"),
        ((pictures(3), pictures(3), 0, float("nan")), "shown for nan seconds"),
        ((pictures(3), pictures(3), 0, None, "images", pictures(3, (1, 1, 1))), "example images are"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        mg.evaluation.page(*arguments)
