"""Reading a study on the page: evidence, decisions, sides, contradictions, film first, keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import httpx
import pytest
from radiographs import RAMP, dicom
from scripted import NOTHING, SENTENCES, Scripted, findings

from radscribe.core.records import NOTICE
from radscribe.drafting.reporter import Reporter

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
pytestmark = pytest.mark.slow

Site = Callable[..., str]
Opened = Callable[..., Any]
Films = Callable[[int], bytes]
NUMBERS = count(1000)


def send(address: str, *films: bytes) -> dict[str, Any]:
    answer = httpx.post(f"{address}/v1/drafts", files=[("files", ("film", each)) for each in films], timeout=60)
    assert answer.status_code in (200, 201), answer.text
    made: dict[str, Any] = answer.json()
    return made


def kept(address: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/v1/drafts/{name}").json()
    return found


def actions(record: dict[str, Any]) -> list[tuple[int, str, str | None]]:
    return [(each["index"], each["action"], each["text"]) for each in record["edits"]["sentences"]]


@pytest.fixture
def study(shared_site: str, opened: Opened, film: Films) -> tuple[Any, str, str]:
    """A page with a scripted study open that is new; its service's address and the study's id."""
    name = send(shared_site, film(next(NUMBERS)))["id"]
    return shown(opened, shared_site, name), shared_site, name


def shown(opened: Opened, address: str, name: str, **options: Any) -> Any:
    page = opened(f"{address}/#{name}", **options)
    expect(page.locator("#film-area canvas")).to_be_visible()
    return page


def row(page: Any, number: int) -> Any:
    return page.locator(".sentence").nth(number - 1)


def test_the_draft_stands_beside_its_film_with_all_that_is_known_of_it(study: tuple[Any, str, str]) -> None:
    page, _, _ = study
    assert page.locator(".words").all_inner_texts() == [each.text for each in SENTENCES]
    assert page.locator(".statements").all_inner_texts() == [
        "▲ pleural effusion present 83 %",
        "○ cardiomegaly absent 97 %",
        "◆ lung opacity possible 60 %",
    ]
    chips = page.locator(".findings .chips").first.locator("li").all_inner_texts()
    assert [" ".join(chip.split()) for chip in chips] == [
        "▲ pleural effusion present 83 %",
        "◆ lung opacity possible 60 %",
    ]
    expect(page.get_by_text("Not assessed: fracture.")).to_be_visible()
    expect(page.locator(".withheld")).to_contain_text(
        "There is a 9 mm nodule. It gives a size, which the model cannot measure."
    )
    expect(page.locator("#notice")).to_have_text(NOTICE)
    expect(page.locator("#notice")).to_be_in_viewport(ratio=1)


def box_on_screen(page: Any) -> dict[str, float]:
    found: dict[str, float] = page.locator("#film-area svg rect.box").last.bounding_box()
    return found


def test_hovering_and_focusing_a_sentence_shows_its_map_and_a_normal_one_shows_none(
    study: tuple[Any, str, str],
) -> None:
    page, _, _ = study
    boxes, label = page.locator("#film-area svg rect.box"), page.locator("#film-area .box-label")
    expect(label).to_have_text("1")  # the first sentence is the current one
    assert page.locator("#film-area path.contour").count() == 4  # two levels, each with its shade
    row(page, 3).hover()
    expect(label).to_have_text("3")
    row(page, 2).locator(".sentence-body").focus()
    page.mouse.move(5, 5)
    expect(boxes).to_have_count(0)
    expect(row(page, 2).locator(".evidence")).to_have_text("")
    row(page, 1).locator(".sentence-body").focus()
    expect(label).to_have_text("1")
    expect(row(page, 1).locator(".evidence")).to_contain_text("A small effusion is seen on the right.")
    row(page, 3).locator(".sentence-body").focus()
    expect(row(page, 3).locator(".evidence")).to_contain_text("(phantom-2); its text is not attached.")


def test_the_box_lies_on_the_film_where_the_model_meant_it(study: tuple[Any, str, str]) -> None:
    page, _, _ = study
    area = page.locator("#film-area").bounding_box()
    side = min(area["width"], area["height"])
    left, top = area["x"] + (area["width"] - side) / 2, area["y"] + (area["height"] - side) / 2
    # The tiny model cuts 64 of 72 pixels of the square film: a share s of its view lies at (4 + 64 s) / 72 of the film.
    expected = [left + side * (4 + 64 * 0.15) / 72, top + side * (4 + 64 * 0.65) / 72, side * 64 * 0.2 / 72]
    box = box_on_screen(page)
    assert [box["x"], box["y"], box["width"]] == pytest.approx(expected, abs=3)
    page.locator("#film-area").hover(position={"x": area["width"] / 2, "y": area["height"] / 2})
    page.mouse.wheel(0, -400)
    expect(page.locator("#look")).not_to_contain_text("100 %")
    assert box_on_screen(page)["width"] > 1.5 * box["width"]


def test_accepting_rejecting_and_editing_by_keys_are_kept(study: tuple[Any, str, str]) -> None:
    page, address, name = study
    page.keyboard.press("Enter")
    expect(row(page, 1).locator(".decided")).to_have_text("✓ accepted")
    expect(page.locator(".sentence.current .number")).to_have_text("2")
    page.keyboard.press("x")
    page.keyboard.press("e")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("The lungs are clear. jkx")
    page.keyboard.press("Enter")
    expect(row(page, 3).locator(".decided")).to_have_text("✎ edited")
    expect(row(page, 3).locator("del").first).to_contain_text("There is a possible opacity")
    expect(page.locator(".badge")).to_have_text("all decided")
    page.keyboard.press("k")
    page.keyboard.press("u")
    expect(row(page, 2).locator(".decided")).to_have_text("○ open")
    expect(page.locator("#status")).to_have_text("Sentence 2 is open.")
    page.wait_for_timeout(300)
    assert actions(kept(address, name)) == [(0, "accepted", None), (2, "edited", "The lungs are clear. jkx")]


def test_accepting_an_edited_sentence_keeps_its_new_words(study: tuple[Any, str, str]) -> None:
    page, address, name = study
    page.keyboard.press("s")
    expect(row(page, 1).locator(".decided")).to_have_text("✎ edited")
    expect(row(page, 1).get_by_role("button", name="Accept")).to_be_disabled()
    page.keyboard.press("Enter")
    expect(page.locator(".sentence.current .number")).to_have_text("2")
    page.keyboard.press("a")
    expect(page.locator(".badge")).to_have_text("✓ final")
    assert kept(address, name)["final"].startswith("There is a small left pleural effusion. The heart")


def test_the_text_is_copied_by_a_key(shared_site: str, opened: Opened, film: Films) -> None:
    name = send(shared_site, film(next(NUMBERS)))["id"]
    page = shown(opened, shared_site, name, permissions=["clipboard-read", "clipboard-write"])
    page.keyboard.press("x")
    page.keyboard.press("c")
    expect(page.locator("#status")).to_have_text("The text is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == " ".join(each.text for each in SENTENCES[1:])


def test_the_list_of_studies_gives_way_to_an_open_one_where_there_is_little_room(
    shared_site: str, opened: Opened, film: Films
) -> None:
    name = send(shared_site, film(next(NUMBERS)))["id"]
    for width, stays in ((1440, False), (1920, True)):
        page = opened(shared_site, viewport={"width": width, "height": 900})
        toggle, drop = page.locator("#studies-button"), page.locator("#drop")
        expect(drop).to_be_visible()
        page.locator(f'[data-study="{name}"]').click()
        expect(page.locator(".sentence")).to_have_count(3)
        expect(drop).to_be_visible(visible=stays)
        expect(toggle).to_have_attribute("aria-expanded", str(stays).lower())
        toggle.click()
        expect(drop).to_be_visible(visible=not stays)


def test_leaving_the_editor_by_escape_keeps_the_words(study: tuple[Any, str, str]) -> None:
    page, address, name = study
    page.keyboard.press("e")
    page.keyboard.type("Nothing of this.")
    page.keyboard.press("Escape")
    expect(row(page, 1).locator(".words")).to_have_text(SENTENCES[0].text)
    expect(row(page, 1).locator(".sentence-body")).to_be_focused()
    assert actions(kept(address, name)) == []


def test_one_key_accepts_all_and_finishes_and_the_next_study_is_one_more(
    site: Site, opened: Opened, film: Films
) -> None:
    address = site()
    older, newer = (send(address, film(number))["id"] for number in (1, 2))
    page = shown(opened, address, newer)
    page.keyboard.press("a")
    expect(page.locator(".badge")).to_have_text("✓ final")
    record = kept(address, newer)
    assert record["status"] == "final" and record["final"] == " ".join(each.text for each in SENTENCES)
    assert record["edits"]["seconds"] > 0
    page.keyboard.press("n")
    expect(page).to_have_url(f"{address}/#{older}")
    expect(page.locator(".badge")).to_have_text("3 open")
    page.keyboard.press("n")
    expect(page.locator("#status")).to_have_text("No other study is open.")
    page.evaluate(f"document.querySelector('[data-study=\"{newer}\"]').click()")
    page.get_by_role("button", name="Reopen").click()
    expect(page.locator(".badge")).to_have_text("all decided")
    assert kept(address, newer)["status"] == "draft"


def test_the_side_of_a_sentence_is_turned_by_buttons_and_by_a_key(study: tuple[Any, str, str]) -> None:
    page, address, name = study
    sides = row(page, 1).locator(".sides button")
    assert [each.get_attribute("aria-pressed") for each in sides.all()] == ["true", "false", "false"]
    sides.filter(has_text="Both").click()
    inserted = row(page, 1).locator("ins")
    expect(inserted).to_have_text(["added: are", "added: bilateral", "added: effusions"])
    expect(row(page, 1).locator("del")).to_have_text(["removed: is a", "removed: right", "removed: effusion"])
    row(page, 1).locator(".sentence-body").focus()
    page.keyboard.press("s")
    expect(row(page, 1).locator(".decided")).to_have_text("○ open")  # the drafted words again
    page.keyboard.press("s")
    expect(row(page, 1).locator("ins")).to_contain_text("left")
    expect(row(page, 2).locator(".sides")).to_be_hidden()
    page.wait_for_timeout(300)
    assert actions(kept(address, name)) == [(0, "edited", "There is a small left pleural effusion.")]


def test_a_contradiction_stops_the_one_key_once(study: tuple[Any, str, str]) -> None:
    page, address, name = study
    warning = page.locator(".contradictions")
    expect(warning).to_be_hidden()
    page.keyboard.press("e")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("There is no pleural effusion.")
    page.keyboard.press("Enter")
    expect(warning).to_contain_text("The text denies pleural effusion; the model holds it present (83 %).")
    expect(row(page, 1).locator(".statements")).to_have_text("○ pleural effusion absent")
    page.keyboard.press("a")
    expect(warning).to_be_focused()
    expect(page.locator(".badge")).to_have_text("2 open")
    assert kept(address, name)["status"] == "draft"
    page.keyboard.press("a")
    expect(page.locator(".badge")).to_have_text("✓ final")
    assert kept(address, name)["final"].startswith("There is no pleural effusion.")


def test_a_likely_finding_that_no_sentence_states_stops_the_one_key(
    site: Site, opened: Opened, film: Films, reporter: Reporter
) -> None:
    address = site(Scripted(reporter, findings=findings(pneumothorax=("blank", 0.08))))
    name = send(address, film(1))["id"]
    page = shown(opened, address, name)
    expect(page.locator(".chip-likely")).to_have_text("△ pneumothorax likely, but not stated 92 %")
    page.keyboard.press("a")
    expect(page.locator(".contradictions")).to_contain_text("does not mention pneumothorax")
    expect(page.locator(".contradictions")).to_be_focused()
    assert kept(address, name)["status"] == "draft"


def test_a_sentence_of_the_readers_own_is_added_and_removed(study: tuple[Any, str, str]) -> None:
    page, address, name = study
    field = page.get_by_label("Add a sentence")
    field.fill("  Follow-up in  two weeks. ")
    field.press("Enter")
    expect(page.locator(".added li")).to_contain_text("Follow-up in two weeks.")
    expect(page.locator(".changes ins")).to_contain_text("Follow-up in two weeks.")
    page.wait_for_timeout(300)
    assert kept(address, name)["edits"]["added"] == [{"text": "Follow-up in two weeks.", "after": None}]
    page.get_by_role("button", name="Remove: Follow-up").click()
    expect(page.locator(".added li")).to_have_count(0)
    expect(page.locator(".changes")).to_be_hidden()


def test_an_abstention_shows_its_reasons_instead_of_a_draft(
    site: Site, opened: Opened, film: Films, reporter: Reporter
) -> None:
    address = site(Scripted(reporter, **NOTHING))
    name = send(address, film(1))["id"]
    page = shown(opened, address, name)
    expect(page.locator(".abstention")).to_contain_text("No draft")
    expect(page.locator(".abstention li")).to_have_text("The film is turned upside down.")
    expect(page.locator(".sentence")).to_have_count(0)
    expect(page.locator("#film-area svg *")).to_have_count(0)
    page.keyboard.press("a")
    expect(page.locator("#status")).to_contain_text("There is no sentence to accept.")
    page.get_by_label("Add a sentence").fill("The lungs are clear.")
    page.get_by_label("Add a sentence").press("Enter")
    page.get_by_role("button", name="Finish", exact=True).click()
    expect(page.locator(".badge")).to_have_text("✓ final")
    assert kept(address, name)["final"] == "The lungs are clear."


def test_film_first_hides_the_draft_until_it_is_asked_for(site: Site, opened: Opened, film: Films) -> None:
    address = site()
    send(address, film(1))
    name = send(address, film(2))["id"]
    page = shown(opened, address, name)
    page.keyboard.press("f")
    page.keyboard.press("n")
    cover = page.locator(".cover")
    expect(cover).to_contain_text("Look at the film first")
    for hidden in (".sentence", ".chip", "#film-area svg *"):
        expect(page.locator(hidden)).to_have_count(0)
    page.locator("#studies-button").click()
    expect(page.locator(".study-time").first).to_be_visible()
    expect(page.locator(".study-findings").first).to_be_hidden()
    page.keyboard.press("a")
    expect(page.locator("#status")).to_have_text("The draft is hidden. d shows it.")
    expect(page.locator("#show-draft")).to_be_enabled()
    page.keyboard.press("d")
    expect(page.locator(".sentence")).to_have_count(3)
    expect(page.locator("#film-area .box-label")).to_have_text("1")


def test_a_deep_film_is_shown_with_its_window_and_can_be_inverted(shared_site: str, opened: Opened) -> None:
    name = send(shared_site, dicom(WindowCenter=2000, WindowWidth=3000))["id"]
    page = shown(opened, shared_site, name)
    look, area = page.locator("#look"), page.locator("#film-area").bounding_box()
    expect(look).to_have_text("100 % · window 494–3505 · 16 bits")

    def grey(share: float) -> int:
        return int(
            page.evaluate(
                """([across]) => {
                    const canvas = document.querySelector("#film-area canvas"), gl = canvas.getContext("webgl2");
                    const pixel = new Uint8Array(4);
                    gl.readPixels(across * canvas.width, canvas.height / 2, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
                    return pixel[0];
                }""",
                [share],
            )
        )

    scale = min(area["width"] / 64, area["height"] / 48)

    def expected(share: float) -> float:
        column = (share * area["width"] - (area["width"] - 64 * scale) / 2) / scale - 0.5
        level = float(RAMP[0][0]) + column * (4095 / 63)
        return min(max(255 * (level - 494) / (3505 - 494), 0), 255)

    for share in (0.2, 0.4, 0.5, 0.6, 0.8):
        assert grey(share) == pytest.approx(expected(share), abs=4)
    assert 40 < grey(0.4) < grey(0.6) < 215
    before = grey(0.4)
    page.keyboard.press("i")
    expect(page.locator("#invert")).to_have_attribute("aria-pressed", "true")
    assert grey(0.4) == pytest.approx(255 - before, abs=1)
    page.keyboard.press("i")
    page.mouse.move(area["x"] + 300, area["y"] + 300)
    page.mouse.down(button="right")
    page.mouse.move(area["x"] + 500, area["y"] + 300, steps=4)
    page.mouse.up(button="right")
    black, white = map(int, re.findall(r"window (-?\d+)–(-?\d+)", look.inner_text())[0])
    assert white - black > 3500 and abs((white + black) / 2 - 2000) < 5
    page.keyboard.press("w")
    expect(look).to_have_text("100 % · window 494–3505 · 16 bits")


def test_the_film_is_zoomed_and_moved_by_keys(study: tuple[Any, str, str]) -> None:
    page, _, _ = study
    before = box_on_screen(page)
    page.locator("#film-area").focus()
    page.keyboard.press("+")
    expect(page.locator("#look")).to_contain_text("125 %")
    zoomed = box_on_screen(page)
    page.keyboard.press("ArrowRight")
    assert box_on_screen(page)["x"] == pytest.approx(zoomed["x"] - 40, abs=1)
    page.keyboard.press("Shift+ArrowUp")
    expect(page.locator("#look")).not_to_contain_text("window 0–255")
    page.keyboard.press("0")
    assert box_on_screen(page) == before


def test_a_browser_without_webgl_shows_eight_bits(shared_site: str, opened: Opened) -> None:
    name = send(shared_site, dicom(WindowCenter=2000, WindowWidth=3000))["id"]
    page = opened(f"{shared_site}/page/icon.svg")
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        "  return kind === 'webgl2' ? null : get.call(this, kind, ...more); };"
    )
    page.goto(f"{shared_site}/#{name}")
    expect(page.locator("#film-area canvas")).to_be_visible()
    expect(page.locator("#look")).to_have_text("100 % · window 494–3505 · 8 bits")
    levels = page.evaluate(
        """() => {
            const canvas = document.querySelector("#film-area canvas");
            const {data} = canvas.getContext("2d").getImageData(0, canvas.height / 2, canvas.width, 1);
            return [0.3, 0.5, 0.7].map((share) => data[4 * Math.round(share * canvas.width)]);
        }"""
    )
    assert 0 < levels[0] < levels[1] < levels[2] < 255


def test_several_films_have_tabs_and_maps_lie_on_the_one_that_was_read(shared_site: str, opened: Opened) -> None:
    name = send(shared_site, dicom(RAMP, ViewPosition="LL"), dicom(RAMP))["id"]
    page = shown(opened, shared_site, name)
    tabs = page.locator("#film-tabs button")
    assert [each.get_attribute("aria-pressed") for each in tabs.all()] == ["false", "true"]
    expect(page.locator("#film-area .box-label")).to_have_text("1")
    tabs.first.click()
    expect(tabs.first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#film-hint")).to_be_hidden()  # the film is loaded
    expect(page.locator("#film-area svg *")).to_have_count(0)
    expect(page.locator(".warnings li")).to_contain_text("1 more were not read")


def test_the_question_mark_lists_all_keys_and_they_can_be_switched_off(study: tuple[Any, str, str]) -> None:
    page, address, name = study
    page.keyboard.press("?")
    dialog = page.locator("#keys")
    listed = dialog.locator("th").all_inner_texts()
    assert {"j", "k", "Enter", "x", "e", "a", "n", "i", "?"} <= {each.strip() for each in listed}
    dialog.get_by_label("These keys work everywhere").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("a")
    page.wait_for_timeout(300)
    assert kept(address, name)["version"] == 1


def test_words_that_look_like_markup_are_shown_as_words(
    site: Site, opened: Opened, film: Films, reporter: Reporter
) -> None:
    nasty = '<img src=x onerror="document.title=1"> & <b>bold</b>'
    address = site(Scripted(reporter, sentences=(replace(SENTENCES[0], text=nasty),), findings=()))
    page = shown(opened, address, send(address, film(1))["id"])
    expect(page.locator(".words")).to_have_text(nasty)
    assert page.locator(".words img, .words b").count() == 0 and page.title() == "radscribe"
