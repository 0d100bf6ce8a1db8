"""Recipes: strict, and whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from radscribe.recipe import RecipeError, from_mapping, to_mapping
from radscribe.training.plan import Recipe, read_recipe

RECIPES = Path(__file__).parents[1] / "recipes"


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
        assert any(word in line for line in head), f"{path.name} does not tell its {word}"
    assert recipe.name == path.stem


@pytest.mark.parametrize("content", ["- a list", "name: [", "\xff"])
def test_a_file_that_is_no_recipe_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(RecipeError, match=r"broken\.yaml"):
        read_recipe(path)
    with pytest.raises(RecipeError, match="no such recipe"):
        read_recipe(tmp_path / "absent.yaml")
