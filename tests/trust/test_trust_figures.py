"""Every figure that the trust pages quote is that of the packaged checkpoint; the limits are those enforced."""

from __future__ import annotations

import re

import pytest
from trust_tables import PAGES, page, quoted, table

from radscribe.drafting.acceptance import read_acceptance
from radscribe.drafting.calibration import load_calibration
from radscribe.drafting.reporter import packaged_checkpoint
from radscribe.drafting.scores import load_scores
from radscribe.imaging.film import MAXIMUM_FILE_BYTES
from radscribe.imaging.levels import MAXIMUM_PIXELS

SCORES = load_scores(packaged_checkpoint())
assert SCORES is not None
NOT_ASSESSED = getattr(load_calibration(packaged_checkpoint(), SCORES.fingerprint), "not_assessed", ())
VALUES = {name: figure["value"] for name, figure in SCORES.figures.items()} | {"not_assessed": len(NOT_ASSESSED)}
IN_TEXT = re.compile(r"([\d.]*\d) \(`(\w+)`\)")
FIGURES = ("intended-use.md", "risks.md")


def shown(name: str, as_written: str) -> str:
    """The figure ``name`` with as many decimals as it is written with."""
    return f"{VALUES[name]:.{len(as_written.partition('.')[2])}f}"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_in_the_text_is_that_of_the_scores(name: str) -> None:
    found = IN_TEXT.findall(page(name))
    assert name != "risks.md" or len(found) >= 10
    assert [(value, figure) for value, figure in found] == [(shown(figure, value), figure) for value, figure in found]


def test_a_figure_in_a_table_is_that_of_the_scores() -> None:
    rows = [
        *((row["refused"], row["name in scores.json"]) for row in table("intended-use.md", *GATE)),
        *((row["figure"], row["name in scores.json"]) for row in table("intended-use.md", *LIMITS)),
    ]
    assert len(rows) >= 20
    for value, cell in rows:
        (figure,) = quoted(cell)
        assert value == shown(figure, value), figure


GATE, LIMITS = ("films", "refused", "name in scores.json"), ("limit", "figure", "name in scores.json")


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_stands_without_its_name(name: str) -> None:
    rest = IN_TEXT.sub("", page(name))
    lines = [line for line in rest.splitlines() if re.search(r"(?<![\w.])[01]\.\d\d", line)]
    assert [line for line in lines if not re.fullmatch(r"\|[^|]+\| [\d.]+ \| `\w+` \|", line)] == []


def test_what_is_not_assessed_and_how_large_films_may_be_is_said() -> None:
    text = page("intended-use.md")
    assert f"denied: {', '.join(NOT_ASSESSED)}." in " ".join(text.split())
    assert f"{MAXIMUM_FILE_BYTES // 2**20} MiB and {MAXIMUM_PIXELS // 10**6} million pixels" in text
    assert SCORES and f"{SCORES.studies} test studies" in text


def test_the_limits_are_those_that_the_service_enforces() -> None:
    acceptance = read_acceptance()
    rows = table("change-protocol.md", "figure", "limit", "packaged checkpoint")
    expected = []
    for limit in acceptance.limits:
        side = f"at least {limit.at_least:g}" if limit.at_least is not None else f"at most {limit.at_most:g}"
        name = f"`{limit.figure}`" + ("" if limit.of == "value" else f", {limit.of} end")
        assert SCORES
        expected.append((name, side, f"{SCORES.figures[limit.figure][limit.of]:.3f}"))
    assert [tuple(row.values()) for row in rows] == expected
    text = " ".join(page("change-protocol.md").split())
    assert f"of the {acceptance.split} split and of {acceptance.least_studies} studies or more" in text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_page_says_what_it_is_not(path: object) -> None:
    text = " ".join(page(getattr(path, "name", "")).split())
    assert "**Research use only. Not for diagnosis.**" in text
    assert re.search(r"claims? no compliance|no compliance is claimed", text, re.IGNORECASE)
