"""What docs/page.md says of the page, held against the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

ROOT = Path(__file__).parents[3]


def test_the_documented_keys_are_those_of_the_page(shared_site: str, opened: Callable[..., Any]) -> None:
    page = opened(shared_site)
    page.keyboard.press("?")
    rows = page.locator("#keys tr")
    expect(rows.first).to_be_visible()
    shown = [(" ".join(row.locator("kbd").all_inner_texts()), row.locator("td").inner_text()) for row in rows.all()]
    text = (ROOT / "docs" / "page.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(.+?)` \| (.+) \|$", text, re.MULTILINE) == shown
