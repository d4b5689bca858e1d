"""The reports of gpu.sh: the machine as a JSON file, and a summary in Markdown.

    python -m benchmarks.report machine DEVICE FILE
    python -m benchmarks.report summary DEVICE FOLDER PARTS

PARTS has a line per part: its name, exit status (or "absent") and seconds, separated by tabs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from minigan.errors import MiniganError

REHEARSAL = "A rehearsal on the device sim: nothing here says anything about a GPU."
SUITES = ("step", "kernels", "conv", "scaling", "step-cpu", "conv-cpu")
OUT_OF_TIME = ("124", "137")  # exit statuses of `timeout`


def write_machine(device: str, file: str) -> None:
    """Write the machine's description to a JSON file. Raises DeviceError for an unknown device."""
    from benchmarks import machine, measure
    from benchmarks.request import Request

    content = {"device": device, "rehearsal": device == "sim"}
    content |= measure.machine_of(Request("step", None, 1, 1, device=device))
    content["versions"] = machine.versions("cupy-cuda13x", "torch", "pytest", "hypothesis")
    Path(file).write_text(json.dumps(content, indent=2) + "\n")


def write_summary(device: str, folder: str, parts: str) -> bool:
    """Write summary.md into the folder; return whether all parts succeeded."""
    out = Path(folder)
    done = [line.split("\t") for line in Path(parts).read_text().splitlines()]
    found = {suite: read(out / f"{suite}.json") for suite in SUITES}
    wrong = [f"{name}: {result(status)}" for name, status, _ in done if status not in ("0", "absent")]
    wrong += failed_peers(found)
    lines = ["# Rehearsal", "", f"**{REHEARSAL}**"] if device == "sim" else ["# Measured on a GPU"]
    lines += ["", *machine_lines(read(out / "machine.json")), "", "## Parts", ""]
    lines += table(("part", "result", "seconds"), [(name, result(status), seconds) for name, status, seconds in done])
    lines += ["", "What went wrong:", "", *(f"- {one}" for one in wrong)] if wrong else ["", "All went well."]
    for suite, content in found.items():
        if content:
            lines += ["", f"## {suite}", "", *suite_lines(content)]
    (out / "summary.md").write_text("\n".join(lines) + "\n")
    return not wrong


def read(file: Path) -> dict:
    """A JSON file's content, or {} if it is missing or incomplete."""
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def result(status: str) -> str:
    if status in OUT_OF_TIME:
        return "ran out of time"
    return {"0": "ok", "absent": "not present"}.get(status, f"failed ({status})")


def failed_peers(found: dict[str, dict]) -> list[str]:
    """One line per case with peers that could not be measured."""
    return [
        f"{suite}, {record['case']}: not measured: {'; '.join(record['failed'])}"
        for suite, content in found.items()
        for record in content.get("records", ())
        if record.get("failed")
    ]


def machine_lines(machine: dict) -> list[str]:
    flat = {name: value for name, value in machine.items() if name not in ("device", "rehearsal", "versions")}
    return [f"- {name.replace('_', ' ')}: {value}" for name, value in (flat | machine.get("versions", {})).items()]


def suite_lines(content: dict) -> list[str]:
    lines = [
        f"Ceilings: {', '.join(f'{name} {value:.0f}' for name, value in ceilings.items())} (GFLOP/s, GB/s)."
        for ceilings in content["machine"].get("ceilings", ())
    ]
    ours = "on sim, ms" if content["rehearsal"] else "ours, ms"
    columns = "case", ours, "rate", "of the ceiling", "quickest in float32", "ratio", "all, ms"
    rows = [row(record) for record in content["records"]]
    return [*lines, *([""] if lines else []), *table(columns, rows)]


def row(record: dict) -> tuple[str, ...]:
    others = record.get("ours_by_algorithm_ms", {}) | record.get("peers_ms", {})
    return (
        record["case"],
        f"{record['ours_ms']:.4f}",
        f"{record['rate']:.0f} {record['rate_unit']}" if "rate" in record else "",
        f"{record['share']:.0%}" if record.get("share") is not None else "",
        record["peer"] or "",
        f"{record['ratio']:.2f}" if record["ratio"] is not None else "",
        "; ".join(f"{name} {milliseconds:.4f}" for name, milliseconds in others.items()),
    )


def table(columns, rows) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (columns, ["---"] * len(columns), *rows)]


def main(what: str, *arguments: str) -> int:
    try:
        return 1 if {"machine": write_machine, "summary": write_summary}[what](*arguments) is False else 0
    except MiniganError as error:
        print(f"benchmarks.report: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
