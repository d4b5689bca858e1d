"""Measuring on a device: a rehearsal says that it is one, rivals that fail are named, clocks wait where they should."""

import json
import shutil

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import clocks, kernels, on_device
from benchmarks.clocks import AtMost, ByTheDevice, ByTheHost
from benchmarks.peers.torch_gpu import COMPILED, EAGER
from benchmarks.request import ON_DEVICES, Request
from benchmarks.rivals import Rival, Rivals, quickest
from minigan.devices import device_of, to_cpu
from minigan.errors import MiniganError

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="the device sim needs g++")
pytestmark = pytest.mark.slow


@needs_compiler
@pytest.mark.parametrize(
    ("suite", "case"),
    [
        ("kernels", "im2col"),
        ("conv", "tiny 1*"),
        ("step", "mlp-gan"),
        ("scaling", "layer, batch 2"),
    ],
)
def test_everything_of_a_rehearsal_says_that_it_is_one(suite, case, tmp_path, capsys):
    file = tmp_path / "rehearsal.json"
    arguments = [suite, "--device", "sim", "--peer", "torch", "--samples", "9", "--case", case, "--json", str(file)]
    assert command.main(arguments) == 0
    content = json.loads(file.read_text())
    assert (content["device"], content["rehearsal"]) == ("sim", True)
    assert content["records"]
    for record in content["records"]:
        assert (record["suite"], record["device"], record["rehearsal"]) == (suite, "sim", True)
        assert (record["samples"], record["peer"], record["ratio"]) == (1, None, None)
        assert not {"rate", "share", "peers_ms"} & set(record)
    assert not {"gpu", "ceilings"} & set(content["machine"])
    said = capsys.readouterr().out
    assert "a rehearsal" in said
    assert not any(unit in said for unit in ("GB/s", "FLOP", "ceilings"))


@needs_compiler
@pytest.mark.parametrize("suite", ON_DEVICES)
def test_the_cases_of_a_rehearsal_are_on_the_device(suite):
    works = on_device.WORKS[suite](Request(suite, None, 1, 1, device="sim"))
    assert works
    for work in works.values():
        result = work.build()()
        result = result[0] if isinstance(result, list) else result
        assert isinstance(result, dict) or device_of(result) == "sim"  # a step's is its losses


@needs_compiler
@pytest.mark.parametrize("name", [name for name, case in kernels.all_cases("sim").items() if "NCHW" in case.forms])
def test_what_is_measured_on_a_device_is_what_is_on_the_cpu(name):
    case, at = kernels.all_cases("sim")[name], kernels.setting_of("sim")
    ours, expected = case.build()(), case.build.func(at._replace(device="cpu"))()
    np.testing.assert_allclose(to_cpu(ours), expected, rtol=1e-4, atol=1e-5)


def test_ways_of_pytorch_have_names_of_their_own():
    names = [way.name for way in (*EAGER, *COMPILED)]
    assert len(set(names)) == 8
    assert [way.name for way in on_device.FLOAT32] == ["torch NCHW", "torch NHWC"]
    assert names[-1] == "torch NHWC, tf32, compiled"


def sums(count):
    return lambda: sum(range(count))


def fails_at_once():
    raise ValueError("cannot be built")


def fails_later():
    def run():
        raise ValueError("cannot run")

    return run


def test_rivals_that_fail_are_named_and_the_others_go_on(capfd):
    rivals = {
        "quick": Rival(sums, (10,)),
        "slow": Rival(sums, (30_000,)),
        "quickest, but unfair": Rival(sums, (1,), False),
        "unbuilt": Rival(fails_at_once, ()),
        "broken": Rival(fails_later, ()),
    }
    with Rivals() as processes:
        found = processes.beside(sums(1000), rivals, samples=3, sample=0.001)
        assert sorted(found.failed) == ["broken", "unbuilt"]
        assert {name: len(times) for name, times in found.others.items()} == dict.fromkeys(list(rivals)[:3], 3)
        assert quickest(found, rivals) == "quick"
        kept = processes.peers["quick"]
        again = processes.beside(sums(1000), {"quick": rivals["slow"], "broken": rivals["quick"]}, samples=1, sample=0)
        assert processes.peers["quick"] is kept
        assert again.failed == []
    assert not processes.peers
    errors = capfd.readouterr().err
    assert "cannot be built" in errors
    assert "broken: the peer's process ended with 1" in errors


class Recorder:
    """A clock's library that notes what is asked of it."""

    def __init__(self):
        self.asked = []

    def wait(self):
        self.asked.append("wait")

    def hold(self, seconds):
        assert seconds > 0
        self.asked.append("hold")

    def event(self):
        self.asked.append("event")
        return len(self.asked)

    def between(self, first, last):
        assert first < last
        return 12.0


def test_the_host_waits_before_and_after_a_sample():
    library = Recorder()
    timed = ByTheHost(lambda: library.asked.append("call"), library)
    assert timed.seconds(3) > 0
    assert library.asked == ["wait", "call", "call", "call", "wait"]


def test_the_device_is_held_until_its_queue_is_full():
    library = Recorder()
    timed = ByTheDevice(lambda: library.asked.append("call"), library)
    assert timed.seconds(3) == 4.0
    assert library.asked == ["wait", "call", "hold", "event", "call", "call", "call", "event", "wait"]
    library.asked.clear()
    timed.seconds(10**6)
    assert library.asked.count("call") == 1 + clocks.MOST


@pytest.mark.parametrize("suite", [suite for suite in ON_DEVICES if suite != "kernels"])  # that one's rivals need CuPy
def test_the_cpu_competes_alone_where_it_is_asked_for(suite):
    request = Request(suite, None, 1, 1)  # the device is not needed to say who competes
    request.device = "cuda"
    works = on_device.WORKS[suite](request).values()
    for request.peer in ("cpu", "torch"):
        names = [set(on_device.competitors(request, work)) for work in works if on_device.CPU in work.rivals]
        assert names
        assert all(
            (found == {on_device.CPU}) if request.peer == "cpu" else on_device.CPU not in found for found in names
        )
    with pytest.raises(MiniganError, match="--peer cpu compares another --device with the CPU"):
        Request(suite, "cpu", 1, 1)


def with_a_clock():
    return ByTheDevice(lambda: None, Recorder())


def test_what_brings_a_clock_is_timed_by_it_here_and_in_a_peers_process():
    found = measure_beside(with_a_clock())
    assert found.own == [4.0]
    assert found.others == {"theirs": [4.0]}


def measure_beside(ours):
    with Rivals() as processes:
        return processes.beside(ours, {"theirs": Rival(with_a_clock, ())}, samples=1, sample=36.0)


def test_a_sample_of_what_takes_long_ends_early(monkeypatch):
    monkeypatch.setattr(clocks, "LIMIT", 0)
    calls = []
    assert AtMost(lambda: calls.append(1)).seconds(1000) > 0
    assert len(calls) == 1
    monkeypatch.setattr(clocks, "LIMIT", 10)
    AtMost(lambda: calls.append(1)).seconds(7)
    assert len(calls) == 8
