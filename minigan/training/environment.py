"""On what something was run: versions, processor, threads."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable

from minigan.training.errors import RunError

PACKAGES = ("numpy", "numba", "llvmlite")
TOOL = ("click", "rich", "threadpoolctl")  # what the command line needs besides
REPORTING = ("pillow", "matplotlib", "jinja2", "safetensors")  # what a run folder needs besides

MEASURING = ("scikit-image", "scipy")  # what figures of restored images need besides


def version(package: str) -> str | None:
    """A package's version, None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def missing(packages: Iterable[str]) -> list[str]:
    """Those of the packages that are not installed."""
    return [package for package in packages if version(package) is None]


def require(packages: Iterable[str], purpose: str) -> None:
    """Raise RunError, saying how to get them, unless all are installed."""
    absent = missing(packages)
    if absent:
        raise RunError(f"{purpose} needs {', '.join(absent)}, not installed here: pip install 'minigan[train]'")


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def peak_memory() -> int | None:
    """The most memory this process has held, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def describe() -> dict:
    """What a run folder and a report say about where they come from: plain strings and numbers."""
    import minigan

    return {
        "minigan": minigan.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": cores(),
        "threads": minigan.get_threads(),
        "device": "cpu",
    }
