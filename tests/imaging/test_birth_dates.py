"""Dates of birth as people write them, and numbers that are none."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.imaging.birth_dates import date_pattern
from radscribe.imaging.spelling import plain

LANGUAGES = [
    line.split()
    for line in """
January February March April May June July August September October November December
Januar Februar März April Mai Juni Juli August September Oktober November Dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
januari februari maart april mei juni juli augustus september oktober november december
""".strip().splitlines()
]
ENGLISH = LANGUAGES[0]
# y(ear), s(hort year), m(onth), d(ay); padded Y, S, M, D; n: the month's name, b: its first three letters.
FORMS = [
    form.strip()
    for line in """
{Y}{M}{D} | {y}-{m}-{d} | {y}.{M}.{D} | {y}/{m}/{d} | {d}.{m}.{y} | {m}/{d}/{y} | {d} {m} {y} | {d} . {m} . {y}
{D}.{M}.{S} | {M}/{D}/{S} | {d}/{m}/{S} | {S}-{M}-{D} | {D}-{M}-{S} | {D}{M}{y} | {D}{M}{S} | {S}{M}{D}
{y}年{m}月{d}日 | {S}年{M}月{D}日 | {y} 年 {m} 月 {d} 日 | {y}년{m}월{d}일 | {y}년 {m}월 {d}일
{d} {n} {y} | {n} {d}, {y} | {d}. {n} {y} | {d} de {n} de {y} | {y} {n} {d} | {d}th of {n}, {y}
{d}{b}{y} | {D}-{b}-{y} | {D}-{b}-{S} | {b}. {d}, '{S}
""".strip().splitlines()
    for form in line.split("|")
]
dates = st.dates(datetime.date(1901, 1, 1), datetime.date(2024, 12, 31))


def written(born: datetime.date, form: str, months: list[str]) -> str:
    return form.format(
        y=born.year, Y=f"{born.year:04}", S=f"{born.year % 100:02}", m=born.month, M=f"{born.month:02}", d=born.day,
        D=f"{born.day:02}", n=months[born.month - 1], b=ENGLISH[born.month - 1][:3],
    )  # fmt: skip


def finds(born: str, text: str) -> bool:
    pattern = date_pattern(born)
    return pattern is not None and bool(pattern.search(plain(text)))


@given(dates, st.sampled_from(FORMS), st.sampled_from(LANGUAGES), st.sampled_from(["", "*", "born ", "生", "(", "DOB"]))
def test_a_date_is_found_in_each_of_its_forms(born: datetime.date, form: str, months: list[str], before: str) -> None:
    text = written(born, form, months)
    date = f"{born:%Y%m%d}"
    for variant in (text, text.upper(), text.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})):
        assert finds(date, f"{before}{variant}。Clear lungs."), variant


@given(dates, dates, st.sampled_from(["{D}.{M}.{y}", "{d} {n} {y}", "{y}年{m}月{d}日", "{Y}-{M}-{D}", "{n} {d}, {y}"]))
def test_another_date_is_none(born: datetime.date, other: datetime.date, form: str) -> None:
    same = {born.day, born.month} == {other.day, other.month} and (born.year - other.year) in (0, 543, -543)
    assert same or not finds(f"{born:%Y%m%d}", written(other, form, ENGLISH))


@pytest.mark.parametrize(
    "text",
    [
        *("昭和6年2月3日", "S6.2.3", "一九三一年二月三日", "民國20年2月3日", "03/02/2474", "3rd day of February, 1931"),
        *(
            "3.II.1931",
            "03 ii 1931",
            "3/II/31",
            "3. Ⅱ. 1931",
            "3II1931",
            "1931-II-3",
            "3 февраля 1931",
            "3 lutego 1931",
            "３ Février １９３１",
            "٣/٢/١٩٣١",
            "1931\n02\n03",
        ),
    ],
)
def test_other_calendars_and_scripts_are_read(text: str) -> None:
    assert finds("19310203", text)


@pytest.mark.parametrize(
    "text",
    [
        "2 3 31 mm",
        "2331",
        "at 23.31",
        "1931",
        "February 1931",
        "3 Feb",
        "13 Feb 1931",
        "19310204",
        "3.III.1931",
        "3.XII.1931",
        "119310203",
        "1/2/3 of 31",
    ],
)
def test_what_is_no_birth_date_is_not_found(text: str) -> None:
    assert not finds("19310203", text)


@pytest.mark.parametrize("date", ["", "1931", "19311303", "00000000", "unknown"])
def test_no_date_has_no_pattern(date: str) -> None:
    assert date_pattern(date) is None


def test_the_given_texts_hold_the_date(shared_cases: Path) -> None:
    lines = (shared_cases / "privacy-birth-date-words" / "texts.txt").read_text("utf-8").splitlines()
    assert len(lines) == 5 and all(finds("19310203", line) for line in lines)
