"""Peak resident memory of three training steps, each engine in a fresh process, with a warm compile cache.

The memory resident right after the engine's import (`import minigan`, `import torch`) is subtracted. Modules loaded
later count: Numba with its compiler in minigan, the optimisers' imports in PyTorch. Both figures of both engines are in
the record. The peak is the operating system's high-water mark (VmHWM). The smaller of PyTorch's layouts counts. MB are
10^6 bytes.
"""

from __future__ import annotations

from benchmarks import fresh, measure
from benchmarks.cases import GANS
from benchmarks.step import LAYOUTS

STEPS = 3
WIDTH = 12


def run(request):
    for name in request.wanted(GANS):
        fresh.run("minigan", name, 1, request.threads)  # fills the compile cache
        found = {engine: [] for engine in ("minigan", *(LAYOUTS if request.peer else ()))}
        for _ in range(request.samples):
            for engine, results in found.items():
                results.append(fresh.run(engine, name, STEPS, request.threads))
        own = found.pop("minigan")
        best, other = measure.best_of({peer: [grown(one) for one in results] for peer, results in found.items()})
        more = _totals("ours", own) | (_totals("peer", found[best]) if best else {})
        yield measure.record(request, name, [grown(one) for one in own], best, other, unit="MB", **more)


def grown(one: fresh.Fresh) -> int:
    """Peak bytes minus those resident after the import."""
    return one.peak - one.imported


def _totals(whose, results):
    """Peak and import figures in MB, of the first process."""
    return {f"{whose}_peak_mb": results[0].peak / 1e6, f"{whose}_imported_mb": results[0].imported / 1e6}
