"""The CLAIM checklist answers every item, by a link or by the reason why not."""

from __future__ import annotations

import re

from trust_tables import table

ROWS = table("claim-checklist.md", "item", "in short", "answer")


def test_every_item_of_the_list_is_there_once() -> None:
    assert [int(row["item"]) for row in ROWS] == list(range(1, 45))


def test_each_is_answered_by_a_link_or_by_the_reason_why_not() -> None:
    for row in ROWS:
        linked = re.search(r"\]\([^)]+\)", row["answer"])
        excused = re.match(r"not answered( for \w+)?, because \w+", row["answer"])
        assert row["in short"] and (linked or excused), row["item"]
    assert any(row["answer"].startswith("not answered") for row in ROWS), "an honest list has gaps"
