"""The file that pyright reads uses every public name of the engine, and runs."""

import ast
from pathlib import Path

import public_names
import pytest

import minigan as mg

FILE = Path(public_names.__file__)


def test_every_public_name_is_used():
    used = {node.attr for node in ast.walk(ast.parse(FILE.read_text())) if isinstance(node, ast.Attribute)}
    public = {*mg.__all__, *mg.nn.__all__, *mg.optim.__all__}
    assert public - used == {"nn", "optim"}  # imported by name


@pytest.mark.parametrize("use", [use for name, use in vars(public_names).items() if name.startswith("use_")])
def test_it_runs(use, tmp_path):
    use(*[str(tmp_path)][: use.__code__.co_argcount])
