import gc
import multiprocessing
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.data import Augment, Batches, scaled
from minigan.data.batches import Ahead
from minigan.errors import DataError


def numbered(count):
    """Images that tell their own number."""
    images = np.zeros((count, 2, 3, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(count)
    return images, np.arange(count)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "minigan-ahead"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads()


def same(first, second):
    return np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])


sizes = st.integers(1, 40).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))
seeds = st.integers(0, 2**40)


@given(sizes, seeds, st.integers(0, 5))
def test_an_epoch_shows_images_once_each_with_their_labels(size, seed, epoch):
    count, batch_size = size
    with Batches(*numbered(count), batch_size=batch_size, seed=seed, ahead=0) as batches:
        parts = [batches.batch(epoch, position) for position in range(batches.steps_per_epoch)]
    labels = np.concatenate([labels for _, labels in parts])
    images = np.concatenate([images for images, _ in parts])
    assert len(labels) == count // batch_size * batch_size
    assert len(set(labels)) == len(labels)
    assert np.array_equal(images, scaled(numbered(count)[0])[labels])
    assert images.dtype == np.float32


def test_an_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch):
        return tuple(Batches(*numbered(50), batch_size=50, seed=seed).batch(epoch, 0)[1])

    orders = [order(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert len(set(orders)) == 9
    assert orders == [order(seed, epoch) for seed in range(3) for epoch in range(3)]


@given(sizes, st.integers(0, 3), st.integers(0, 12))
def test_iteration_is_the_batches_in_turn_and_resumes_anywhere(size, ahead, done):
    count, batch_size = size
    how = {"batch_size": batch_size, "seed": 3, "augment": Augment(flip=True, shift=1)}
    with Batches(*numbered(count), ahead=ahead, **how) as batches:
        for step in range(done):
            assert batches.at == divmod(step, batches.steps_per_epoch)
            assert same(next(batches), batches.batch(*divmod(step, batches.steps_per_epoch)))
        rest = [next(batches) for _ in range(4)] if done else []
        with Batches(*numbered(count), ahead=ahead, start=divmod(done, batches.steps_per_epoch), **how) as resumed:
            assert all(same(next(resumed), batch) for batch in rest)
        batches.seek(*divmod(done, batches.steps_per_epoch))
        assert (batches.epoch, batches.position) == batches.at == divmod(done, batches.steps_per_epoch)
        assert all(same(next(batches), batch) for batch in rest)


def test_augmentation_differs_between_batches_and_epochs():
    one = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 1), np.uint8)
    batches = Batches(np.repeat(one, 30, axis=0), batch_size=1, augment=Augment(shift=3))
    assert len({batches.batch(epoch, 0)[0].tobytes() for epoch in range(30)}) > 10
    assert len({batches.batch(0, position)[0].tobytes() for position in range(30)}) > 10


def test_floats_in_range_pass_as_they_are_and_labels_may_be_missing():
    images = np.linspace(-1, 1, 12).reshape(3, 2, 2, 1)
    with Batches(images, batch_size=3) as batches:
        found, labels = next(batches)
    assert labels is None
    assert found.dtype == np.float32
    assert np.array_equal(np.sort(found.ravel()), images.ravel().astype(np.float32))


def test_a_batch_belongs_to_whoever_took_it():
    images, labels = numbered(4)
    with Batches(images, labels, batch_size=4, ahead=0) as batches:
        found, numbers = batches.batch(0, 0)
        found[:], numbers[:] = 0, 0
        assert batches.batch(0, 0)[1].any()
    assert labels.any()


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"batch_size": 5}, "batch_size 5 does not fit 4 images; it must be from 1 to 4"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"labels": np.zeros(3, int)}, r"labels have shape \(3,\), .* each of 4 images"),
        ({"labels": np.ma.masked_equal([0, 1, 1, 0], 1)}, "some of the labels are masked"),
        ({"labels": ["cat", "dog", "dog", "cat"]}, "number words with"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, not 2.5"),
        ({"seed": 1.5}, "the seed must be a whole number, not 1.5"),
        ({"seed": None}, "the seed must be a whole number"),
        ({"ahead": "2"}, "ahead must be a whole number, not '2'"),
        ({"augment": "flip"}, "augment is 'flip', expected"),
        ({"start": (0.5, 0)}, "must be a whole number, not 0.5"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"images": np.full((4, 2, 2, 1), 255.0)}, r"run from 255 to 255, but floats must lie in \[-1, 1\]"),
        ({"images": np.full((4, 2, 2, 1), np.nan)}, r"floats must lie in"),
        ({"images": np.full((4, 2, 2, 1), 256)}, "int64 and run from 256 to 256"),
        ({"images": np.zeros((4, 2, 2), np.uint8)}, r"shape \(4, 2, 2\), expected \(N, H, W, C\)"),
        ({"start": (0, 2)}, r"no batch \(0, 2\); .* from 0 to 1"),
        ({"start": (-1, 0)}, r"no batch \(-1, 0\)"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(how, complaint):
    with pytest.raises(DataError, match=complaint):
        Batches(**{"images": numbered(4)[0], "batch_size": 2, **how})


def test_closing_ends_the_thread_and_the_iteration():
    batches = Batches(*numbered(8), batch_size=2)
    next(batches)
    assert len(threads()) == 1
    batches.close()
    batches.close()
    assert not threads()
    with pytest.raises(StopIteration):
        next(batches)


def test_dropping_the_iterator_ends_the_thread():
    for taken in (1, 5):
        batches = Batches(*numbered(8), batch_size=2)
        for _ in range(taken):
            next(batches)
        del batches  # the fixture sees that the thread goes


class FailsOnce(Augment):
    """An augmentation that breaks at its third batch, the first time round."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "calls", 0)

    def __call__(self, images, generator):
        object.__setattr__(self, "calls", self.calls + 1)
        if self.calls == 3:
            raise RuntimeError("out of paint")
        return images


@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_an_error_reaches_the_consumer_in_its_turn_and_no_batch_is_lost(ahead):
    with Batches(*numbered(8), batch_size=2, augment=FailsOnce(), ahead=ahead) as batches:
        next(batches), next(batches)
        with pytest.raises(RuntimeError, match="out of paint"):
            next(batches)
        assert batches.at == (0, 2)
        assert same(next(batches), batches.batch(0, 2))


def test_a_producer_runs_no_further_ahead_than_asked():
    made = []

    def produce():
        for number in range(100):
            made.append(number)
            yield number

    ahead = Ahead(produce(), depth=3)
    assert next(ahead) == 0
    time.sleep(0.05)
    assert 2 <= len(made) <= 5  # one taken, three on the shelf, one in hand
    assert [next(ahead) for _ in range(99)] == list(range(1, 100))
    with pytest.raises(StopIteration):
        next(ahead)
    ahead.close()


def test_a_consumer_that_waits_is_woken_by_a_close_from_elsewhere():
    gate = threading.Event()

    def produce():
        gate.wait()
        yield 1

    ahead = Ahead(produce(), depth=1)
    closer = threading.Timer(0.05, lambda: (gate.set(), ahead.close()))
    closer.start()
    assert list(ahead) in ([], [1])
    closer.join()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("is_locked", [False, True])
def test_a_forked_child_goes_on_from_where_its_parent_was(is_locked):
    """is_locked: the thread that prepares batches has its lock at that moment"""
    images, labels = numbered(16)
    with Batches(images, labels, batch_size=4, ahead=1) as batches:
        first = next(batches)
        queue = batches._source._queue
        answers = multiprocessing.get_context("fork").SimpleQueue()

        def go_on():
            answers.put([next(batches) for _ in range(5)])
            batches.close()

        child = multiprocessing.get_context("fork").Process(target=go_on)
        holder = threading.Thread(target=hold, args=(queue._changed, begun := threading.Event(), 0.3))
        if is_locked:
            holder.start()
            begun.wait()
        child.start()
        child.join(20)
        if child.is_alive():
            child.kill()
            child.join()
        assert child.exitcode == 0
        for theirs, expected in zip(answers.get(), [next(batches) for _ in range(5)], strict=True):
            assert same(theirs, expected)
        assert same(first, batches.batch(0, 0))


def hold(lock, begun, seconds):
    with lock:
        begun.set()
        time.sleep(seconds)


def test_many_threads_started_and_stopped_do_not_lock_up():
    images, labels = numbered(16)
    for round_ in range(150):
        with Batches(images, labels, batch_size=4, ahead=1 + round_ % 3, seed=round_) as batches:
            for _ in range(round_ % 4):
                next(batches)
            batches.seek(round_, 1)
            next(batches)
