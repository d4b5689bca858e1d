"""README's Python runs as it stands, and its links lead somewhere. Its commands are run by .ci/run."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_twenty_lines_run_and_train():
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip() and not line.startswith("#")]) <= 20
    space = {}
    exec(compile(code, "README.md", "exec"), space)
    assert space["images"].shape == (16, 28, 28, 1)
    losses = space["result"].history.column("discriminator_loss")
    assert losses[-20:].mean() < losses[0]


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link.partition("#")[0]).exists(), link


def test_what_it_says_of_a_gpu_was_measured():
    file = ROOT / "benchmarks" / "results" / "h100" / "step.json"
    records = {record["case"]: record for record in json.loads(file.read_text())["records"]}
    one, captured = records["dcgan-28"], records["dcgan-28, captured"]
    words = " ".join(README.split())
    assert f"takes {one['ours_ms']:.1f} ms, or {captured['ours_ms']:.1f} ms when captured" in words
    assert f"PyTorch without compilation takes {one['peer_ms']:.1f} ms" in words
