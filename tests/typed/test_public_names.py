"""The files that pyright reads use every public name, and run."""

import ast
from pathlib import Path
from types import ModuleType

import public_names
import public_packages
import pytest

import minigan as mg

FILES = public_names, public_packages


def used() -> set[str]:
    """What the files read from minigan, as "nn.Linear" for `mg.nn.Linear` and for `nn.Linear`."""
    found = set()
    for file in FILES:
        for node in ast.walk(ast.parse(Path(str(file.__file__)).read_text())):
            if isinstance(node, ast.Attribute):
                found.add(ast.unparse(node).removeprefix("mg."))
    return found


def defined_in(module: ModuleType) -> list[str]:
    """The public functions and classes that a module without `__all__` defines."""
    return [n for n, each in vars(module).items() if n[0] != "_" and getattr(each, "__module__", "") == module.__name__]


def test_every_public_name_is_used():
    packages = {name: getattr(mg, name) for name in mg.__all__ if isinstance(getattr(mg, name), ModuleType)}
    packages.pop("ops")  # all of it is in minigan itself
    public = {name for name in mg.__all__ if name not in packages}
    for name, package in packages.items():
        listed = getattr(package, "__all__", None) or defined_in(package)
        public |= {f"{name}.{each}" for each in listed}
    assert sorted(public - used()) == []


@pytest.mark.parametrize("use", [use for file in FILES for name, use in vars(file).items() if name.startswith("use_")])
def test_it_runs(use, tmp_path):
    use(*[str(tmp_path)][: use.__code__.co_argcount])
