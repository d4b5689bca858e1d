"""What people answered, put together: Python's figures are the page's, known ones are as known, damage is refused."""

import json

import numpy as np
import pytest
from pages import Logic, small

from minigan.errors import DataError
from minigan.evaluation import Interval, answered, wilson
from minigan.evaluation.answers import verdict, words
from minigan.evaluation.intervals import percent


@pytest.fixture
def logic():
    return Logic(small(20))


@pytest.fixture
def save(logic, tmp_path):
    """Writes what the page would save, with changes: the file."""

    def write(said, person="ada", seconds=1.0, name=None, **changes):
        saved = logic("saved", ..., logic.answer(said, person, seconds))
        file = tmp_path / f"{name or person}.json"
        file.write_text(json.dumps({**saved, **changes}))
        return file

    return write


def said(logic, real, generated):
    """Answers that take so many of either kind for real, the first ones."""
    left = {"real": real, "generated": generated}
    answers = []
    for kind in logic.truth():
        answers.append("real" if left[kind] > 0 else "generated")
        left[kind] -= 1
    return answers


@pytest.mark.parametrize("seed", range(6))
def test_the_page_and_python_say_the_same(logic, save, seed):
    rng = np.random.default_rng(seed)
    answers = rng.choice(["real", "generated"], 40, p=[0.15 * seed + 0.1, 0.9 - 0.15 * seed]).tolist()
    shown = logic("result", ..., logic.answer(answers))
    found = answered([save(answers)])
    truth = np.array(logic.truth())
    assert found.pooled.right.number == np.sum(truth == answers)
    for name, share in shown.items():
        ours = getattr(found.pooled, name)
        assert (share["number"], share["count"], share["share"]) == (ours.number, ours.count, ours.share)
        assert (share["low"], share["high"]) == pytest.approx(ours.interval, rel=1e-14, abs=1e-15)
        assert [logic("percent", share[end]) for end in ("low", "high")] == [percent(end) for end in ours.interval]
    assert logic("verdict", ..., shown["right"]["low"], shown["right"]["high"]) == found.verdict


def test_wilson_is_the_same_in_both(logic):
    for count in (1, 2, 9, 100):
        for right in range(count + 1):
            theirs = logic("wilson", right, count, logic.page["z"])
            assert (theirs["low"], theirs["high"]) == pytest.approx(wilson(right, count), rel=1e-14, abs=1e-15)


def test_shares_are_rounded_the_same_in_both(logic):
    for count in (8, 16, 40, 1000):
        for number in range(count + 1):
            assert logic("percent", number / count) == percent(number / count)
    assert percent(0.0625) == "6.3%"


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.4, 0.6), "no evidence"),
        ((0.5, 0.7), "no evidence"),
        ((0.51, 0.7), "better than by guessing"),
        ((0.1, 0.49), "confuse real and generated"),
    ],
)
def test_verdicts(logic, interval, words):
    assert words in verdict(Interval(*interval))
    assert logic("verdict", ..., *interval) == verdict(Interval(*interval))


def test_answers_of_several_are_added_up(logic, save):
    found = answered([save(said(logic, 18, 4), "ada", 1), save(said(logic, 14, 10), "bob", 3)])
    assert [(person.name, person.seconds) for person in found.people] == [("ada", 1), ("bob", 3)]
    assert [person.shares.right.number for person in found.people] == [34, 24]
    pooled = found.pooled
    assert [(share.number, share.count) for share in (pooled.right, pooled.made_as_real, pooled.real_as_real)] == [
        (58, 80),
        (14, 40),
        (32, 40),
    ]
    assert pooled.right.interval == wilson(58, 80)
    assert found.people[0].shares.right.of_people is None
    assert pooled.right.of_people.low < 58 / 80 < pooled.right.of_people.high


def test_what_was_taken_for_real_is_kept_by_image(logic, save):
    order = logic("opened", ...)
    taken = np.zeros((2, 40))
    answers = []
    for row, seed in zip(taken, (0, 1), strict=True):
        row[:] = np.random.default_rng(seed).random(40) < 0.5
        answers.append(["real" if row[number] else "generated" for number in order])
    found = answered([save(answers[0], "ada"), save(answers[1], "bob")])
    np.testing.assert_array_equal(found.taken, taken.mean(0))
    assert found.taken[20:].mean() == pytest.approx(found.pooled.made_as_real.share)


def test_people_who_differ_make_the_interval_wider(logic, save):
    """One who is always right and one who guesses: of 80 answers 60 are right, and of other people we know little."""
    found = answered([save(logic.truth(), "ada"), save(said(logic, 10, 10), "bob")]).pooled.right
    width = found.interval.high - found.interval.low
    assert found.of_people.high - found.of_people.low > 1.5 * width
    assert found.widest == (found.of_people.low, found.of_people.high)


def test_the_words_tell_every_share(logic, save):
    files = [save(said(logic, 18, 4), "ada"), save(said(logic, 14, 10), "bob")]
    text = words(answered(files))
    assert text.startswith(f"2 people on 20 real and 20 generated images (page {logic.page['id']})")
    for part in ("72.5%", "35.0%", "80.0%", "61.9% to 81.1%", "ada", "85.0%", "bob", "60.0%", "1.0 s"):
        assert part in text
    alone = words(answered(files[:1]))
    assert alone.startswith("1 person on")
    assert "other people" not in alone


def test_figures_are_json(logic, save):
    found = answered([save(said(logic, 18, 4), "ada"), save(said(logic, 14, 10), "bob")])
    plain = json.loads(json.dumps(found.plain(), allow_nan=False))
    assert plain["pooled"]["right"]["interval"] == list(found.pooled.right.interval)
    assert plain["people"][0]["shares"]["right"]["of_people"] is None
    assert plain["taken"] == found.taken.tolist()
    assert plain["verdict"] == found.verdict


# ------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "minigan-run-1"}, "not answers saved from a page of minigan ask"),
        ({"page": None}, "page is None"),
        ({"person": ""}, "person is ''"),
        ({"count": 19}, "order is not a list of 38"),
        ({"count": True}, "count is True"),
        ({"count": 10**9}, "count is 1000000000"),
        ({"order": [0] * 40}, "each number below 40 exactly once"),
        ({"order": [0.5] * 40}, "each number below 40 exactly once"),
        ({"answers": ["real"] * 39}, "answers is not a list of 40"),
        ({"answers": ["cat"] * 40}, "an answer is 'cat'"),
        ({"answers": [["real"]] * 40}, r"an answer is \['real'\]"),
        ({"times": [-1] * 40}, "a time is -1"),
        ({"times": [float("nan")] * 40}, "a time is nan"),
        ({"times": "soon"}, "times is not a list"),
    ],
)
def test_a_damaged_file_is_refused(save, changes, message):
    with pytest.raises(DataError, match=message):
        answered([save(["real"] * 40, **changes)])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_of_a_page_is_refused(tmp_path, content):
    file = tmp_path / "answers.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"answers\.json: (cannot be read|not answers saved)"):
        answered([file])
    with pytest.raises(DataError, match="cannot be read"):
        answered([tmp_path / "nowhere.json"])


def test_files_that_do_not_belong_together_are_refused(logic, save):
    ada = save(["real"] * 40)
    with pytest.raises(DataError, match=r"ada\.json answers page .* and .*bob\.json page 0123"):
        answered([ada, save(["real"] * 40, "bob", page="0123")])
    with pytest.raises(DataError, match=r"ada\.json and .*copy\.json are the answers of one person \(ada\)"):
        answered([ada, save(["real"] * 40, name="copy")])
    with pytest.raises(DataError, match="differ in order; one of them is damaged"):
        answered([ada, save(["real"] * 40, "eve", order=list(range(40)))])
    with pytest.raises(DataError, match="differ in seed"):
        answered([ada, save(["real"] * 40, "eve", seed=7)])
    with pytest.raises(DataError, match="there are no files"):
        answered([])
