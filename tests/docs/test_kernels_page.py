"""docs/kernels.md says what the kernels do now: its tables are those that docs.build.lecture would write, its pictures
can be drawn, its Python runs as it stands, and its links lead somewhere."""

import contextlib
import os
import re
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pytest

from docs.build.lecture import __main__ as lecture
from docs.build.lecture.draw_roofline import SHOWN
from docs.build.lecture.operations import BANDWIDTH, CEILINGS, OPERATIONS, of_the_dcgan
from docs.build.lecture.tables import TABLES
from minigan.kernels.cuda import RaceWarning

DOCS = Path(__file__).parents[2] / "docs"
KERNELS = DOCS.parent / "kernels" / "cuda"
TEXT = (DOCS / "kernels.md").read_text()
COMPILER = os.environ.get("CXX", "g++")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"the device sim compiles with {COMPILER}"),
]


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_as_they_would_be_written(name):
    found = {section[2]: section[3] for section in lecture.SECTION.finditer(TEXT)}
    assert found[name].strip() == TABLES[name](), "write them again: python -m docs.build.lecture"


def test_every_table_is_in_the_page_and_every_section_has_one():
    assert sorted(section[2] for section in lecture.SECTION.finditer(TEXT)) == sorted(TABLES)


def test_filling_replaces_what_is_out_of_date_and_nothing_else():
    changed = TEXT.replace("100%", "99%")
    assert changed != TEXT
    assert lecture.filled(changed) == TEXT


def test_pictures_are_drawn(tmp_path):
    (tmp_path / "kernels.md").write_text(TEXT)
    assert lecture.main(["--document", str(tmp_path / "kernels.md"), "--pictures", str(tmp_path / "pictures")]) == 0
    assert (tmp_path / "kernels.md").read_text() == TEXT
    linked = re.findall(r"!\[.+?\]\((.*?)\)", TEXT)
    assert sorted(linked) == sorted(f"pictures/kernels-{name}.png" for name in lecture.PICTURES)
    for link in linked:
        assert (tmp_path / link).read_bytes().startswith(b"\x89PNG")
        assert (DOCS / link).exists(), link


def test_operations_under_one_name_of_the_roofline_are_of_one_intensity():
    at = of_the_dcgan()
    for words, names in SHOWN.items():
        first, *others = (OPERATIONS[name].flops(at) / OPERATIONS[name].traffic(at) for name in names)
        assert others == pytest.approx([first] * len(others), rel=0.15), words


def test_ceilings_in_the_text_are_those_of_the_tables():
    head = TEXT[: TEXT.index("## 1.")].replace("\n", " ")
    fp32, fp64, tf32, bf16 = (f"{CEILINGS[name] / 1e12:.0f}" for name in ("fp32", "fp64", "tf32", "bf16"))
    said = f"{BANDWIDTH / 1e12} TB/s; {fp32} TFLOP/s in fp32, {fp64} in fp64, {tf32} in TF32 and {bf16} in bfloat16"
    assert said in head
    ridges = (f"{CEILINGS[name] / BANDWIDTH:.0f}" for name in ("tf32", "bf16"))
    assert "the ridge is at {} FLOP/byte for TF32 and {} for bfloat16".format(*ridges) in TEXT.replace("\n", " ")


def test_its_python_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks, space = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL), {}
    assert len(blocks) == 3
    for number, code in enumerate(blocks):
        warned = pytest.warns(RaceWarning) if number == 2 else contextlib.nullcontext()
        with warned:
            exec(compile(code, f"docs/kernels.md, example {number + 1}", "exec"), space)
    row = np.asarray(space["columns"])[3]
    np.testing.assert_array_equal(row, [0, 5, 6, 0, 10, 11, 0, 15, 16])
    printed = capsys.readouterr().out
    results = re.findall(r"^\d \[(.*)\]$", printed, re.MULTILINE)
    assert [result.split() for result in results] == [["nan"] * 8] * 2
    assert re.search(r"^thread 3 writes -?nan$", printed, re.MULTILINE)
    assert re.search(
        r"^race: turned: .*race on values\[\d\].* at turned\.cu:6.* at turned\.cu:4", printed, re.MULTILINE
    )
    source = Path("turned.cu").read_text()
    Path("turned.cu").write_text(source.replace("// __syncthreads() belongs here", "__syncthreads();"))
    for seed in range(3):
        arrays = [space["numbers"], space["turned"]]
        space["Simulator"](seed).run("turned.cu", "turned", "float", 1, 8, arrays)
        np.testing.assert_array_equal(np.asarray(space["turned"]), np.arange(8)[::-1])


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (DOCS / link).exists(), link
    titles = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    anchors = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert anchors
    assert set(anchors) <= headings


def test_code_that_is_shown_is_the_source():
    shown = re.findall(r"(?:^    [^\n]*\n)+", TEXT, re.MULTILINE)
    (code,) = [textwrap.dedent(block) for block in shown if "__device__" in block]
    assert code in (KERNELS / "activation.cu").read_text()


def test_files_that_are_named_exist():
    for names in re.findall(r"^\*([\w., ]+\.(?:cu|h)[^*]*)\*$", TEXT, re.MULTILINE):
        for name in re.findall(r"\w+\.(?:cu|h)", names):
            assert (KERNELS / name).exists(), name
