"""What the benchmarks print and keep is what was measured."""

import json

import pytest

from benchmarks import __main__ as command
from benchmarks import measure
from benchmarks.peers.process import Peer


def test_a_ratio_is_the_median_of_the_pairs():
    own, other = [1.0, 2.0, 3.0, 9.0, 1.0], [2.0, 2.0, 2.0, 3.0, 4.0]
    one = measure.record("step", "case", 2, own, "torch NHWC", other)
    assert one.ratio == 1.0  # of 0.5, 1, 1.5, 3 and 0.25
    assert (one.ours, one.peer_time) == (2000, 2000)
    assert (one.low, one.high) == (0.5, 1.5)


def sum_up_to(count):
    return lambda: sum(range(count))


def fail_at_once():
    raise ValueError("no such engine")


def test_a_peer_that_cannot_be_had_ends_the_run(capfd):
    with pytest.raises(RuntimeError, match="the peer's process ended with 1"):
        Peer(fail_at_once).seconds(1)
    assert "no such engine" in capfd.readouterr().err


def test_the_quickest_peer_counts(monkeypatch):
    monkeypatch.setattr(measure, "SAMPLE", 0.005)
    peers = {name: Peer(sum_up_to, count) for name, count in (("slow", 100_000), ("quick", 10))}
    own, best, other = measure.paired(lambda: sum(range(1000)), peers, samples=3)
    assert best == "quick"
    assert len(own) == len(other) == 3
    assert all(a > b > 0 for a, b in zip(own, other, strict=True))


def test_the_json_has_machine_versions_and_records(tmp_path, capsys):
    file = tmp_path / "overhead.json"
    assert command.main(["overhead", "--samples", "1", "--json", str(file)]) == 0
    content = json.loads(file.read_text())
    assert content["machine"]["cores"] >= 1
    assert {"python", "numpy", "numba"} <= set(content["versions"])
    (record,) = content["records"]
    assert record["suite"] == "overhead"
    assert 0.5 < record["ours_us"] < 1000
    assert record["samples"] == 1
    assert {"case", "device", "threads", "peer", "ratio"} <= set(record)
    assert f"{record['ours_us']:.2f} us" in capsys.readouterr().out


@pytest.mark.parametrize("case", ["dcgan-82", "gan"])
def test_an_unknown_case_is_answered_with_the_nearest(case, capsys):
    assert command.main(["step", "--case", case]) == 1
    assert f"no case of the step suite is called {case!r}" in capsys.readouterr().err
