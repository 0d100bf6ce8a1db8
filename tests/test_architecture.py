"""The layout: imports point down the rooms of CONTRIBUTING.md, files are short, systems hide behind a protocol."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from radscribe.models.systems import SYSTEMS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "radscribe"
ROOMS = re.findall(r"^\| `(\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
FILES = sorted(PACKAGE.rglob("*.py"))
# models/revtaf.py and the like, by the table of systems; training and exports have files of the same names.
SYSTEM_MODULES = {kind.model.__module__ for kind in SYSTEMS.values()}
SYSTEM_FILES = {f"{module.rpartition('.')[2]}.py" for module in SYSTEM_MODULES}
SYSTEM_CLASSES = {
    name
    for module in SYSTEM_MODULES
    for name, value in vars(sys.modules[module]).items()
    if isinstance(value, type) and value.__module__ == module
}


def test_the_printed_rooms_are_the_folders_and_nothing_else_stands_at_the_root() -> None:
    assert sorted(ROOMS) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    assert sorted(path.name for path in PACKAGE.iterdir() if path.is_file()) == ["__init__.py", "py.typed"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_imports_from_rooms_below_it_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    tree, room = ast.parse(text), path.relative_to(PACKAGE).parts[0]
    below = ROOMS[: ROOMS.index(room) + 1] if room in ROOMS else ROOMS  # the package's own face sees all rooms
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for module in (module for module in imported if module.split(".")[0] == "radscribe"):
        assert module.split(".")[1:2] and module.split(".")[1] in below, f"{room} imports {module}"
    if room != "models" and path.name not in SYSTEM_FILES:
        checks = [
            node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
        ]
        named = {name.id for check in checks for name in ast.walk(check.args[1]) if isinstance(name, ast.Name)}
        assert not named & SYSTEM_CLASSES
