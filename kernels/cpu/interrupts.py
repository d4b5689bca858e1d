"""Compiling where Ctrl-C does not reach.

KeyboardInterrupt is raised in Python's main thread only, between any two of its instructions. In the middle of Numba or
llvmlite it would leave locks that are never given back, and tables of types that are half filled: whatever is compiled
later fails, or waits for ever. So what compiles is called in a thread of its own. Ctrl-C ends the waiting for it, at
once; the thread goes on to its end, and what it has compiled is there for the next call.
"""

import functools
import threading
from collections.abc import Callable

from numba.core.compiler_lock import global_compiler_lock


def uninterrupted(function: Callable) -> Callable:
    """As a decorator: calls from the main thread are done in another one."""

    @functools.wraps(function)
    def call(*arguments):
        # one who has the compiler's lock waits for nobody: that thread would wait for the lock
        if threading.current_thread() is not threading.main_thread() or global_compiler_lock.is_locked():
            return function(*arguments)
        outcome = []

        def work():
            try:
                outcome.append((function(*arguments), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=work, name="minigan-compile")
        thread.start()
        thread.join()
        returned, error = outcome[0]
        if error is not None:
            raise error
        return returned

    return call
