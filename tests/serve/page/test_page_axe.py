"""The rules of axe for WCAG 2.2 AA, on the page as a reader meets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from scripted import NOTHING, Scripted, findings

from radscribe.drafting.reporter import Reporter
from radscribe.serve.settings import Tokens

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
pytestmark = pytest.mark.slow

Opened = Callable[..., Any]
Films = Callable[[int], bytes]
Site = Callable[..., str]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The size of targets, new in WCAG 2.2, is off unless it is asked for.
OPTIONS = {"runOnly": {"type": "tag", "values": TAGS}, "rules": {"target-size": {"enabled": True}}}


def reading(page: Any) -> None:
    expect(page.locator("#film-area .box").last).to_be_attached()


def unfolded(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.evaluate("document.body.classList.add('studies-open')")


def deciding(page: Any) -> None:
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    page.keyboard.press("s")
    page.get_by_label("Add a sentence").fill("A tube.")
    page.get_by_label("Add a sentence").press("Enter")
    expect(page.get_by_text("Changes to the draft")).to_be_visible()


def editing(page: Any) -> None:
    page.keyboard.press("e")
    expect(page.locator("textarea")).to_be_focused()


def stopped(page: Any) -> None:
    page.keyboard.press("a")
    expect(page.locator(".stopped")).to_be_visible()


def final(page: Any) -> None:
    stopped(page)
    page.keyboard.press("a")
    expect(page.get_by_text("✓ final")).to_be_visible()


def alerted(page: Any) -> None:
    page.route("**/v1/drafts/*", lambda route: route.abort())
    page.keyboard.press("x")
    expect(page.locator(".alert")).to_be_visible()


def keys(page: Any) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def film_first(page: Any) -> None:
    page.keyboard.press("f")
    page.reload()
    expect(page.locator("#show-draft")).to_be_enabled()


def another_model(page: Any) -> None:
    other = {"name": "other", "fingerprint": "f" * 64, "view": {"resize": 256, "crop": 224}}
    page.route("**/v1/model", lambda route: route.fulfill(json=other))
    page.reload()
    expect(page.get_by_text("Another model wrote this draft")).to_be_visible()


STATES = {state.__name__: state for state in (
    reading, unfolded, deciding, editing, stopped, final, alerted, keys, film_first, another_model,
)}  # fmt: skip


def violations(page: Any, part: str = "html") -> list[str]:
    """What axe finds in a part of the page, in light and in dark colours: each rule with the elements that break it."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(300)  # colours change slowly
        answer = axe.Axe().run(page, part, OPTIONS).response
        assert len(answer["passes"]) > 5, "axe has run"
        for rule in answer["violations"]:
            found.append(f"{rule['id']} in {scheme}: {[node['html'][:99] for node in rule['nodes']]}")
    return found


@pytest.fixture
def study(reporter: Reporter, site: Site, opened: Opened, film: Films) -> Callable[..., Any]:
    """Opens a study whose draft contradicts its findings, so that finishing stops once."""

    def open_study(**options: Any) -> Any:
        address = site(Scripted(reporter, findings=findings(pneumonia=("positive", 0.9))))
        sent = httpx.post(f"{address}/v1/drafts", files=[("files", ("film", film(1)))], timeout=60)
        page = opened(f"{address}/#{sent.json()['id']}", **options)
        expect(page.locator("#film-area canvas")).to_be_visible()
        return page

    return open_study


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_while_a_study_is_read(state: str, study: Callable[..., Any]) -> None:
    page = study()
    STATES[state](page)
    assert violations(page) == []


def test_axe_finds_nothing_on_a_phone(study: Callable[..., Any]) -> None:
    page = study(viewport={"width": 390, "height": 844})
    reading(page)
    assert violations(page) == []
    page.locator(".findings summary").click()
    page.evaluate("scrollTo(0, 0)")  # the bar at the foot may cover a part of what lies under it
    assert violations(page) == []
    page.locator("#studies-button").click()
    assert violations(page, "#studies") == []


def test_axe_finds_nothing_without_a_draft(reporter: Reporter, site: Site, opened: Opened, film: Films) -> None:
    page = opened(site(Scripted(reporter, **NOTHING)))
    expect(page.get_by_text("No studies yet.")).to_be_visible()
    assert violations(page) == []
    for content, seen in ((b"no film", ".alert"), (film(1), ".abstention")):
        page.locator("#files").set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": content}])
        expect(page.locator(seen)).to_be_visible()
        assert violations(page) == []


def test_axe_finds_nothing_where_a_token_is_asked_for(site: Site, opened: Opened) -> None:
    page = opened(site(tokens=Tokens((("anna", b"the hash of no token"),))))
    expect(page.locator("#token")).to_be_visible()
    assert violations(page) == []


def test_axe_would_find_faults(study: Callable[..., Any]) -> None:
    page = study()
    page.evaluate("document.getElementById('notice').style.color = '#888'")
    page.evaluate("document.getElementById('theme').closest('label').replaceWith(document.getElementById('theme'))")
    found = " ".join(violations(page))
    assert "color-contrast in light" in found and 'class="notice"' in found and "select-name in dark" in found
