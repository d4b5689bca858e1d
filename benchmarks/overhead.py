"""The overhead of recording and differentiating an operation, in microseconds.

A chain of add, multiply, tanh and matmul on 4 x 4 arrays that all require gradients, forward and backward, with all
checks enabled.
"""

from __future__ import annotations

import numpy as np

import minigan as mg
from benchmarks import measure
from benchmarks.peers.process import started

OPERATIONS = 100
WIDTH = 12


def run(request):
    rng = np.random.default_rng(0)
    start, weight = (rng.standard_normal((4, 4)).astype(np.float32) * 0.3 for _ in range(2))
    (case,) = request.wanted(["chain"])
    with started({"torch": (_torch_chain, start, weight, request.threads)} if request.peer else {}) as peers:
        own, best, other = measure.paired(_chain(start, weight), peers, samples=request.samples)
    own, other = ([t / OPERATIONS for t in times] for times in (own, other))
    yield measure.record(request, case, own, best, other, unit="us")


def _chain(start, weight):
    def ours():
        y, w = mg.tensor(start, requires_grad=True), mg.tensor(weight, requires_grad=True)
        for _ in range(OPERATIONS // 4):
            y = mg.tanh((y + w) * w) @ w
        y.sum().backward()

    return ours


def _torch_chain(start, weight, threads):
    import torch

    torch.set_num_threads(threads)

    def theirs():
        y, w = torch.tensor(start, requires_grad=True), torch.tensor(weight, requires_grad=True)
        for _ in range(OPERATIONS // 4):
            y = torch.tanh((y + w) * w) @ w
        y.sum().backward()

    return theirs
