"""Ctrl-C on the way into a context leaves everything as it was outside."""

import sys

import pytest

import minigan as mg
from minigan import debug, kernels, nn
from minigan.autograd import graph
from minigan.autograd.memory import segments
from minigan.autograd.recompute import _running

CONTEXTS = {
    "using": lambda: kernels.using("reference"),
    "precision": lambda: mg.precision("bf16"),
    "recompute": lambda: _running(([],), iter(())),
    "trace_nans": debug.trace_nans,
    "no_grad": mg.no_grad,
    "keeping": graph.keeping,
    "as_in_use": nn.as_in_use,
}


def state():
    now = kernels.of(None), kernels.precision_now(), segments.tapes, segments.replayed
    return *now, graph.watch, graph.is_recording(), graph._mode.keeping, nn.Linear(1, 1).training


class Interrupt:
    """A trace function that raises KeyboardInterrupt before the line of this number that runs in minigan."""

    def __init__(self, number):
        self.number, self.raised = number, False

    def __call__(self, frame, event, arg):
        if not frame.f_globals["__name__"].startswith("minigan"):
            return self
        if event == "line":
            self.number -= 1
            if self.number < 0 and not self.raised:
                self.raised = True
                raise KeyboardInterrupt
        return self


@pytest.mark.parametrize("name", CONTEXTS)
def test_ctrl_c_on_the_way_in(name):
    kernels.named("reference")
    before, interrupted, tracer = state(), 0, sys.gettrace()
    while True:
        interrupt = Interrupt(interrupted)
        context = CONTEXTS[name]()
        sys.settrace(interrupt)
        try:
            context.__enter__()
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(tracer)
        if not interrupt.raised:
            break
        assert state() == before
    assert interrupted
    assert state() != before
    context.__exit__(None, None, None)
    assert state() == before
