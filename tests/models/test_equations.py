"""docs/equations.md against the code: every row names live functions that carry its tag, and every option is real."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from functools import cache, reduce
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from radscribe.models.mcsam import McsamConfig
from radscribe.training.recipe import Recipe

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "radscribe"
PAGE = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")

TAG = r"(?:Eq\. \d+|MCSAM: \w+(?:\([^)]*\))?)"
# What a tagged line ends with: one tag or more, and what is to be said of it behind a colon or a semicolon.
TAGGED = re.compile(rf"# ({TAG}(?:, {TAG})*)(?=$|[:;] )")
LOOKS_TAGGED = re.compile(r"# ?(Eq\b|MCSAM:)")


class Row(NamedTuple):
    """A row of a table whose last columns are file and function."""

    name: str  # the first column
    file: str
    functions: tuple[str, ...]

    @property
    def tag(self) -> str:
        return self.name if self.name.startswith("Eq. ") else f"MCSAM: {self.name}"

    def __str__(self) -> str:
        return f"{self.name} in {self.file}"


class Option(NamedTuple):
    """A row of a table of options, and the heading and the line that stand above the table."""

    section: str
    config: str
    file: str
    name: str
    default: str

    def __str__(self) -> str:
        return f"{self.section}: {self.name}"


class Tagged(NamedTuple):
    """A tag in a source file: its line, and the functions that it stands in, the innermost last."""

    tag: str
    file: str
    line: int
    functions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: # {self.tag}"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def tables() -> Iterator[tuple[str, str, list[str], list[list[str]]]]:
    """The heading above each table, the first line below that heading, the head of the table, and its rows."""
    heading, below, table = "", "", list[list[str]]()
    for line in [*PAGE.splitlines(), ""]:
        if line.startswith("|"):
            table.append(cells(line))
        elif table:
            yield heading, below, table[0], table[2:]
            table = []
        if line.startswith("#"):
            heading, below = line.lstrip("# "), ""
        elif line and not below:
            below = line


def rows(first_column: str) -> list[Row]:
    return [
        Row(row[0], quoted(row[2])[0], tuple(quoted(row[3])))
        for _, _, head, content in tables()
        if head == [first_column, "what", "file", "function"]
        for row in content
    ]


def options() -> list[Option]:
    found = []
    for heading, below, head, content in tables():
        if head == ["option", "default", "what", "why"]:
            config, file = quoted(below)[:2]
            path = "" if heading == "recipe" else heading.split(" ")[0] + "."
            for key, default in ([quoted(cell)[0] for cell in row[:2]] for row in content):
                assert key.startswith(path), f"{key} stands under {heading}"
                found.append(Option(heading, config, file, key.removeprefix(path), default))
    return found


def module_of(file: str) -> Any:
    assert (SOURCE / file).is_file(), f"{file}: no such file"
    return importlib.import_module("radscribe." + file.removesuffix(".py").replace("/", "."))


def function_of(file: str, dotted: str) -> Any:
    return reduce(getattr, dotted.split("."), module_of(file))


def tagged_lines(source: str) -> Iterator[tuple[int, str]]:
    """Line and tag of each tag in ``source``, in comments alone."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and (match := TAGGED.match(token.string)):
            yield from ((token.start[0], tag) for tag in re.findall(TAG, match[1]))


def names_within(tree: ast.AST, above: str = "") -> Iterator[tuple[str, int, int]]:
    """Dotted name, first and last line of every function in ``tree``."""
    for node in ast.iter_child_nodes(tree):
        name = above
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            name = f"{above}.{node.name}".lstrip(".")
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            yield name, node.lineno, node.end_lineno
        yield from names_within(node, name)


@cache
def all_tags() -> list[Tagged]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        functions = list(names_within(ast.parse(source)))
        for line, tag in tagged_lines(source):
            inside = tuple(name for name, first, last in functions if first <= line <= last)
            found.append(Tagged(tag, path.relative_to(SOURCE).as_posix(), line, inside))
    return found


EQUATIONS, STEPS, PARTS, OPTIONS = rows("equation"), rows("step"), rows("part"), options()


def test_the_tags_are_read_as_they_are_written() -> None:
    source = "a = b  # Eq. 10: K, V\nc = d  # Eq. 8, Eq. 9\ne = f  # MCSAM: R(X, M)\ng = '# Eq. 3'  # see Eq. 4\n"
    source += "h = i  # MCSAM: H_v, MCSAM: E\nj = k  # MCSAM: M; C_ik\n"
    assert list(tagged_lines(source)) == [
        (1, "Eq. 10"),
        (2, "Eq. 8"),
        (2, "Eq. 9"),
        (3, "MCSAM: R(X, M)"),
        (5, "MCSAM: H_v"),
        (5, "MCSAM: E"),
        (6, "MCSAM: M"),
    ]


def test_every_equation_of_the_paper_has_a_row() -> None:
    assert {row.name for row in EQUATIONS} == {f"Eq. {number}" for number in range(1, 16)}
    order = [int(row.name.removeprefix("Eq. ")) for row in EQUATIONS]
    assert order == sorted(order)
    assert len(STEPS) > 10 and len(PARTS) > 5 and len(OPTIONS) > 20


@pytest.mark.parametrize("row", [*EQUATIONS, *STEPS], ids=str)
def test_the_tag_of_a_row_stands_in_each_function_that_it_names(row: Row) -> None:
    assert row.functions
    for name in row.functions:
        source = textwrap.dedent(inspect.getsource(function_of(row.file, name)))
        held = {tag for _, tag in tagged_lines(source)}
        assert row.tag in held, f"{row.file}: no line of {name} carries # {row.tag}"


@pytest.mark.parametrize("row", PARTS, ids=str)
def test_a_part_without_a_number_is_computed_where_its_row_says(row: Row) -> None:
    assert row.functions and all(callable(function_of(row.file, name)) for name in row.functions)


def test_no_tag_stands_where_the_tables_do_not_list_it() -> None:
    listed = {(row.tag, row.file, name) for row in (*EQUATIONS, *STEPS) for name in row.functions}
    stray = [each for each in all_tags() if not any((each.tag, each.file, name) in listed for name in each.functions)]
    assert not stray, "\n".join(map(str, stray))


def test_the_equations_of_the_ranking_loss_are_on_their_own_lines() -> None:
    """The paper's Eq. 5 is the distance in the ball, 6 that of the labels, 7 the cross-entropy of the two."""
    marks = {"Eq. 5": "pairwise_distance(", "Eq. 6": "agreements", "Eq. 7": "target"}
    lines = (SOURCE / "models/knowledge/retrieval.py").read_text(encoding="utf-8").splitlines()
    found = [(each.tag, lines[each.line - 1]) for each in all_tags() if each.file == "models/knowledge/retrieval.py"]
    assert {tag for tag, _ in found} == set(marks)
    assert all((mark in line) == (mark == marks[tag]) for tag, line in found for mark in marks.values()), found


def test_a_tag_ends_a_line_of_code_and_has_the_exact_form() -> None:
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            if token.type == tokenize.COMMENT and LOOKS_TAGGED.match(token.string):
                alone = token.line.strip().startswith("#")
                if alone or not TAGGED.match(token.string):
                    wrong.append(f"{path.relative_to(SOURCE)}:{token.start[0]}: {token.string}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_an_option_is_a_field_of_its_class_with_the_default_stated(option: Option) -> None:
    config = function_of(option.file, option.config)
    field = {field.name: field for field in dataclasses.fields(config)}[option.name]
    assert yaml.safe_load(option.default) == field.default


@pytest.mark.parametrize("section", sorted({(each.section, each.config, each.file) for each in OPTIONS}), ids=str)
def test_a_section_is_where_a_recipe_has_it(section: tuple[str, str, str]) -> None:
    heading, config, file = section
    path = heading.split(" ")[0]
    recipes = [Recipe(name="any"), Recipe(name="any", model=McsamConfig())]
    keys = [] if path == "recipe" else path.split(".")
    found = [reduce(lambda value, key: getattr(value, key, None), keys, recipe) for recipe in recipes]
    assert function_of(file, config) in {type(value) for value in found}


def test_the_head_of_the_page_links_to_every_section() -> None:
    headings = re.findall(r"^##+ (.+)$", PAGE, re.MULTILINE)
    anchors = [re.sub(r"[^\w\s-]", "", heading).lower().replace(" ", "-") for heading in headings]
    links = re.findall(r"\]\(#([\w-]+)\)", PAGE.partition("\n## ")[0])
    assert len(set(anchors)) == len(anchors)
    assert set(links) == set(anchors) - {"options-of-ours"}
