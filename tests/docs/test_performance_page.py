"""docs/performance.md is filled from the files that the suites write, and everything in it leads somewhere."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import profile
from docs.build import charts, performance

ROOT = Path(__file__).parents[2]
ORIGIN = {
    "machine": {
        "processor": "Two Cores",
        "cores": 2,
        "system": "any",
        "ceilings": [{"threads": 2, "products": 200.0, "copies": 40.0}],
    },
    "versions": {"python": "3.11", "torch": "2.13.0"},
}


def record(suite, case, unit="ms", ours=30.0, peer=60.0, **more):
    compared = {"peer": None, f"peer_{unit}": None, "ratio": None, "low": None, "high": None}
    if peer:
        ratio = ours / peer
        compared = {
            "peer": "torch NHWC",
            f"peer_{unit}": peer,
            "ratio": ratio,
            "low": 0.9 * ratio,
            "high": 1.1 * ratio,
        }
    rates = {"rate": 100.0, "peer_rate": 50.0, "rate_unit": "GFLOP/s", "share": 0.5}
    start = {"suite": suite, "case": case, "device": "cpu", "threads": 2, f"ours_{unit}": ours, "samples": 15}
    return start | compared | rates | more


RECORDS = {
    "overhead": [record("overhead", "chain", "us")],
    "kernels": [record("kernels", "adam"), record("kernels", "im2col", ours=90.0)],
    "conv": [
        record("conv", f"{layer} {direction}", ours=ours, plain_product="1x1" in layer)
        for layer, ours in (("dcgan-28/D1 1->64 at 28 4x4/2", 15.0), ("rgan-64/G2 mix 8->4 at 8 1x1", 60.0))
        for direction in charts.DIRECTIONS
    ],
    "step": [record("step", "mlp-gan"), record("step", "rgan-64", ours=1400.0, peer=2000.0)],
    "memory": [record("memory", "rgan-64", "mb", ours_peak_mb=120.0, peer_peak_mb=400.0)],
    "cold": [record("cold", "import"), record("cold", "first step, warm cache")],
    "scaling": [
        record("scaling", f"layer, {axis} {value}", axis=axis, value=value, images=8)
        for axis in ("batch", "threads")
        for value in (1, 2)
    ],
    "profile": [
        record("profile", "mlp-gan", peer=None, parts={part: 30 / 8 for part in (*profile.PARTS, profile.REST)}),
    ],
}


@pytest.fixture
def folder(tmp_path):
    """The document as it is in docs, with no results in it, and a folder for them."""
    (tmp_path / "results").mkdir()
    (tmp_path / "performance.md").write_text((ROOT / "docs" / "performance.md").read_text())
    return tmp_path


def write(folder, suite, records):
    (folder / "results" / f"{suite}.json").write_text(json.dumps({**ORIGIN, "records": records}))


def fill(folder):
    code = performance.main(
        [
            *("--results", str(folder / "results"), "--document", str(folder / "performance.md")),
            *("--pictures", str(folder / "pictures")),
        ]
    )
    return code, (folder / "performance.md").read_text()


def section(text, suite):
    return re.search(performance.SECTION.format(suite), text, re.DOTALL)[2]


def test_every_suite_has_a_section_and_a_table():
    text = (ROOT / "docs" / "performance.md").read_text()
    assert sorted(re.findall(r"<!-- results: (\w+) -->", text)) == sorted(command.SUITES)
    assert set(performance.TABLES) == set(command.SUITES) == set(RECORDS)
    assert text.count("<!-- end -->") == len(command.SUITES)


@pytest.mark.parametrize("suite", command.SUITES)
def test_results_become_a_table_and_a_picture(folder, suite):
    write(folder, suite, RECORDS[suite])
    code, text = fill(folder)
    assert code == 0
    filled = section(text, suite)
    assert "Two Cores, threads: 2" in filled
    assert "ceilings with 2: 200 GFLOP/s, 40 GB/s" in filled
    rows = [line for line in filled.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    links = re.findall(r"!\[.*?\]\((.*?)\)", filled)
    assert links == ([f"pictures/performance-{suite}.png"] if suite in charts.PICTURES else [])
    for link in links:
        assert (folder / link).read_bytes().startswith(b"\x89PNG")


def test_numbers_are_those_of_the_records(folder):
    for suite, records in RECORDS.items():
        write(folder, suite, records)
    _, text = fill(folder)
    assert "| rgan-64 | 1.4 s | 2 s | NHWC | **0.70** | 0.63 to 0.77 | 100 | 50% |" in section(text, "step")
    assert "| rgan-64 | 30 MB | 60 MB | NHWC | **0.50** | 0.45 to 0.55 | 120 MB | 400 MB |" in section(text, "memory")
    assert "| mlp-gan | 30 ms | 12% | 12% |" in section(text, "profile")
    convolutions = section(text, "conv")
    assert "| dcgan-28/D1 1->64 at 28 4x4/2 | 15 ms, **0.25** |" in convolutions
    assert "| rgan-64/G2 mix 8->4 at 8 1x1 * | 60 ms, **1.00** |" in convolutions
    assert "Geometric mean of 6 ratios: **0.50**" in convolutions  # of 0.25 and 1


def test_filling_again_changes_nothing_and_new_results_replace_the_old(folder):
    write(folder, "step", RECORDS["step"])
    _, first = fill(folder)
    _, again = fill(folder)
    assert first == again
    write(folder, "step", [record("step", "dcgan-28", ours=12.0)])
    _, text = fill(folder)
    assert "dcgan-28 | 12 ms" in section(text, "step")
    assert "rgan-64" not in section(text, "step")
    assert text.partition("## The suites")[0] == first.partition("## The suites")[0]


def test_results_without_a_peer_have_no_picture(folder):
    write(folder, "step", [record("step", "mlp-gan", peer=None)])
    code, text = fill(folder)
    assert code == 0
    assert "| mlp-gan | 30 ms |" in section(text, "step")
    assert "![" not in section(text, "step")


@pytest.mark.parametrize("content", ["{", "[]", '{"records": []}', '{"records": [{"suite": "taste"}]}'])
def test_a_file_that_holds_no_results_is_named(folder, content, capsys):
    before = (folder / "performance.md").read_text()
    (folder / "results" / "odd.json").write_text(content)
    code, text = fill(folder)
    assert code == 1
    assert "odd.json" in capsys.readouterr().err
    assert text == before


def test_links_of_the_document_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", (ROOT / "docs" / "performance.md").read_text()):
        assert (ROOT / "docs" / link).exists(), link
