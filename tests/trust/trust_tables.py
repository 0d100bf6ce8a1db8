"""Reads the tables of docs/trust/, and what the tests of this project are called."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRUST = ROOT / "docs" / "trust"
PAGES = sorted(TRUST.glob("*.md"))
QUOTED = re.compile(r"`([^`]+)`")


def page(name: str) -> str:
    """The text of a page of docs/trust/."""
    return (TRUST / name).read_text(encoding="utf-8")


def tables(name: str) -> list[list[dict[str, str]]]:
    """The tables of a page: a mapping from head to cell for each row."""
    found: list[list[dict[str, str]]] = []
    heads: list[str] = []
    for line in page(name).splitlines():
        if not line.startswith("|"):
            heads = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not heads:
            heads = cells
            found.append([])
        elif set(line) - set("|-: "):
            assert len(cells) == len(heads), f"{name}: {line}"
            found[-1].append(dict(zip(heads, cells, strict=True)))
    return found


def table(name: str, *heads: str) -> list[dict[str, str]]:
    """All rows of the tables of a page that have exactly these heads."""
    return [row for rows in tables(name) for row in rows if tuple(row) == heads]


def quoted(cell: str) -> list[str]:
    """What stands in a cell as code."""
    return QUOTED.findall(cell)


@cache
def known_tests(file: Path) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))
