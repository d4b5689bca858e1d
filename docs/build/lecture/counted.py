"""Counts the floating point operations of kernels on the device sim."""

from __future__ import annotations

import ctypes

from docs.build.lecture.watched import Watched


class Counter(Watched):
    """A simulator that counts the floating point operations of all launches, as defined in counted.h."""

    header = "counted.h"

    def __init__(self, blocks=None):
        super().__init__(blocks=blocks)
        self.operations = 0

    def watch(self, library, file, kernel, blocks, threads, arguments):
        library.functions.operations_since.restype = ctypes.c_longlong
        library.functions.operations_since()
        self.launch(library, kernel, blocks, threads, arguments)
        self.operations += library.functions.operations_since()
