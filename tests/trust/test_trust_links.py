"""Every link of docs/trust/ leads to a file and a heading; the pages are in the index and in the site."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import pytest
from trust_tables import PAGES, ROOT, TRUST, page

LINK = re.compile(r"\]\(([^)\s]+)\)")


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub and the documentation site make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (unicodedata.normalize("NFKD", re.sub(r"[`*]", "", heading)).lower() for heading in headings)
    return frozenset(re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip()) for heading in plain)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        assert ":" not in link, f"{link}: these pages link to nothing outside"
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_index_and_in_the_site() -> None:
    index, site = page("index.md"), (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in (*PAGES, TRUST / "sbom.json"):
        assert path.name == "index.md" or f"]({path.name})" in index, path.name
        assert path.suffix == ".json" or f"trust/{path.name}" in site, path.name
    assert "](trust/index.md)" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert "](docs/trust/index.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
