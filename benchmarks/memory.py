"""Peak resident memory of three training steps, each engine in a fresh process, with a warm compile cache.

What is subtracted is the memory that is resident right after the engine's import (`import minigan`, `import torch`)
and nothing else. What either engine loads later, when it first needs it, counts: for minigan that is Numba with its
compiler, for PyTorch what its optimisers import. Both figures of both engines are in the record. The peak is the
kernel's high-water mark (VmHWM). Of PyTorch's layouts the smaller counts. MB are 10^6 bytes.
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
    """Bytes of the peak beyond what was resident after the import."""
    return one.peak - one.imported


def _totals(whose, results):
    """The two figures in MB, of the first process."""
    return {f"{whose}_peak_mb": results[0].peak / 1e6, f"{whose}_imported_mb": results[0].imported / 1e6}
