"""The decorators of all kernels: compiled by Numba, outside the GIL, and kept between processes (`cached.py`).

Numba links what a kernel calls into it and optimises everything again, at every level: fine for a line or two, but a
tile that ten kernels call would be compiled ten times. So long kernels are `outlined`: compiled once, and called
through a symbol whose address is known before a caller is loaded.
"""

import contextlib
import functools
import hashlib
import os
import threading
from collections.abc import Callable
from operator import attrgetter

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.imputils import lower_constant
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.runtime import nrtdynmod
from numba.core.typing.templates import Signature
from numba.extending import lower_builtin, models, register_model, typeof_impl

from minigan.errors import MiniganError
from minigan.kernels.cpu.runtime.cached import FOLDER, PREFIX, Cache, load_library, save_library, symbols

SAFE_FLAGS = {"reassoc", "contract", "nsz"}  # reductions vectorise; never nnan or ninf: NaN and infinity must survive
# error_model: x / 0 is inf or NaN, as in NumPy; a check for it would keep loops with divisions from being vectorised
OPTIONS = {"nogil": True, "fastmath": SAFE_FLAGS, "error_model": "numpy", "no_cfunc_wrapper": True}
EFFORT = 2  # -O2 for the LLVM code that we write ourselves: -O3 takes twice as long and gains nothing

if numba.config.DISABLE_JIT:
    raise MiniganError(
        "NUMBA_DISABLE_JIT is set, but the CPU kernels only run compiled; "
        'unset it, or use the reference implementation: mg.kernels.using("reference")'
    )
if hasattr(os, "register_at_fork"):
    # Another thread may be compiling, and a forked child would wait for its lock forever: fork when it has finished.
    unlock = global_compiler_lock.release
    os.register_at_fork(before=global_compiler_lock.acquire, after_in_parent=unlock, after_in_child=unlock)


def uninterrupted(function: Callable) -> Callable:
    """As a decorator: calls from the main thread are made in another thread, which Ctrl-C cannot interrupt.

    KeyboardInterrupt is raised in Python's main thread only, between any two of its instructions. In the middle of
    Numba or llvmlite it would leave locks held forever and tables of types half filled: anything that is compiled
    later would fail, or wait forever. Here Ctrl-C ends the waiting for the other thread at once. That thread runs to
    its end, and its compiled code is ready for the next call.
    """

    @functools.wraps(function)
    def call(*arguments):
        # a caller that holds the compiler's lock must not wait: the other thread would wait for that lock
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


# ------------------------------------------------------------------------------------------ compiled by Numba


class Compiled(CPUDispatcher):
    """A function that is compiled for arrays and numbers when it is first called with their types."""

    def __init__(self, function, **options):
        super().__init__(function, targetoptions={"nopython": True, **OPTIONS, **options})
        if FOLDER is not None:
            with contextlib.suppress(OSError, TypeError):  # its source is not in a file: it was typed in
                self._cache = Cache(self.py_func, FOLDER)

    @uninterrupted
    def compile(self, sig):
        return super().compile(sig)

    def get_call_template(self, args, kws):
        """One version for all values: Numba would compile one for each constant in a call, which LLVM sees anyway."""
        named = {name: types.unliteral(kind) for name, kind in kws.items()}
        return super().get_call_template([types.unliteral(kind) for kind in args], named)


class Kernel(Compiled):
    """Compiled for other kernels to call. Python calls the function as it is written, if it is plain Python.

    Leaving out the entry points for Python and C saves a fifth of the compile time.
    """

    def __init__(self, function, **options):
        super().__init__(function, no_cpython_wrapper=True, **options)

    __call__ = property(attrgetter("py_func"))  # a method would only add a frame to each call


kernel, called_from_python = Kernel, Compiled  # as decorators


def inlined(function: Callable) -> Kernel:
    """A kernel that becomes part of its callers, however long it is: a loop with a call in it is not vectorised."""
    return Kernel(function, forceinline=True)


def outlined(function: Callable) -> "Outlined":
    """A kernel that is compiled once for all kernels that call it: for long code that does much work per call."""
    return Outlined(kernel(function))


class Outlined:
    """A kernel that other kernels call through a symbol; Python calls it like any kernel."""

    def __init__(self, dispatcher: Kernel):
        self.dispatcher, function = dispatcher, dispatcher.py_func
        self.__doc__, self.__name__, self.__module__ = function.__doc__, function.__name__, function.__module__
        self.__wrapped__ = function
        self._type = OutlinedType(self)
        lower_builtin(self, types.VarArg(types.Any))(self._lower)

    def __call__(self, *arguments):
        return self.dispatcher(*arguments)

    @uninterrupted
    def provide(self, kinds: tuple) -> tuple:
        """(symbol, compiled kernel) for these argument types: compiled or loaded, and known to the linker."""
        self.dispatcher.compile(kinds)
        compiled = self.dispatcher.overloads[kinds]
        state = hashlib.sha256(f"{self.__module__} {kinds}".encode())
        symbol = f"{PREFIX}{self.__name__}.{state.hexdigest()[:16]}"
        if symbol not in symbols:
            address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
            llvm.add_symbol(symbol, address)
            symbols[symbol] = self.__module__, self.__name__, kinds
        return symbol, compiled

    def _lower(self, context, builder, signature, arguments):
        symbol, compiled = self.provide(signature.args)
        result, kinds = compiled.fndesc.restype, compiled.fndesc.argtypes
        function_type = context.call_conv.get_function_type(result, kinds)
        function = cgutils.get_or_insert_function(builder.module, function_type, symbol)
        status, value = context.call_conv.call_function(builder, function, result, kinds, arguments)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return value


class OutlinedType(types.Callable):
    """Numba's type of an outlined kernel."""

    def __init__(self, outlined: Outlined):
        self.outlined = outlined
        super().__init__(f"outlined({outlined.__module__}.{outlined.__name__})")

    def get_call_type(self, context, args, kws):
        kinds = tuple(types.unliteral(kind) for kind in args)  # one version, whichever arguments are constants
        _, compiled = self.outlined.provide(kinds)
        return Signature(compiled.signature.return_type, kinds, None)

    def get_call_signatures(self):
        return [], True

    def get_impl_key(self, sig):
        return self.outlined


register_model(OutlinedType)(models.OpaqueModel)  # a value without content


@lower_constant(OutlinedType)
def _(context, builder, kind, value):
    return context.get_dummy_value()


@typeof_impl.register(Outlined)
def _(value, context):
    return value._type


# ------------------------------------------------------------------------------------------ written in LLVM


def new_module(name: str) -> ir.Module:
    """An empty LLVM module for this processor."""
    module = ir.Module(name)
    module.triple, module.data_layout = llvm.get_process_triple(), str(cpu_target.target_context.target_data)
    return module


@uninterrupted
def machine_code(symbol: str, module: Callable[[], ir.Module]) -> int:
    """The address of a function that is written in LLVM: loaded from the cache, or compiled without Numba.

    symbol: the function's name, which identifies everything that its code depends on
    module: makes the LLVM module that contains it
    """
    with global_compiler_lock:
        if symbol not in _libraries:
            _libraries[symbol] = load_library(symbol) or _new_code(symbol, module())
        return _libraries[symbol].get_pointer_to_function(symbol)


_libraries: dict[str, object] = {}  # a library must stay as long as its code can be called


def _numba_runtime(context):
    """Numba's own runtime, which every process would compile: 20 MB of memory and 0.1 s for a few instructions."""
    if RUNTIME not in _libraries:
        make = nrtdynmod.create_nrt_module
        _libraries[RUNTIME] = load_library(RUNTIME) or _new_code(RUNTIME, make(context)[0])
    return _libraries[RUNTIME]


RUNTIME = "numba_runtime"
nrtdynmod.compile_nrt_functions = _numba_runtime


def _new_code(symbol, module):
    library = cpu_target.target_context.codegen().create_library(symbol)
    library.enable_object_caching()
    with global_compiler_lock:
        theirs = numba.config.OPT
        try:
            numba.config.OPT = min(theirs, type(theirs)(EFFORT))
            library.add_ir_module(module)
            library.finalize()
        finally:
            numba.config.OPT = theirs
    save_library(symbol, library)
    return library
