"""Sessions with the page, in a JavaScript engine and a document that is only as much as the page needs."""

import json

import pytest
from pages import Browser, Logic, small

import minigan as mg

LONG = 1.0  # seconds before an answer


def opened(stored=None, **how):
    return Browser(small(**how), {} if stored is None else stored)


def answer(browser, keys, seconds=LONG):
    for key in keys:
        browser.wait(seconds)
        browser.press(key)


def test_a_session_by_keys_and_buttons(tmp_path):
    browser = opened()
    assert browser.screen == "opening"
    browser.click("begin")
    assert (browser.screen, browser.text("place")) == ("question", "1 of 8")
    answer(browser, ["ArrowLeft", "ArrowRight", "r", "G"])
    for name in ("real", "generated", "real", "real"):
        browser.wait(2 * LONG)
        browser.click(name)
    assert browser.screen == "answered"
    browser.click("show")
    assert browser.screen == "ending"
    browser.click("save")
    (download,) = browser("downloads")
    saved = json.loads(download["content"])
    assert download["name"] == f"answers-{browser.page['id'][:6]}-{saved['person']}.json"
    assert saved["answers"] == ["real", "generated", "real", "generated", "real", "generated", "real", "real"]
    assert saved["times"] == [1] * 4 + [2] * 4
    file = tmp_path / "answers.json"
    file.write_text(download["content"])
    right = mg.evaluation.answered([file]).pooled.right
    assert browser.text("headline") == f"You were right about {right.number} of 8"


def test_each_image_is_shown_in_its_turn():
    browser = opened()
    browser.click("begin")
    for text in browser.page["images"]:
        assert browser("elements.image.source") == "data:image/png;base64," + text
        answer(browser, "r")


def test_an_image_lies_on_the_pixels_of_the_screen():
    browser = opened()  # of 5 x 4 pixels, on a stage of 600 x 500 at (20, 64.25)
    browser.click("begin")
    width, height = 4 * 89, 5 * 89
    style = browser("elements.image.style")
    assert style == {
        "width": f"{width}px",
        "height": f"{height}px",
        "left": "122px",
        "top": "26.75px",
    }  # 64.25 + 26.75 is whole


@pytest.mark.parametrize("ratio", [1, 1.25, 1.5, 1.75, 2, 2.625, 2.75, 3, 3.5])
def test_at_usual_ratios_all_is_whole(ratio):
    logic = Logic(small())
    for shape in ((28, 28), (32, 32), (64, 64), (5, 4)):
        logic.page.update(height=shape[0], width=shape[1])
        sides = logic("size", ..., 350.0, 448.5, ratio)
        factor = sides["height"] * ratio / shape[0]
        most = min(350 * ratio / shape[1], 448.5 * ratio / shape[0])
        assert factor == pytest.approx(round(factor), abs=1e-9)
        assert sides["width"] * ratio / shape[1] == pytest.approx(factor)
        assert 2 / 3 * int(most) <= factor <= most
        if factor < int(most):
            assert (64 * sides["width"]) % 1 == pytest.approx(0, abs=1e-9)
        place = logic("middle", 24.25, 350.0, sides["width"], ratio)
        assert (24.25 + place) * ratio == pytest.approx(round((24.25 + place) * ratio), abs=1e-9)
        assert (64 * place) % 1 == pytest.approx(0, abs=1e-9)
        assert 0 <= (350 - sides["width"]) / 2 - place <= 32 / ratio
    assert logic("size", ..., 1, 1, 1) == {"width": 4, "height": 5}


def test_answers_are_taken_back_until_the_result_is_seen():
    browser = opened()
    browser.click("begin")
    assert browser("elements.undo.disabled")
    answer(browser, "rg")
    browser.press("Backspace")
    browser.click("undo")
    assert (browser.state["answers"], browser.state["times"]) == ([], [])
    answer(browser, "grrrrrrr")
    browser.press("ArrowLeft")  # there is nothing left to answer
    assert browser.screen == "answered"
    browser.press("u")
    assert (browser.screen, browser.text("place")) == ("question", "8 of 8")
    answer(browser, "g")
    browser.click("reconsider")
    answer(browser, "r")
    browser.click("show")
    browser.press("Backspace")
    assert browser.state["answers"] == ["generated"] + ["real"] * 7
    assert browser.screen == "ending"


def test_what_was_looked_at_stays():
    logic = Logic(small())
    ended = {**logic.answer(["real"] * 8), "ended": True}
    assert logic("undone", ended) == ended
    assert logic("undone", logic("fresh", "ada")) == logic("fresh", "ada")


def test_it_goes_on_after_a_reload():
    first = opened()
    first.click("begin")
    answer(first, "rgr")
    again = opened(first.stored)
    assert (again.screen, again.text("place")) == ("question", "4 of 8")
    answer(again, "ggggg")
    assert opened(again.stored).screen == "answered"
    again.click("show")
    last = opened(again.stored)
    assert last.screen == "ending"
    assert last.state["answers"] == ["real", "generated", "real"] + ["generated"] * 5
    assert last.text("shares") == again.text("shares")
    last.click("again")
    assert (last.screen, last.stored) == ("opening", {})


def test_another_page_begins_anew():
    first = opened()
    first.click("begin")
    answer(first, "rgr")
    assert opened(first.stored, seed=1).screen == "opening"


@pytest.mark.parametrize(
    "change",
    [
        {"answers": ["real", "cat"]},
        {"answers": ["real"]},
        {"answers": ["real"] * 9, "times": [1] * 9},
        {"times": [1, -1]},
        {"times": [1, None]},
        {"person": 5},
        {"unseen": 1.5},
        {"ended": True},
        {"ended": None},
    ],
)
def test_what_the_browser_kept_of_something_else_is_left(change):
    logic = Logic(small())
    state = logic.answer(["real", "generated"])
    assert logic("restored", ..., json.dumps(state)) == state
    assert logic("restored", ..., json.dumps({**state, **change})) is None


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "7", None])
def test_what_the_browser_kept_that_is_nothing_is_left(text):
    assert Logic(small())("restored", ..., text) is None


def test_it_works_where_nothing_is_kept():
    browser = Browser(small(), None)
    assert not browser("elements.forgetful.hidden")
    browser.click("begin")
    answer(browser, "rgrgrgrg")
    browser.click("show")
    assert browser.screen == "ending"
    browser.click("again")
    assert browser.screen == "opening"
    assert opened()("elements.forgetful.hidden")


def test_held_keys_and_double_taps_are_one_answer():
    browser = opened()
    browser.click("begin")
    answer(browser, "r")
    browser.wait(LONG)
    browser.press("r", repeat=True)
    assert browser.state["answers"] == ["real"]
    browser.click("generated")
    browser.wait(0.1)
    browser.click("generated")
    assert browser.state["answers"] == ["real", "generated"]
    browser.press("r", ctrlKey=True)
    browser.wait(LONG)
    browser.press("r", metaKey=True)
    browser.press("x")
    assert browser.state["answers"] == ["real", "generated"]


def test_an_image_is_hidden_when_its_time_is_over():
    browser = opened(seconds=2.0)
    browser.click("begin")
    browser.wait(1.9)
    assert browser("elements.image.className") == "shown"
    browser.wait(0.2)
    assert browser("elements.image.className") == "over"
    assert opened(browser.stored, seconds=2.0)("elements.image.className") == "over"
    answer(browser, "r")
    assert browser("elements.image.className") == "shown"
    answer(browser, "r")  # before its time is over
    browser.wait(1.5)
    assert browser("elements.image.className") == "shown"  # each has its own time
    for _ in range(2):
        browser.press("Backspace")
        assert browser("elements.image.className") == "over"  # it was seen
    assert browser.state["answers"] == []
    answer(browser, "gg")
    assert browser("elements.image.className") == "over"  # left for the ones before, it had been looked at
    assert browser.state["times"] == [1, 1]


def test_without_a_limit_an_image_stays_and_comes_back():
    browser = opened()
    browser.click("begin")
    browser.wait(1000)
    assert browser("elements.image.className") == "shown"
    answer(browser, "r")
    browser.press("u")
    assert browser("elements.image.className") == "shown"


def test_nothing_tells_before_the_end():
    """No text, class, name or length on the page depends on the kind of the image in question."""
    browser = opened(count=20)
    browser.click("begin")
    seen = set()
    for _ in range(40):
        image = browser("elements.image")
        seen.add(json.dumps({**image, "source": len(image["source"])}, sort_keys=True))
        answer(browser, "r")
    assert len(seen) == 1
    assert browser.text("shares") == browser.text("strips") == browser.text("headline") == ""


def test_the_end_shows_what_deceived():
    browser = opened()
    truth = Logic(small()).truth()
    browser.click("begin")
    wrong = {truth.index("real"), truth.index("generated")}
    for place, kind in enumerate(truth):
        answer(browser, "r" if (kind == "real") != (place in wrong) else "g", LONG + place)
    browser.click("show")
    headings = [child["children"][0] for child in browser("elements.strips.children") if child["name"] == "h2"]
    assert headings == [
        "Generated, taken for real",
        "Generated, recognized",
        "Real, taken for generated",
        "Real, recognized",
    ]
    images = [strip["children"] for strip in browser("elements.strips.children") if strip["name"] == "div"]
    shown = [
        [browser.page["images"].index(figure["children"][0]["source"].split(",")[1]) for figure in strip]
        for strip in images
    ]
    others = [
        [place for place, each in enumerate(truth) if each == kind and place not in wrong]
        for kind in ("generated", "real")
    ]
    assert shown == [[truth.index("generated")], others[0], [truth.index("real")], others[1]]
    assert [strip[0]["className"] for strip in images] == ["wrong", "right", "wrong", "right"]
    kinds = [strip[0]["children"][0]["alt"] for strip in images]
    assert kinds == ["generated", "generated", "real", "real"]
