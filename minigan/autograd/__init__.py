"""Reverse mode: gradients of any order. A reader takes the files in this order.

tensor.py     an array and its place in the graph
graph.py      primitives, and what their calls record
gradients.py  grad, backward, and what is built on them
passes.py     the walk back through the graph

The others can be left out at first: memory.py and recompute.py are about memory, operands.py and numpy_functions.py
about operands of several dtypes and NumPy's functions on Tensors.
"""

from minigan.autograd.gradients import *
from minigan.autograd.gradients import __all__
