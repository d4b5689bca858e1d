"""`minigan doctor`: what minigan runs on here, what is missing, and how to install it."""

import importlib.util
import os
import sys
from pathlib import Path

import minigan.data
from minigan import kernels
from minigan.tool.output import table, text_of_bytes
from minigan.training import inputs, recorder

CORE = inputs.PACKAGES
EXTRAS = (*inputs.TOOL, *inputs.REPORTING, *inputs.MEASURING)


def report() -> str:
    """Return the report as sections of aligned lines, with advice at the end."""
    sections = {
        "versions": _versions(),
        "machine": _machine(),
        "caches": _caches(),
    }
    advice = list(_advice())
    shown = [f"{title}\n{_indented(table(rows))}" for title, rows in sections.items()]
    shown.append("to do\n" + _indented("\n".join(advice)) if advice else "nothing is missing")
    return "\n\n".join(shown)


def _versions():
    yield "python", sys.version.split()[0]
    yield "minigan", f"{minigan.__version__}, {Path(minigan.__file__).parent}"
    for package in (*CORE, *EXTRAS):
        yield package, inputs.version(package) or "missing"


def _machine():
    described = recorder.environment()
    yield "system", described["system"]
    yield "processor", described["processor"]
    yield "devices", f"cpu ({described['cores']} cores)"
    chosen = os.environ.get("MINIGAN_THREADS")
    yield "threads", f"{minigan.get_threads()}" + (f" (MINIGAN_THREADS={chosen})" if chosen else "")
    yield "BLAS", ", ".join(_blas()) or "unknown"


def _blas():
    try:
        import threadpoolctl
    except ImportError:  # reported as missing below
        return
    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            version = library.get("version") or ""
            yield f"{library['internal_api']} {version} ({library['num_threads']} threads)".replace("  ", " ")


def _caches():
    if kernels.CPU == "numpy":
        yield "kernels", "NumPy only, because Numba is missing"
    elif (folder := _compiled()) is None:
        yield "kernels", "no cache: compiled again in every process"
    else:
        size = sum(_size(folder) for folder in folder.parent.glob("kernels-*"))  # of this version and of earlier ones
        yield "kernels", f"{folder.parent}, {text_of_bytes(size)}"
    data = minigan.data.cache_folder()
    yield "data", f"{data}, {text_of_bytes(_size(data)) if data.is_dir() else 'nothing yet'}"


def _compiled():
    from minigan.kernels.cpu.runtime.cached import cache_folder

    return cache_folder()


def _advice():
    """Yield what to do, one line each."""
    absent = inputs.missing(EXTRAS)
    if absent:
        yield f"for training from the command line, {', '.join(absent)}: pip install 'minigan[train]'"
    if kernels.CPU == "numpy":
        yield "for much faster kernels: pip install numba"
    elif _compiled() is None:
        yield "for a faster start, choose a writable cache folder: export MINIGAN_CACHE=DIR"
    if importlib.util.find_spec("pytest") is None or importlib.util.find_spec("hypothesis") is None:
        yield "for the tests: pip install 'minigan[test]'"


def _size(folder):
    """Return the total size of a folder's files, in bytes."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue  # deleted in the meantime
    return total


def _indented(text):
    return "\n".join("  " + line for line in text.splitlines())
