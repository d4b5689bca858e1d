"""The small set of array functions that everything rests on, in several implementations of one interface.

`of(array)` returns the implementation for an array, by where it is; `using("reference")` asks for one by name. Nothing
here knows of Tensors, and an implementation is imported when it is first asked for. `reference` says what each function
computes, by loops; `register` adds functions of your own.
"""

from minigan.devices import CPU, PRECISIONS, named, of, own, precision, precision_now, register, using

__all__ = ["CPU", "PRECISIONS", "named", "of", "own", "precision", "precision_now", "register", "using"]
