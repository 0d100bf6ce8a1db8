"""Whether everybody can use the page: names, contrast, focus, sizes, narrow and wide windows, both themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
pytestmark = pytest.mark.slow

Opened = Callable[..., Any]
Films = Callable[[int], bytes]
SCHEMES = ("light", "dark")
LEAST_CONTRAST, LEAST_TARGET = 4.5, 24  # WCAG 2.2, 1.4.3 and 2.5.8

# Each visible text with its contrast to the nearest background behind it (WCAG 2.2, relative luminance).
CONTRASTS = """() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => {
        const [red, green, blue] = numbers(colour).slice(0, 3).map((each) => {
            const share = each / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const clear = (colour) => numbers(colour)[3] === 0;
    const found = [];
    for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode(); ) {
        const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
        if (!text || !element.checkVisibility() || element.closest("svg, .out-of-sight, noscript, option")) continue;
        let behind = element;
        while (behind && clear(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
        const [first, second] = [
            luminance(getComputedStyle(element).color),
            luminance(getComputedStyle(behind ?? document.body).backgroundColor),
        ].sort((one, other) => other - one);
        found.push([text, (first + 0.05) / (second + 0.05)]);
    }
    return found;
}"""
CONTROLS = """() => [...document.querySelectorAll("button, input, select, summary, textarea, a, [tabindex='0']")]
    .filter((each) => each.checkVisibility() && !each.matches(".out-of-sight"))
    .map((each) => {
        const labelled = each.getAttribute("aria-labelledby"), { width, height } = each.getBoundingClientRect();
        const name = each.getAttribute("aria-label")
            ?? (labelled ? document.getElementById(labelled)?.textContent : null)
            ?? each.labels?.[0]?.textContent ?? each.textContent;
        return [each.outerHTML.slice(0, 80), name.trim(), width, height];
    })"""
# The element with the focus, and whether an outline of two pixels or more shows it, around it or around its sentence.
FOCUSED = """() => {
    const element = document.activeElement;
    const shown = [element, element.closest(".sentence"), element.nextElementSibling].filter(Boolean).some((each) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(each);
        return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
    });
    return [element === document.body ? "" : element.id || element.className || element.textContent, shown];
}"""


@pytest.fixture(scope="module")
def study(shared_site: str) -> Callable[[Films], str]:
    def address(film: Films) -> str:
        sent = httpx.post(f"{shared_site}/v1/drafts", files=[("files", ("film", film(700)))], timeout=60)
        return f"{shared_site}/#{sent.json()['id']}"

    return address


def shown(opened: Opened, address: str, width: int = 1440, height: int = 900, scheme: str = "light") -> Any:
    page = opened(address, viewport={"width": width, "height": height}, color_scheme=scheme)
    expect(page.locator("#film-area canvas")).to_be_visible()
    return page


def open_all(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.evaluate("document.body.classList.add('studies-open')")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("state", ["reading", "editing", "deciding", "keys", "film first"])
def test_all_text_has_contrast(
    state: str, scheme: str, study: Callable[[Films], str], opened: Opened, film: Films
) -> None:
    page = shown(opened, study(film), scheme=scheme)
    open_all(page)
    if state == "editing":
        page.keyboard.press("e")
    elif state == "deciding":
        page.route("**/v1/drafts/*", lambda route: route.abort())  # refused: the alert is in sight too
        page.keyboard.press("x")
        expect(page.locator(".alert")).to_be_visible()
    elif state == "keys":
        page.keyboard.press("?")
    elif state == "film first":
        page.keyboard.press("f")
        page.reload()
        expect(page.locator(".cover")).to_be_visible()
    page.wait_for_timeout(300)  # colours change slowly
    found = page.evaluate(CONTRASTS)
    assert len(found) > 12
    assert [each for each in found if each[1] < LEAST_CONTRAST] == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_themes_are_light_and_dark_by_the_system_and_by_choice(
    scheme: str, study: Callable[[Films], str], opened: Opened, film: Films
) -> None:
    page = shown(opened, study(film), scheme=scheme)
    colour = "getComputedStyle(document.querySelector('.report')).backgroundColor"
    colours = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 26, 32)"}
    assert page.evaluate(colour) == colours[scheme]
    other = "dark" if scheme == "light" else "light"
    page.locator("#theme").select_option(other)
    assert page.evaluate(colour) == colours[other]
    page.reload()
    assert page.evaluate(colour) == colours[other]


@pytest.mark.parametrize("width", [320, 390, 1440, 2560])
def test_every_control_has_a_name_and_is_large_enough_and_nothing_is_cut_off(
    width: int, study: Callable[[Films], str], opened: Opened, film: Films
) -> None:
    page = shown(opened, study(film), width)
    open_all(page)
    controls = page.evaluate(CONTROLS)
    assert len(controls) > 20
    assert [each for each in controls if not each[1]] == []
    boxes = ("checkbox", 'type="file"')
    small = [each for each in controls if min(each[2:]) < LEAST_TARGET and not any(box in each[0] for box in boxes)]
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for part in (".report-body", ".studies"):
        assert page.locator(part).evaluate("(part) => part.scrollWidth <= part.clientWidth")
    expect(page.locator("#notice")).to_be_in_viewport(ratio=1)


def test_a_phone_keeps_the_film_and_the_notice_in_sight_while_the_report_is_read(
    study: Callable[[Films], str], opened: Opened, film: Films
) -> None:
    page = shown(opened, study(film), 390, 844)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#film-area .box-label")).to_have_text("3")
    page.mouse.move(200, 700)
    page.mouse.wheel(0, 3000)
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") > 100
    for part in ("#notice", "#film-area canvas"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    film_box, current = page.locator("#film-area").bounding_box(), page.locator(".finish-bar").bounding_box()
    assert film_box["y"] + film_box["height"] < current["y"]


def test_everything_is_reached_by_tab_and_shows_its_focus(
    study: Callable[[Films], str], opened: Opened, film: Films
) -> None:
    page = shown(opened, study(film))
    page.locator("#studies-button").focus()
    reached, hidden = ["studies-button"], []
    for _ in range(80):
        page.keyboard.press("Tab")
        name, visible = page.evaluate(FOCUSED)
        reached.append(name)
        if name and not visible:
            hidden.append(name)
        if name == reached[0]:
            break
    assert hidden == []
    tools = {"film-first", "theme", "keys-button", "zoom-in", "fit", "invert", "film-area", "addition"}
    assert tools <= set(reached)
    assert reached.count("sentence-body") == 3
    assert any("Accept all" in name or name == "primary" for name in reached)


def test_status_and_alerts_are_read_aloud(study: Callable[[Films], str], opened: Opened, film: Films) -> None:
    page = shown(opened, study(film))
    expect(page.get_by_role("status")).to_have_text("Study opened: 3 sentences.")
    page.keyboard.press("i")
    page.route("**/v1/drafts/*", lambda route: route.abort())
    page.keyboard.press("n")
    page.keyboard.press("x")
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer.")
    assert page.title() and page.locator("html").get_attribute("lang") == "en"
    headings = page.locator("h1, h2, h3").filter(visible=True).evaluate_all("(all) => all.map((each) => each.tagName)")
    assert headings[0] == "H1" and headings.count("H1") == 1
