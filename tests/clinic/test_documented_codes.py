"""The table of codes in docs/clinic-standards.md is that of the program."""

from __future__ import annotations

import re
from pathlib import Path

from radscribe.clinic.codes import CONDITION_CODES
from radscribe.clinic.folder import OBJECTS, PLAIN

PAGE = (Path(__file__).parents[2] / "docs" / "clinic-standards.md").read_text(encoding="utf-8")


def test_each_condition_has_its_codes_in_the_page() -> None:
    section = PAGE.partition("## Codes")[2].partition("## How to check")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)[1:]
    assert rows == [(row.condition, row.shown) for row in CONDITION_CODES.values()]


def test_each_file_is_described() -> None:
    described = PAGE.partition("## Attributes")[0]
    assert all(f"`{name}`" in described for name in (*PLAIN, *OBJECTS))
