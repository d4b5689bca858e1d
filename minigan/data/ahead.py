"""Running a producer ahead of its consumer, in a thread that ends with them."""

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any


class Ahead:
    """Iterate over what a producer yields, up to `depth` items ahead.

    The producer runs in one background thread. Its error is raised in the consumer, after the items before it.
    `close()`, or dropping the last reference, ends the thread; so does the producer's end. A forked child, which has
    none of its parent's threads, can only close or drop it.
    """

    def __init__(self, producer: Iterator[Any], depth: int):
        self._shelf = _Shelf(depth)
        # The thread holds the shelf, never this object: otherwise nobody could drop the last reference.
        self._thread = threading.Thread(target=_run, args=(producer, self._shelf), daemon=True, name="minigan-ahead")
        self._finalizer = weakref.finalize(self, self._shelf.close)
        self._thread.start()

    def __iter__(self) -> "Ahead":
        return self

    def __next__(self) -> Any:
        return self._shelf.take()

    def close(self):
        """End the thread and wait for it; the item it works on is lost. Closing again does nothing."""
        self._finalizer()
        if self._thread is not threading.current_thread():
            self._thread.join()


class _Shelf:
    """A queue of bounded length that either side can end."""

    def __init__(self, depth: int):
        self._items: deque[Any] = deque()
        self._depth = depth
        self._process = os.getpid()
        self._end: BaseException | None = None
        self._closed = False
        # Re-entrant, because the garbage collector may call `close` in a thread that holds it.
        self._changed = threading.Condition(threading.RLock())

    def put(self, item: Any) -> bool:
        """Wait for room and add an item; False once the consumer has gone."""
        with self._changed:
            while len(self._items) >= self._depth and not self._closed:
                self._changed.wait()
            self._items.append(item)
            self._changed.notify_all()
            return not self._closed

    def end(self, error: BaseException):
        """Raise `error` in the consumer, once it has taken the items that are left."""
        with self._changed:
            self._end = error
            self._changed.notify_all()

    def take(self) -> Any:
        with self._changed:
            while not self._items and self._end is None and not self._closed:
                self._changed.wait()
            if self._closed:
                raise StopIteration
            if not self._items:
                raise self._end
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self):
        if os.getpid() != self._process:  # in a forked child, where a thread that is not there may hold the lock
            return
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


def _run(producer: Iterator[Any], shelf: _Shelf):
    try:
        for item in producer:
            if not shelf.put(item):
                return
        shelf.end(StopIteration())
    except BaseException as error:
        shelf.end(error)
