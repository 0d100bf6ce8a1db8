"""Recipes: strict, and whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from radscribe.core.config import RecipeError, from_mapping, read_yaml, to_mapping
from radscribe.training.recipe import Recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"


@dataclass(frozen=True)
class Inner:
    size: int = 1
    kind: Literal["a", "b"] = "a"
    rate: float = 0.5

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size must not be negative")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner | None = field(default_factory=Inner)
    sizes: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"name": "x", "colour": 1}, "unknown key 'colour'"),
        ({}, "missing 1 required"),
        ({"name": 3}, "name: expected str, found 3"),
        ({"name": "x", "inner": {"size": "big"}}, "inner.size: expected int, found 'big'"),
        ({"name": "x", "inner": {"size": True}}, "inner.size: expected int, found True"),
        ({"name": "x", "inner": {"kind": "c"}}, "inner.kind: 'c' is not one of 'a', 'b'"),
        ({"name": "x", "inner": {"size": -1}}, "inner: size must not be negative"),
        ({"name": "x", "inner": 3}, "inner: expected a mapping"),
        ({"name": "x", "sizes": [1, "2"]}, r"sizes\[1\]: expected int"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(mapping: dict[str, Any], reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        from_mapping(Outer, mapping)


def test_a_part_can_be_off_and_numbers_come_as_people_write_them() -> None:
    assert from_mapping(Outer, {"name": "x", "inner": None}).inner is None
    assert from_mapping(Outer, {"name": "x", "inner": {"rate": 1}}).inner == Inner(rate=1.0)
    assert from_mapping(Inner, {"rate": "5e-5"}).rate == 5e-5  # what YAML makes of 5e-5


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_reads_survives_the_way_there_and_back_and_has_a_head(path: Path) -> None:
    recipe = read_recipe(path)
    assert from_mapping(Recipe, to_mapping(recipe)) == recipe
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    for word in ("Paper:", "Command:", "Time:", "Score:"):
        assert any(word in line for line in head), f"{path.name} does not state its {word}"
    assert recipe.name == path.stem


@pytest.mark.parametrize("content", ["- a list", "name: [", "\xff"])
def test_a_file_that_is_no_recipe_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(RecipeError, match=r"broken\.yaml"):
        read_recipe(path)
    with pytest.raises(RecipeError, match="no such recipe"):
        read_recipe(tmp_path / "absent.yaml")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_recipe_is_laid_over_its_base_key_by_key(tmp_path: Path) -> None:
    write(
        tmp_path / "whole.yaml",
        "name: it\nfirst: &both {size: 1, kind: a, deep: {one: 1, two: 2}}\nsecond: *both\nlist: [1, 2]\npart: {a: 1}",
    )
    write(tmp_path / "rows" / "middle.yaml", "base: ../whole.yaml\nname: middle\nfirst: {deep: {two: 3}}\npart: null")
    path = write(
        tmp_path / "rows" / "top.yaml", "base: middle.yaml\nname: top\nlist: [3]\nfirst: {size: 5, new: {x: 1}}"
    )
    assert read_yaml(path) == {
        "name": "top",
        "first": {"size": 5, "kind": "a", "deep": {"one": 1, "two": 3}, "new": {"x": 1}},
        "second": {"size": 1, "kind": "a", "deep": {"one": 1, "two": 2}},  # an anchor of the base binds nothing here
        "list": [3],
        "part": None,
    }
    # What was switched off can be switched on again.
    again = write(tmp_path / "rows" / "again.yaml", "base: middle.yaml\npart: {b: 2}")
    assert read_yaml(again)["part"] == {"b": 2}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("base: second.yaml", "base: first.yaml", r"second\.yaml: its base first\.yaml is based on this recipe"),
        ("base: ./first.yaml", "", r"first\.yaml: its base \./first\.yaml is based on this recipe"),
        ("base: absent.yaml", "", r"first\.yaml: its base absent\.yaml is not a file"),
        ("base: 3", "", r"first\.yaml: base: expected the path of a recipe, found 3"),
        ("base: second.yaml", "name: [", r"second\.yaml: not readable as YAML"),
        ("base: second.yaml\nmodel: {width: big}", "name: x", r"first\.yaml: model\.width: expected int"),
    ],
)
def test_a_wrong_base_is_reported_in_one_line_that_names_the_file(
    tmp_path: Path, first: str, second: str, reason: str
) -> None:
    write(tmp_path / "second.yaml", second or "name: x")
    path = write(tmp_path / "first.yaml", first)
    with pytest.raises(RecipeError, match=reason) as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)
