"""The summary of a run of gpu.sh names what went wrong, and a rehearsal as one."""

import json

from benchmarks import report

RECORD = {
    "suite": "step",
    "case": "dcgan-64",
    "device": "cuda",
    "ours_ms": 5.0,
    "peer": "torch NHWC",
    "ratio": 0.5,
    "rate": 1000.0,
    "rate_unit": "GFLOP/s",
    "share": 0.25,
    "peers_ms": {"torch NHWC": 10.0},
    "failed": [],
}


def summary_of(tmp_path, device, parts, **record):
    content = {
        "device": device,
        "rehearsal": device == "sim",
        "machine": {"ceilings": [{"products": 4000.0, "copies": 4300.0}]},
        "records": [RECORD | record],
    }
    (tmp_path / "step.json").write_text(json.dumps(content))
    (tmp_path / "conv.json").write_text('{"records": [')  # it was stopped while it wrote
    (tmp_path / "parts.tsv").write_text("".join(f"{name}\t{status}\t3\n" for name, status in parts.items()))
    code = report.main("summary", device, str(tmp_path), str(tmp_path / "parts.tsv"))
    return code, (tmp_path / "summary.md").read_text()


def test_all_went_well(tmp_path):
    code, text = summary_of(tmp_path, "cuda", {"tests": 0, "compute-sanitizer, memcheck": "absent"})
    assert code == 0
    assert "All went well." in text
    assert "| compute-sanitizer, memcheck | not present | 3 |" in text
    assert "| dcgan-64 | 5.0000 | 1000 GFLOP/s | 25% | torch NHWC | 0.50 | torch NHWC 10.0000 |" in text
    assert "earsal" not in text


def test_what_failed_is_named(tmp_path):
    parts = {"tests": 1, "step": 124, "kernels": 137, "machine": 0}
    code, text = summary_of(tmp_path, "cuda", parts, failed=["torch NCHW, compiled"])
    assert code == 1
    wrong = text.partition("What went wrong:")[2].partition("##")[0].split("\n- ")[1:]
    assert [line.strip() for line in wrong] == [
        "tests: failed (1)",
        "step: ran out of time",
        "kernels: ran out of time",
        "step, dcgan-64: not measured: torch NCHW, compiled",
    ]


def test_a_rehearsal_is_marked(tmp_path, capsys):
    _, text = summary_of(tmp_path, "sim", {"tests": 0})
    assert text.startswith("# Rehearsal\n\n**A rehearsal on the device sim")
    assert "| on sim, ms |" in text
    file = tmp_path / "machine.json"
    assert report.main("machine", "sim", str(file)) == 0
    content = json.loads(file.read_text())
    assert (content["device"], content["rehearsal"]) == ("sim", True)
    assert "gpu" not in content


def test_a_machine_that_is_not_there_is_one_line(tmp_path, capsys):
    assert report.main("machine", "tpu", str(tmp_path / "machine.json")) == 1
    assert capsys.readouterr().err == "benchmarks.report: no device is called 'tpu'; did you mean cpu?\n"
