"""What the benchmarks print and keep is what was measured."""

import importlib.util
import json

import pytest

from benchmarks import __main__ as command
from benchmarks import measure
from benchmarks.machine import Ceilings
from benchmarks.peers.process import Peer, started
from benchmarks.request import Request
from minigan import devices
from minigan.errors import DeviceError, MiniganError, UnknownNameError
from minigan.kernels.cpu.runtime.threads import get_threads


def request_of(suite="step", case=None, samples=1, peer=None):
    return Request(suite, peer, 2, samples, case, ceilings={2: Ceilings(2, 200.0, 50.0)})


def test_a_ratio_is_the_median_of_the_pairs():
    own, other = [1.0, 2.0, 3.0, 9.0, 1.0], [2.0, 2.0, 2.0, 3.0, 4.0]
    one = measure.record(request_of(), "case", own, "torch NHWC", other)
    assert one.ratio == 1.0  # of 0.5, 1, 1.5, 3 and 0.25
    assert (one.ours, one.peer_time) == (2000, 2000)
    assert (one.low, one.high) == (0.5, 1.5)


def test_rates_and_shares_follow_from_work_and_ceilings():
    one = measure.record(request_of(), "case", [0.5], "torch", [0.25], products=50e9)
    assert (one.rate, one.peer_rate, one.rate_unit, one.share) == (100, 200, "GFLOP/s", 0.5)
    one = measure.record(request_of(), "case", [0.5], None, [], traffic=5e9)
    assert (one.rate, one.peer_rate, one.rate_unit, one.share) == (10, None, "GB/s", 0.2)
    assert "10.0 GB/s ( 20%)" in measure.show(one)
    assert one.as_json().keys() >= {"rate", "peer_rate", "rate_unit", "share"}


@pytest.mark.parametrize(("unit", "scale"), [("ms", 1e3), ("us", 1e6), ("MB", 1e-6)])
def test_units_are_in_the_names_of_the_json(unit, scale):
    fields = measure.record(request_of(), "case", [3.0], "torch", [2.0], unit=unit, also=["twin"]).as_json()
    assert fields[f"ours_{unit.lower()}"] == pytest.approx(3 * scale)
    assert fields[f"peer_{unit.lower()}"] == pytest.approx(2 * scale)
    assert (fields["ratio"], fields["also"], fields["device"]) == (1.5, ["twin"], "cpu")
    json.dumps(fields)


def sum_up_to(count):
    return lambda: sum(range(count))


def fail_at_once():
    raise ValueError("no such engine")


def test_a_peer_that_cannot_be_had_ends_the_run(capfd):
    with pytest.raises(RuntimeError, match="the peer's process ended with 1"):
        Peer(fail_at_once).seconds(1)
    assert "no such engine" in capfd.readouterr().err


@pytest.mark.slow
def test_the_quickest_peer_counts(monkeypatch):
    monkeypatch.setattr(measure, "SAMPLE", 0.005)
    with started({name: (sum_up_to, count) for name, count in (("slow", 100_000), ("quick", 10))}) as peers:
        own, best, other = measure.paired(lambda: sum(range(1000)), peers, samples=3)
    assert best == "quick"
    assert len(own) == len(other) == 3
    assert all(a > b > 0 for a, b in zip(own, other, strict=True))


def test_a_peer_times_what_it_was_last_told_to():
    with started({"peer": (sum_up_to, 10)}) as peers:
        quick = peers["peer"].seconds(5)
        peers["peer"].become(sum_up_to, 1_000_000)
        assert peers["peer"].seconds(1) > 20 * quick
        process = peers["peer"]._process
    assert not process.is_alive()


def test_the_json_has_machine_versions_and_records(tmp_path, capsys):
    file = tmp_path / "results" / "overhead.json"
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


def test_ceilings_are_kept_with_the_machine(tmp_path):
    measure.save(tmp_path / "step.json", request_of(), [])
    content = json.loads((tmp_path / "step.json").read_text())
    assert content["machine"]["ceilings"] == [{"threads": 2, "products": 200.0, "copies": 50.0}]


def test_threads_are_those_asked_for_and_put_back(monkeypatch, capsys):
    before = get_threads()
    assert command.main(["overhead", "--samples", "1", "--threads", "3"]) == 0
    assert ", 3 threads" in capsys.readouterr().out
    assert get_threads() == before


@pytest.mark.parametrize("case", ["dcgan-82", "gan"])
def test_an_unknown_case_is_answered_with_the_nearest(case, capsys):
    assert command.main(["step", "--case", case]) == 1
    assert f"no case of the step suite is called {case!r}" in capsys.readouterr().err


def test_a_pattern_names_several_cases():
    names = ["dcgan-32/D1 forward", "dcgan-32/D2 forward", "rgan-64/D1 forward"]
    assert request_of(case="dcgan-32/*").wanted(names) == names[:2]
    assert request_of(case=names[2]).wanted(names) == names[2:]
    assert request_of().wanted(names) == names
    with pytest.raises(UnknownNameError):
        request_of(case="vae/*").wanted(names)


def test_a_device_that_is_not_there_is_an_error_of_one_line(monkeypatch, capsys):
    monkeypatch.setattr(devices.importlib, "import_module", without_cupy)
    assert command.main(["step", "--device", "cuda"]) == 1
    assert capsys.readouterr() == ("", "benchmarks: the device cuda needs CuPy\n")
    with pytest.raises(MiniganError):
        Request("step", None, 1, 1, device="tpu")


def without_cupy(name):
    raise DeviceError("the device cuda needs CuPy")


def test_suites_that_are_for_the_cpu_say_so(capsys):
    assert command.main(["memory", "--device", "sim"]) == 1
    assert (
        "the memory suite runs only on the cpu; on devices run kernels, conv, step, scaling" in capsys.readouterr().err
    )


def test_samples_and_threads_are_positive(capsys):
    with pytest.raises(SystemExit):
        command.main(["step", "--samples", "0"])
    assert "0 is not at least 1" in capsys.readouterr().err


def test_help_explains_every_suite(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    for name, suite in command.SUITES.items():
        assert [line.split()[0] for line in lines if suite.about in line] == [name]


def test_a_missing_peer_is_one_sentence(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    assert command.main(["step", "--peer", "torch"]) == 1
    assert capsys.readouterr() == ("", "benchmarks: --peer torch needs PyTorch: pip install -e '.[parity]'\n")
