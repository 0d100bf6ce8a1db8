"""Patterns of the ways in which people write a date of birth."""

from __future__ import annotations

import datetime
import re

from radscribe.imaging.spelling import LETTER

# How the names of the months begin, short and long, without accents: English, German, Dutch, the Scandinavian
# languages, French, Spanish, Italian, Portuguese, Polish, Turkish, Russian.
MONTHS = (
    "jan|ene|gen|sty|oca|янв",
    "feb|fev|lut|sub|фев",
    "mar|mrt|mrz|maa|mae|мар",
    "apr|avr|abr|kwi|nis|апр",
    "may|mai|mag|mei|maj|мая|маи",
    "jun|juin|giu|cze|haz|июн",
    "jul|juil|lug|lip|tem|июл",
    "aug|aou|ago|sie|авг",
    "sep|set|wrz|eyl|сен",
    "oct|okt|out|ott|paz|eki|окт",
    "nov|lis|kas|ноя",
    "dec|dez|des|dic|gru|ara|дек",
)
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
# Japanese eras, by the year before their first, as they are written out and by their letter; those of Taiwan.
ERAS = (
    (1867, "明治|明|M"),
    (1911, "大正|大|T|民國|民国"),
    (1925, "昭和|昭|S"),
    (1988, "平成|平|H"),
    (2018, "令和|令|R"),
)
BUDDHIST = 543  # years by which the Thai calendar is ahead
_DIGITS = "〇一二三四五六七八九"
_BETWEEN = r"\s*[-./,·_'|\\]\s*|\s+"
_ORDINAL = r"(?:st|nd|rd|th|er|re|de|te|ste|[oae°])?"
_OF = r"(?:\W+(?:of|the|day|de|del|den|d[io]|da))*[\W_]*"


def date_pattern(date: str) -> re.Pattern[str] | None:
    """A pattern that finds the date ``YYYYMMDD`` in a plain text (``spelling.plain``); None for what is no date.

    It finds the date with year, month and day in any usual order and with any usual mark between them or none; with
    the year in two digits where marks or zeros show that it is a date; with the month in words or Roman numerals; in
    Chinese, Japanese and Korean writing, with their numerals and eras; and with the year of the Thai calendar.
    """
    try:
        born = datetime.datetime.strptime(date, "%Y%m%d")
    except ValueError:
        return None
    written = [*_numeric(born), *_in_words(born), *_east_asian(born)]
    return re.compile(rf"(?<!\d)(?:{'|'.join(written)})(?!\d)", re.IGNORECASE)


def _numeric(born: datetime.datetime) -> list[str]:
    long, short = rf"(?:{born.year}|{born.year + BUDDHIST})", f"{born.year % 100:02}"
    month, day = f"0?{born.month}", f"0?{born.day}"
    full_month, full_day = f"{born.month:02}", f"{born.day:02}"
    orders = ((0, 1, 2), (1, 2, 0), (2, 1, 0), (0, 2, 1))
    found = []
    for order in orders:
        first, second, third = ((long, month, day)[position] for position in order)
        found.append(rf"{first}(?:{_BETWEEN})?{second}(?:{_BETWEEN})?{third}")
        first, second, third = ((short, month, day)[position] for position in order)
        found.append(rf"'?{first}\s*(?P<s{len(found)}>[-./|\\])\s*{second}\s*(?P=s{len(found)})\s*'?{third}")
        first, second, third = ((short, full_month, full_day)[position] for position in order)
        found.append(rf"{first} ?{second} ?{third}")
    return found


def _in_words(born: datetime.datetime) -> list[str]:
    year = rf"(?:{born.year}|'?{born.year % 100:02}|{born.year + BUDDHIST})"
    roman = rf"(?<!{LETTER}){ROMAN[born.month - 1]}(?!{LETTER})"
    month = rf"(?:(?:{MONTHS[born.month - 1]})[^\W\d_]{{0,12}}|{roman})\.?"
    day = rf"0?{born.day}{_ORDINAL}"
    return [
        rf"{day}{_OF}{month}{_OF}{year}",
        rf"{month}{_OF}{day}{_OF}{year}",
        rf"{year}{_OF}{month}{_OF}{day}",
    ]


def _east_asian(born: datetime.datetime) -> list[str]:
    spoken = "".join(_DIGITS[int(digit)] for digit in str(born.year)).replace("〇", "[〇零○]")
    years = [str(born.year), f"{born.year % 100:02}", spoken]
    found = []
    for before, names in ERAS:
        count = born.year - before
        if 0 < count < 100:
            years.append(rf"(?:{names})\s*(?:0?{count}|{_numeral(count)}{'|元' if count == 1 else ''})")
            found.append(rf"(?<!{LETTER})(?:{names})\s?0?{count}[-./]0?{born.month}[-./]0?{born.day}")
    month, day = (rf"(?:0?{count}|{_numeral(count)})" for count in (born.month, born.day))
    return [rf"(?:{'|'.join(years)})\s*[年년]\s*{month}\s*[月월]\s*{day}(?:\s*[日号號일]|(?!\d))", *found]


def _numeral(number: int) -> str:
    """A number below 100 in Chinese numerals."""
    tens, ones = divmod(number, 10)
    return (_DIGITS[tens] if tens > 1 else "") + ("十" if tens else "") + (_DIGITS[ones] if ones else "")
