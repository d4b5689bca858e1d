"""How long a new user waits: the import, and the time from process start to the end of the first DCGAN step.

Every sample is a fresh process of each engine. With an empty cache minigan compiles its kernels, with a warm cache it
loads them. PyTorch has no such cache: its first step is the same in both cases.
"""

from __future__ import annotations

import tempfile

from benchmarks import fresh, measure

STEP = "dcgan-28"
WIDTH = 24
CASES = ("import", "first step, empty cache", "first step, warm cache")


def run(request):
    for case in request.wanted(CASES):
        own, other = [], []
        with tempfile.TemporaryDirectory() as kept:
            if case != "first step, empty cache":
                once(request, "minigan", kept)
            for _ in range(request.samples):
                with tempfile.TemporaryDirectory() as new:
                    folder = new if case == "first step, empty cache" else kept
                    own.append(waited(case, once(request, "minigan", folder)))
                if request.peer:
                    other.append(waited(case, once(request, "torch NCHW", kept)))
        yield measure.record(request, case, own, "torch" if request.peer else None, other)


def once(request, engine: str, cache: str) -> fresh.Fresh:
    """Measure a process that takes one step, with compiled kernels in the folder `cache`."""
    return fresh.run(engine, STEP, 1, request.threads, {"MINIGAN_CACHE": cache})


def waited(case: str, one: fresh.Fresh) -> float:
    """The time that a case measures."""
    return one.import_seconds if case == "import" else one.first_step_seconds
