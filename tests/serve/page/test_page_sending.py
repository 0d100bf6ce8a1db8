"""Sending films and getting files: what works, and every way in which it can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from radiographs import dicom

from radscribe.drafting.reporter import Reporter
from radscribe.serve.settings import read_tokens

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
pytestmark = pytest.mark.slow

Site = Callable[..., str]
Opened = Callable[..., Any]
Films = Callable[[int], bytes]
TOKEN = "a token of the reading room"


def upload(page: Any, *films: bytes) -> None:
    files = [{"name": f"film-{place}.png", "mimeType": "image/png", "buffer": each} for place, each in enumerate(films)]
    page.locator("#files").set_input_files(files)


def alert(page: Any) -> Any:
    return page.locator("#alerts")


def test_a_film_of_the_readers_disk_is_drafted_and_shown(
    site: Site, opened: Opened, film: Films, reporter: Reporter, tmp_path: Path
) -> None:
    address = site(reporter)
    page = opened(address)
    expect(page.locator("#no-studies")).to_be_attached()
    upload(page, film(1))
    expect(page.locator(".report-head .badge")).to_be_visible()
    (tmp_path / "film.png").write_bytes(film(1))
    expected = reporter.draft(tmp_path / "film.png")
    assert page.locator(".words").all_inner_texts() == [each.text for each in expected.sentences]
    expect(page.locator("#look")).to_have_text("100 % · window 0–255 · 8 bits")
    expect(page.locator(".study")).to_have_count(1)
    expect(page.locator(".study")).to_have_attribute("aria-current", "true")
    mapped = [number for number, each in enumerate(expected.sentences) if each.evidence]
    assert page.locator(".sentence.mapped").count() == len(mapped)


def test_a_film_may_be_dropped_anywhere(shared_site: str, opened: Opened, film: Films) -> None:
    page = opened(shared_site)
    page.evaluate(
        """([bytes]) => {
            const files = new DataTransfer();
            files.items.add(new File([Uint8Array.from(bytes)], "film.png"));
            for (const kind of ["dragenter", "dragover", "drop"]) {
                const event = new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files });
                document.querySelector(".film").dispatchEvent(event);
            }
        }""",
        [list(film(501))],
    )
    expect(page.locator(".sentence")).to_have_count(3)


def test_a_refused_film_says_why(shared_site: str, opened: Opened) -> None:
    page = opened(shared_site)
    upload(page, b"no film at all")
    expect(alert(page)).to_contain_text("film 1: it is no DICOM, PNG or JPEG file")
    expect(page.locator("#upload-state")).to_be_hidden()
    expect(page.locator(".sentence")).to_have_count(0)
    alert(page).get_by_role("button", name="Close").click()
    expect(alert(page)).to_be_empty()


def test_a_service_that_does_not_answer_is_said_and_can_be_tried_again(
    shared_site: str, opened: Opened, film: Films
) -> None:
    page = opened(shared_site)
    expect(page.locator("#studies-button")).to_be_visible()
    page.context.set_offline(True)
    upload(page, film(502))
    expect(alert(page)).to_contain_text("The service does not answer.")
    page.context.set_offline(False)
    alert(page).get_by_role("button", name="Try again").click()
    expect(page.locator(".sentence")).to_have_count(3)
    page.context.set_offline(True)
    page.locator(".sentence-body").first.focus()
    page.keyboard.press("e")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("My own words.")
    page.keyboard.press("Enter")
    expect(alert(page)).to_contain_text("Your last change was not kept")
    expect(alert(page)).to_contain_text("My own words.")
    expect(page.locator(".words").first).to_have_text("There is a small right pleural effusion.")
    page.context.set_offline(False)
    alert(page).get_by_role("button", name="Put them back").click()
    expect(page.locator("textarea")).to_have_value("My own words.")
    page.keyboard.press("Enter")
    expect(page.locator(".decided").first).to_have_text("✎ edited")


def test_a_busy_service_is_asked_again(shared_site: str, opened: Opened, film: Films) -> None:
    page, asked = opened(shared_site), []

    def busy_once(route: Any) -> None:
        asked.append(route.request.method)
        if asked.count("POST") == 1:
            route.fulfill(status=503, headers={"retry-after": "1"}, json={"detail": "64 studies are waiting already"})
        else:
            route.continue_()

    page.route("**/v1/drafts", busy_once)
    upload(page, film(503))
    expect(page.locator("#upload-state")).to_contain_text("The service is busy; again in 1 s")
    expect(page.locator(".sentence")).to_have_count(3)
    assert asked.count("POST") == 2


def test_a_stale_version_shows_the_newest_and_gives_lost_words_back(
    shared_site: str, opened: Opened, film: Films
) -> None:
    page = opened(shared_site)
    upload(page, film(504))
    expect(page.locator(".sentence")).to_have_count(3)
    name = page.url.partition("#")[2]
    change = {"version": 1, "sentences": [{"index": 1, "action": "rejected"}]}
    assert httpx.patch(f"{shared_site}/v1/drafts/{name}", json=change).status_code == 200
    page.keyboard.press("e")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("There is a large right pleural effusion.")
    page.keyboard.press("Enter")
    expect(alert(page)).to_contain_text("Somebody else changed this draft meanwhile.")
    expect(page.locator(".decided")).to_have_text(["○ open", "✕ rejected", "○ open"])
    alert(page).get_by_role("button", name="Put them back").click()
    page.keyboard.press("Enter")
    expect(page.locator(".decided")).to_have_text(["✎ edited", "✕ rejected", "○ open"])
    expect(alert(page)).to_be_empty()


def test_a_token_is_asked_for_once_and_a_wrong_one_again(
    site: Site, opened: Opened, film: Films, tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text(f"reader {TOKEN.replace(' ', '-')}\n")
    address = site(tokens=read_tokens(tmp_path / "tokens"))
    page = opened(address)
    dialog, field = page.locator("#token"), page.get_by_role("textbox", name="Token")
    expect(dialog).to_contain_text("This service asks for a token.")
    field.fill("a wrong one, long enough")
    field.press("Enter")
    expect(dialog).to_contain_text("That token was refused.")
    field.fill(TOKEN.replace(" ", "-"))
    field.press("Enter")
    expect(dialog).to_be_hidden()
    upload(page, film(1))
    expect(page.locator(".sentence")).to_have_count(3)
    expect(page.locator("#film-area canvas")).to_be_visible()
    page.reload()
    expect(page.locator(".sentence")).to_have_count(3)  # kept for this tab
    expect(dialog).to_be_hidden()
    other = opened(address)
    expect(other.locator("#token")).to_be_visible()
    other.keyboard.press("Escape")
    expect(alert(other)).to_contain_text("The service needs a token.")


def test_a_study_that_is_gone_is_said(shared_site: str, opened: Opened) -> None:
    page = opened(f"{shared_site}/#{'0' * 32}")
    expect(alert(page)).to_contain_text("there is no draft of this id")


def test_a_draft_by_another_model_says_so_and_keeps_its_maps_where_that_model_drew_them(
    shared_site: str, opened: Opened, film: Films
) -> None:
    page = opened(f"{shared_site}/page/icon.svg")
    page.goto(shared_site)
    upload(page, film(505))
    box = page.locator("#film-area svg .box").last
    expect(box).to_be_visible()
    hint = page.get_by_text("Another model wrote this draft")
    expect(hint).to_have_count(0)
    sides = ("x", "y", "width", "height")
    drawn = [box.get_attribute(side) for side in sides]
    other = {"name": "other", "fingerprint": "f" * 64, "view": {"resize": 256, "crop": 224}}
    page.route("**/v1/model", lambda route: route.fulfill(json=other))
    page.reload()
    expect(hint).to_contain_text("scripted, fingerprint")
    expect(box).to_be_visible()
    assert [box.get_attribute(side) for side in sides] == drawn


def test_every_file_that_the_service_makes_can_be_saved(shared_site: str, opened: Opened) -> None:
    names = [path.rpartition("/")[2] for path in made_by(shared_site)]
    page = opened(f"{shared_site}/page/icon.svg")
    described = httpx.get(f"{shared_site}/openapi.json").json()
    # One more than there is, so that the page must follow what the service says of itself.
    described["paths"]["/v1/drafts/{name}/letter.txt"] = {"get": {}}
    page.route("**/openapi.json", lambda route: route.fulfill(json=described))
    page.route("**/letter.txt", lambda route: route.fulfill(body=b"Dear colleague", content_type="text/plain"))
    page.goto(shared_site)
    upload(page, dicom(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1"))
    expect(page.locator(".sentence")).to_have_count(3)
    page.locator(".exports summary").click()
    buttons = page.locator(".export-list button")
    expect(buttons).to_have_count(2 + len(names) + 1)
    saved = {}
    for place in range(1, 3 + len(names)):
        with page.expect_download(timeout=60_000) as waiting:  # the first one imports what makes documents
            buttons.nth(place).click()
        saved[waiting.value.suggested_filename.partition("-")[2]] = Path(waiting.value.path()).read_bytes()
    assert saved.pop("report.txt").startswith(b"There is a small right pleural effusion. The heart is not enlarged.")
    assert saved.pop("letter.txt") == b"Dear colleague"
    assert saved.pop("report.pdf").startswith(b"%PDF") and b"DiagnosticReport" in saved.pop("fhir.json")
    assert set(saved) == {"report.sr.dcm", "findings.sr.dcm", "report.pdf.dcm", "overlay.sc.dcm"}
    assert all(content[128:132] == b"DICM" for content in saved.values())


def test_a_file_that_cannot_be_made_says_why(shared_site: str, opened: Opened, film: Films) -> None:
    page = opened(shared_site)
    upload(page, film(507))
    page.locator(".exports summary").click()
    page.get_by_role("button", name="Report (DICOM SR)").click()
    expect(alert(page)).to_contain_text("Report (DICOM SR): film: it has no DICOM header", timeout=60_000)


def made_by(address: str) -> list[str]:
    """The paths of files of a draft in the service's own description."""
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    return [path for path in paths if path.count("/") == 4 and path.startswith("/v1/drafts/{") and "get" in paths[path]]


def test_reading_time_is_sent_when_the_reader_goes_on(site: Site, opened: Opened, film: Films) -> None:
    address = site()
    page = opened(address)
    upload(page, film(1))
    expect(page.locator(".sentence")).to_have_count(3)
    first = page.url.partition("#")[2]
    page.wait_for_timeout(1500)
    upload(page, film(2))
    expect(page).not_to_have_url(f"{address}/#{first}")
    page.wait_for_timeout(300)
    record = httpx.get(f"{address}/v1/drafts/{first}").json()
    assert 1 <= record["edits"]["seconds"] < 30 and record["edits"]["sentences"] == []


def test_reading_time_is_sent_when_the_page_is_left(shared_site: str, opened: Opened, film: Films) -> None:
    page = opened(shared_site)
    upload(page, film(509))
    expect(page.locator(".sentence")).to_have_count(3)
    name = page.url.partition("#")[2]
    page.wait_for_timeout(1300)
    page.goto(f"{shared_site}/page/icon.svg")
    page.wait_for_timeout(300)
    assert 1 <= httpx.get(f"{shared_site}/v1/drafts/{name}").json()["edits"]["seconds"] < 30


def test_a_change_that_was_lost_after_the_reader_went_on_is_said(site: Site, opened: Opened, film: Films) -> None:
    address = site()
    page = opened(address)
    for number in (1, 2):
        upload(page, film(number))
        expect(page.locator(".study")).to_have_count(number)
        expect(page.locator(".study").first).to_have_attribute("aria-current", "true")
        expect(page.locator(".sentence")).to_have_count(3)
    left = page.url.partition("#")[2]
    held: list[Any] = []
    page.route(
        "**/v1/drafts/*", lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_()
    )
    page.keyboard.press("x")
    page.keyboard.press("n")
    expect(page).not_to_have_url(f"{address}/#{left}")
    held[0].abort()
    expect(alert(page)).to_contain_text(f"Study {left[:6]}: Your last change was not kept")
    alert(page).get_by_role("button", name="Open it").click()
    expect(page).to_have_url(f"{address}/#{left}")
    expect(page.locator(".decided")).to_have_text(["○ open"] * 3)


def test_the_page_asks_nobody_but_its_service(shared_site: str, opened: Opened, film: Films) -> None:
    page, asked = opened(f"{shared_site}/page/icon.svg"), []
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(shared_site)
    upload(page, film(508))
    expect(page.locator("#film-area canvas")).to_be_visible()
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy
    assert len(asked) > 20 and all(url.startswith((shared_site, "blob:")) for url in asked), json.dumps(asked)
