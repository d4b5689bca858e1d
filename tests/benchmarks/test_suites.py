"""Every suite measures what its name says; without a peer, in a moment."""

import math

import numpy as np
import pytest

from benchmarks import cold, conv, fresh, kernels, layers, machine, measure, memory, profile, scaling, step
from benchmarks.cases import GANS
from benchmarks.machine import Ceilings
from benchmarks.request import Request
from minigan import models
from minigan.kernels import reference
from minigan.kernels.cpu.runtime.threads import get_threads


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    for name in ("SAMPLE", "SHORT_SAMPLE"):
        monkeypatch.setattr(measure, name, 1e-4)
    monkeypatch.setattr(scaling, "SAMPLE", 1e-4)


def run(suite, name, case=None):
    ceilings = {threads: Ceilings(threads, 100.0, 20.0) for threads in (1, 2)}
    return list(suite.run(Request(name, None, 1, 1, case, ceilings=ceilings)))


def test_a_step_is_measured_with_the_products_of_its_layers():
    (one,) = run(step, "step", "mlp-gan")
    assert one.ours > 0
    dense = [(100, 128), (128, 128), (128, 784)], [(784, 128), (128, 128), (128, 1)]
    generator, discriminator = ([2 * 128 * a * b for a, b in network] for network in dense)
    work = 3 * sum(generator) - generator[0] + 8 * sum(discriminator) - 2 * discriminator[0]
    assert one.rate * one.ours == pytest.approx(work / 1e6)


def test_layers_are_found_with_the_shapes_they_meet():
    gan = models.build("rgan", (64, 64, 3))
    found = list(layers.layers(gan.generator, 2, (100,)))
    labels = [layer.label for layer in found if isinstance(layer, layers.Convolution)]
    assert labels[:2] == ["2 512->256 at 4 5x5/2", "2 mix 768->256 at 8 1x1"]
    assert labels[-1] == "5 64->3 at 32 5x5/2"
    assert found[0] == layers.Dense(2, 100, 8192)
    assert found[1].geometry.features == (2, 4, 4, 512)
    assert found[1].geometry.image == (2, 8, 8, 256)


def test_every_convolution_of_the_models_is_a_case_or_named_by_one():
    cases, also = conv.all_cases()
    named = set(cases).union(*also.values())
    count = 0
    for name, case in GANS.items():
        gan = case.build()
        networks = (gan.generator, gan.discriminator)
        weights = [p for network in networks for _, p in network.named_parameters() if p.ndim == 4]
        assert len([n for n in named if n.startswith(f"{name}/")]) == 3 * len(weights)
        count += 3 * len(weights)
    assert len(named) == count == len(cases) + sum(map(len, also.values()))
    assert len({(layer.geometry, conv.product_of(layer, way)) for layer, way in cases.values()}) == len(cases)
    assert "dcgan-64/D2 64->128 at 32 4x4/2 forward" in cases
    assert "dcgan-64/G4 128->64 at 16 4x4/2 input gradient" in also["dcgan-64/D2 64->128 at 32 4x4/2 forward"]


def test_plain_matrix_products_are_marked():
    cases, _ = conv.all_cases()
    plain = {name.rpartition(" ")[0] for name, (layer, _) in cases.items() if layer.plain_product}
    assert any("mix" in name for name in plain)
    assert any("512->1 at 4" in name for name in plain)
    assert any("100->512 at 1" in name for name in plain)
    assert not any("/2 " in name for name in plain)


@pytest.mark.parametrize("direction", conv.DIRECTIONS)
@pytest.mark.parametrize("transposed", [False, True])
def test_a_direction_of_a_layer_is_the_kernel_that_it_says(direction, transposed):
    layer = scaling.layer_of("size", 8)._replace(transposed=transposed)
    g = layer.geometry._replace(N=2, C=3, K=5)
    x, w, y = layers.operands(g)
    forward = reference.conv2d(x, w, g), reference.conv2d_transpose(y, w, g)
    expected = {
        "forward": forward[transposed],
        "input gradient": forward[not transposed],
        "weight gradient": reference.conv2d_weight(x, y, g),
    }[direction]
    measured = conv.ours(layer._replace(geometry=g), direction)()
    np.testing.assert_allclose(measured, expected, rtol=1e-4, atol=1e-4)


def test_a_convolution_is_measured():
    (one,) = run(conv, "conv", "dcgan-32/D4 512->1 at 4 4x4 forward")
    assert one.more["plain_product"] is True
    assert one.more["also"] == ["dcgan-64/D5 512->1 at 4 4x4 forward"]
    assert one.rate * one.ours == pytest.approx(2 * 64 * 512 * 16 / 1e6)
    assert conv.summary([one]) == []


def test_the_summary_of_convolutions_is_the_geometric_mean_and_the_worst():
    request = Request("conv", "torch", 1, 1)
    records = [
        measure.record(request, name, [ratio], "torch", [1.0], plain_product=plain)
        for name, ratio, plain in (("a", 0.5, False), ("b", 2.0, False), ("c", 1.0, True))
    ]
    lines = conv.summary(records)
    assert lines[0] == f"geometric mean of 3 ratios: {math.prod((0.5, 2.0, 1.0)) ** (1 / 3):.3f}"
    assert lines[1:] == ["worst: 2.00, b", "worst of the plain matrix products: 1.00, c"]


@pytest.mark.parametrize("name", kernels.all_cases())
def test_every_kernel_is_measured(name, monkeypatch):
    monkeypatch.setattr(kernels, "IMAGES", (2, 8, 8, 4))
    for window, settings in (("SLIDE", {"kernel_size": 4, "stride": 2, "padding": 1}), ("POOL", {"kernel_size": 2})):
        geometry = kernels.ConvGeometry.of_window(kernels.IMAGES, **{"stride": 2} | settings)
        monkeypatch.setattr(kernels, window, geometry)
    monkeypatch.setattr(kernels, "parameter_shapes", lambda: [(3, 4), (5,)])
    (one,) = run(kernels, "kernels", name)
    assert one.ours > 0
    assert one.rate_unit == "GB/s"


@pytest.mark.parametrize("axis", scaling.VALUES)
def test_scaling_changes_one_quantity(axis):
    usual = scaling.layer_of("batch", 64).geometry
    assert (usual.N, usual.C, usual.H, usual.K, usual.OH) == (64, 64, 32, 128, 16)
    changed = scaling.layer_of(axis, 8).geometry
    assert [name for name in ("N", "C", "H") if getattr(changed, name) != getattr(usual, name)] == [
        {"batch": "N", "channels": "C", "size": "H"}[axis]
    ]


def test_scaling_over_threads_puts_them_back():
    before = get_threads()
    cases = scaling.all_cases(2)
    assert {"layer, threads 1", "layer, threads 2", "step, threads 2", "step, batch 8"} <= set(cases)
    (one,) = run(scaling, "scaling", "layer, channels 4")
    assert one.more == {"axis": "channels", "value": 4, "images": 64}
    scaling.set_threads(before)


def test_a_fresh_process_says_what_it_took():
    found = fresh.run("minigan", "mlp-gan", 2, 1)
    assert 0 < found.import_seconds < found.first_step_seconds
    assert 10e6 < found.imported < found.peak


def test_a_fresh_process_that_fails_ends_the_run(capfd):
    with pytest.raises(RuntimeError, match="minigan vae 1 1 ended with 1"):
        fresh.run("minigan", "vae", 1, 1)
    assert "KeyError" in capfd.readouterr().err


def test_memory_is_what_grew_after_the_import(monkeypatch):
    monkeypatch.setattr(fresh, "run", lambda *_: fresh.Fresh(0.1, 1.0, 50_000_000, 80_000_000))
    (one,) = run(memory, "memory", "dcgan-28")
    assert (one.ours, one.unit) == (pytest.approx(30), "MB")
    assert one.more == {"ours_peak_mb": 80, "ours_imported_mb": 50}


def test_cold_starts_have_an_empty_folder_or_a_filled_one(monkeypatch):
    folders = []

    def fake(engine, case, steps, threads, environment):
        folders.append(environment["MINIGAN_CACHE"])
        return fresh.Fresh(0.25, 2.0, 0, 0)

    monkeypatch.setattr(fresh, "run", fake)
    assert [one.ours for one in run(cold, "cold")] == [250, 2000, 2000]
    imported, empty, filling, warm = folders[1], folders[2], folders[3], folders[4]
    assert folders[0] == imported
    assert empty not in (imported, filling)
    assert filling == warm


def test_a_profile_adds_up_and_leaves_the_kernels_alone():
    module = kernels.kernels.of(np.empty(0, np.float32))
    before = dict(vars(module))
    (one,) = run(profile, "profile", "mlp-gan")
    assert dict(vars(module)) == before
    assert list(one.more["parts"]) == [*profile.PARTS, profile.REST]
    assert sum(one.more["parts"].values()) == pytest.approx(one.ours)
    assert one.more["parts"]["dense"] > 0
    assert one.more["parts"]["conv2d"] == 0
    assert profile.summary([one])[0].startswith("mlp-gan: conv2d 0%, ")


def test_ceilings_are_plausible():
    assert 1e9 < machine.products_per_second(1, side=256) < 1e13
    assert 1e8 < machine.bytes_per_second(2, size=1 << 22) < 1e13
