"""docs/reading.md names files that exist, with their lengths, and all of reverse mode; what it points at is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reading.md").read_text()
ROWS = re.findall(r"^\| `([^`]+)` \| (\d+) \|", PAGE, re.MULTILINE)


def test_lengths_are_true():
    rounded = {name: round(len((ROOT / name).read_text().splitlines()), -1) for name, _ in ROWS}
    assert {name: int(lines) for name, lines in ROWS} == rounded


def test_the_length_of_reverse_mode_is_true():
    room = {file.name: len(file.read_text().splitlines()) for file in (ROOT / "minigan" / "autograd").glob("*.py")}
    core = sum(room[name] for name in ("tensor.py", "graph.py", "gradients.py", "passes.py"))
    assert f"have {round(core, -1)} lines together, the whole package {round(sum(room.values()), -1)}." in PAGE


def test_all_of_reverse_mode_is_on_the_page():
    named = {name for name, _ in ROWS}
    room = {str(file.relative_to(ROOT)) for file in (ROOT / "minigan" / "autograd").glob("*.py")}
    assert room - named == {"minigan/autograd/__init__.py"}


def test_what_it_points_at_is_there():
    answers = re.findall(r"`([\w.@]+)` (?:in|of) `([\w/.]+)`", PAGE) + re.findall(
        r"`([\w/.]+)`, below `(@[\w.]+)`", PAGE
    )
    assert len(answers) >= 5
    for one, other in answers:
        name, place = (other, one) if other.startswith("@") else (one, other)
        files = [ROOT / place] if place.endswith(".py") else list((ROOT / place).glob("*.py"))
        last = name.rpartition(".")[2] if not name.startswith("@") else name
        defined = rf"(?:def |class |^@){re.escape(last.lstrip('@'))}\b"
        assert any(re.search(defined, file.read_text(), re.MULTILINE) for file in files), (name, place)
