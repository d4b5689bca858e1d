"""The small set of array functions that everything builds on, in several implementations of one interface.

`of(array)` returns the implementation for the device of an array; `using("reference")` selects one by name. Nothing
here knows about Tensors, and an implementation is imported at its first use. `reference` defines each function by plain
loops; `register` adds functions of your own.
"""

from minigan.devices import CPU, PRECISIONS, named, of, own, precision, precision_now, register, using

__all__ = ["CPU", "PRECISIONS", "named", "of", "own", "precision", "precision_now", "register", "using"]
