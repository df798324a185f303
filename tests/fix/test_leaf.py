"""The FIX package is a leaf: whoever imports it imports the standard library and msgspec."""

import ast
import sys
from pathlib import Path

import pytest

import fairlead.fix

MODULES = sorted(Path(fairlead.fix.__path__[0]).rglob("*.py"))
ALLOWED = sys.stdlib_module_names | {"msgspec"}


def _imported(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or ".")
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_a_module_imports_its_siblings_the_standard_library_and_msgspec(module: Path) -> None:
    others = {
        name
        for name in _imported(module)
        if name.split(".")[0] not in ALLOWED and not name.startswith("fairlead.fix")
    }
    assert not others
