"""Kernels that are compiled once, apart from those that call them.

Numba links what a kernel calls into it and optimises everything again, at every level: fine for a line or two, but a
tile that ten kernels call would be compiled ten times. A call of an outlined kernel is one of a symbol instead, whose
address is known before a caller is loaded: a caller's place in the cache names the symbols that it needs.
"""

import hashlib
import importlib
import inspect
import pickle
from pathlib import Path

import llvmlite.binding as llvm
from numba.core import caching, cgutils, types
from numba.core.compiler import CompileResult
from numba.core.imputils import lower_constant
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.core.typing.templates import Signature
from numba.extending import lower_builtin, models, register_model, typeof_impl

from minigan.kernels import cache
from minigan.kernels.cpu.interrupts import uninterrupted
from minigan.kernels.cpu.loading import drop_module

PREFIX = "minigan."
_known: dict[str, tuple[str, str, tuple]] = {}  # symbol -> module and name of the kernel, types of its arguments


class Outlined:
    """A kernel that other kernels call by a symbol; Python calls it as the kernel itself."""

    def __init__(self, dispatcher):
        self.dispatcher, function = dispatcher, dispatcher.py_func
        self.__doc__, self.__name__, self.__module__ = function.__doc__, function.__name__, function.__module__
        self.__wrapped__ = function
        self._type = OutlinedType(self)
        lower_builtin(self, types.VarArg(types.Any))(self._lower)

    def __call__(self, *arguments):
        return self.dispatcher(*arguments)

    @uninterrupted
    def provide(self, kinds: tuple) -> tuple:
        """(symbol, compiled kernel) for these types of arguments: compiled or loaded, and known to the linker."""
        self.dispatcher.compile(kinds)
        compiled = self.dispatcher.overloads[kinds]
        state = hashlib.sha256(f"{self.__module__} {kinds}".encode())
        symbol = f"{PREFIX}{self.__name__}.{state.hexdigest()[:16]}"
        if symbol not in _known:
            address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
            llvm.add_symbol(symbol, address)
            _known[symbol] = self.__module__, self.__name__, kinds
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
    """What Numba takes an outlined kernel for."""

    def __init__(self, outlined):
        self.outlined = outlined
        super().__init__(f"outlined({outlined.__module__}.{outlined.__name__})")

    def get_call_type(self, context, args, kws):
        kinds = tuple(types.unliteral(kind) for kind in args)  # one copy, whatever is constant in a call
        _, compiled = self.outlined.provide(kinds)
        return Signature(compiled.signature.return_type, kinds, None)

    def get_call_signatures(self):
        return [], True

    def get_impl_key(self, sig):
        return self.outlined


register_model(OutlinedType)(models.OpaqueModel)  # a value that holds nothing


@lower_constant(OutlinedType)
def _(context, builder, kind, value):
    return context.get_dummy_value()


@typeof_impl.register(Outlined)
def _(value, context):
    return value._type


class Cache(caching.FunctionCache):
    """Compiled copies of a function in the cache's folder: a file for each combination of types.

    Numba's own keeps an index beside them, of which two processes that save at once can make one that names the code
    of other types. Here the name of a file says all.
    """

    def __init__(self, function, folder: Path):
        self._py_func, self._folder = function, folder
        source = Path(inspect.getfile(function))
        self._source = hashlib.sha256(source.read_bytes()).hexdigest()
        self.enable()

    @property
    def cache_path(self):
        return str(self._folder)

    def flush(self):
        """Nothing: the names of what was compiled differently differ."""

    def load_overload(self, sig, target_context):
        """As Numba's, which would first make ready all that it can compile: 8 MB that a loaded kernel does not need."""
        rtsys.initialize(target_context)
        content = cache.read(self._file(sig, target_context.codegen()))
        if content is None:
            return None
        try:
            symbols, compiled = pickle.loads(content)
            for module, name, kinds in symbols:
                getattr(importlib.import_module(module), name).provide(kinds)
            result = CompileResult._rebuild(target_context, *compiled)
        except Exception:  # whole, but not of these modules: the kernel is compiled again
            return None
        drop_module(result.library, compiled[0])
        return result

    def save_overload(self, sig, compiled):
        """Keep it, with the symbols that its code calls."""
        if any(not part.can_cache for part in compiled.lifted) or compiled.library.has_dynamic_globals:
            return
        content = dumps((needed_symbols(compiled.library), compiled._reduce()))
        cache.write(self._file(sig, compiled.codegen), content)

    def _file(self, sig, codegen):
        key = hashlib.sha256(f"{self._source} {self._index_key(sig, codegen)}".encode()).hexdigest()[:32]
        return self._folder / f"{self._py_func.__module__}.{self._py_func.__name__}-{key}"


def needed_symbols(library) -> list[tuple[str, str, tuple]]:
    """The outlined kernels that a library calls."""
    names = (function.name for function in library._final_module.functions if function.is_declaration)
    return [_known[name] for name in names if name.startswith(PREFIX)]
