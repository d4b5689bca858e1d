"""no_grad in every way that it can be entered, and value_and_grad of whatever stands for numbers."""

import threading

import numpy as np
import pytest

import minigan as mg


def test_one_no_grad_can_be_entered_again():
    once = mg.no_grad()
    with once:
        with once:
            assert not mg.is_recording()
        assert not mg.is_recording()
    assert mg.is_recording()
    with pytest.raises(ZeroDivisionError), once, once:
        raise ZeroDivisionError
    assert mg.is_recording()


def test_one_no_grad_in_two_threads():
    once, inside, done = mg.no_grad(), threading.Event(), threading.Event()
    states = []

    def other():
        with once:
            inside.set()
            done.wait(10)
        states.append(mg.is_recording())

    thread = threading.Thread(target=other)
    with once:
        thread.start()
        inside.wait(10)
    assert mg.is_recording()
    done.set()
    thread.join()
    assert states == [True]


def test_a_generator_records_nothing_and_its_caller_does():
    closed = []

    @mg.no_grad()
    def generator(first):
        try:
            sent = yield first, mg.is_recording()
            try:
                yield sent, mg.is_recording()
            except KeyError:
                yield "caught", mg.is_recording()
            return "returned"
        finally:
            closed.append(mg.is_recording())

    running = generator(1)
    assert next(running) == (1, False)
    assert mg.is_recording()
    assert running.send(2) == (2, False)
    assert running.throw(KeyError()) == ("caught", False)
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value == "returned"
    abandoned = generator(1)
    next(abandoned)
    abandoned.close()
    assert closed == [False, False]
    assert mg.is_recording()


def test_an_asynchronous_function_is_refused():
    async def coroutine():
        pass

    async def asynchronous_generator():
        yield

    for function in (coroutine, asynchronous_generator):
        with pytest.raises(mg.GraphError, match="asynchronous"):
            mg.no_grad()(function)


@pytest.mark.parametrize("wrapped", [np.array, mg.tensor, lambda v: mg.tensor(v, requires_grad=True)])
def test_value_and_grad_of_arrays_and_tensors(wrapped):
    x = wrapped([1.0, 2.0])
    value, gradient = mg.value_and_grad(lambda a, b: (a * b).sum())(x, np.array([3.0, 4.0]))
    assert value.item() == 11
    assert value.is_leaf
    assert type(gradient) is np.ndarray
    assert np.array_equal(gradient, [3, 4])
    _, both = mg.value_and_grad(lambda a, b: (a * b).sum(), argnums=(0, -1))(x, x)
    assert [g.tolist() for g in both] == [[1, 2], [1, 2]]


def test_value_and_grad_of_numbers_and_of_what_has_none():
    value, gradient = mg.value_and_grad(lambda a: a * a)(3.0)
    assert (value.item(), gradient, value.dtype) == (9, 6, np.float32)
    for wrong in (np.array([1, 2]), mg.tensor([True]), 3):
        with pytest.raises(mg.DtypeError, match="argument 0"):
            mg.value_and_grad(lambda a: a.sum())(wrong)
    with pytest.raises(mg.ShapeError, match="argnums is 1"):
        mg.value_and_grad(lambda a: a, argnums=1)(3.0)
