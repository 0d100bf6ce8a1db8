"""Reads CSV tables strictly: each row as it was written, or one line that names where the file is wrong.

Python's own reader lets a quote that never closes swallow the rows after it: one patient's report then holds others'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from radscribe.core.errors import WrongUse
from radscribe.core.text_files import read_text

DELIMITERS = (",", ";", "\t")
LINE_END = re.compile(r"\r\n|\r|\n")
QUOTED = r'"([^"]*+(?:""[^"]*+)*+)"'
# A column's name, as against a cell of a table without a header, which may be a report or a patient's name.
NAME = re.compile(r"[^\W\d_]+(?:[ _.-][^\W\d_]+){0,3}(?:[ _.-]?\d{1,2})?")
_NAME_WORDS = """
    accession age case column comparison date dicom document exam file filename finding findings folder history
    hypothesis id ids image images impression index indication key label labels mesh name number orientation path
    patient patientid position prediction problems projection reference report reports section sex source split study
    studyid subject table text title type uid url view views
"""
NAME_WORDS = frozenset(_NAME_WORDS.split())
# Keys of hashes and UUIDs: alike where their dashes are.
HEXADECIMAL = re.compile(r"(?=.*\d)[0-9a-f-]{8,}", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """A row of a table: the number of its first line, and its cells by column."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class _Record:
    line: int
    cells: list[str]
    raw: str


def read_csv(path: Path, required: Sequence[str]) -> list[Row]:
    """The rows of a CSV file (UTF-8, with a header; separated by commas, else by semicolons or tabs).

    ``required`` are the columns that it must have, the first one being the key of its rows. Names of columns are
    stripped, cells are not; rows of empty cells are left out.

    Raises:
        WrongUse: one line, without the text of any cell, for a file that cannot be read, an unknown header, a quote
            that never closes, a row of more or fewer cells than the header, or a cell that holds other rows.
    """
    text = read_text(path, "give a CSV table in UTF-8")
    delimiter = next((each for each in DELIMITERS if set(required) <= {*_header(path, text, each)}), DELIMITERS[0])
    records = [record for record in _records(path, text, delimiter) if record.raw.strip(f"{delimiter} \t\r\n")]
    if not records:
        raise WrongUse(f"{path}: it is empty; its first line must name the columns {', '.join(required)}")
    header = [name.strip() for name in records[0].cells]
    _check_header(path, header, required)
    for record in records[1:]:
        if len(record.cells) != len(header):
            raise WrongUse(
                f"{path}: line {record.line} does not have {len(header)} fields as the header does but "
                f"{len(record.cells)}; put fields that hold commas or line breaks in quotes"
            )
    _refuse_swallowed_rows(path, records[1:], header.index(required[0]), delimiter)
    return [Row(record.line, dict(zip(header, record.cells, strict=True))) for record in records[1:]]


def shown_columns(header: Sequence[str], required: Sequence[str]) -> str:
    """What an error says of a header that lacks columns: those of its cells that can only be names of columns."""
    shown = [name for name in header if name in required or (NAME.fullmatch(name) and _words(name) <= NAME_WORDS)]
    if not shown:
        return (
            f"its first line has {len(header)} cells, none of them such a name; begin it with the names of the columns"
        )
    more = f" and {len(header) - len(shown)} more" if len(shown) < len(header) else ""
    return f"its columns are {', '.join(shown)}{more}"


def _words(name: str) -> set[str]:
    """The words of a column's name in small letters: "view", "position" of "ViewPosition"."""
    return {word.casefold() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[^\W\d_]+", name)}


def _check_header(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    if any("\0" in name for name in header):
        raise WrongUse(f"{path}: not UTF-8 text, it holds NUL characters; save it as CSV in UTF-8")
    missing = [name for name in required if name not in header]
    if missing:
        raise WrongUse(f"{path}: the column {', '.join(missing)} is missing; {shown_columns(header, required)}")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        which = f"the column {twice[0]}" if NAME.fullmatch(twice[0]) else "a column"
        raise WrongUse(f"{path}: {which} appears twice in the header; keep or rename one of them")


def _header(path: Path, text: str, delimiter: str) -> list[str]:
    """The names in the first record as ``delimiter`` cuts it; none where it cannot be read so."""
    try:
        record = next((record for record in _records(path, text, delimiter) if record.raw.strip()), None)
    except WrongUse:
        return []
    return [name.strip() for name in record.cells] if record else []


def _records(path: Path, text: str, delimiter: str) -> Iterator[_Record]:
    between = re.escape(delimiter)
    field = re.compile(rf'(?:{QUOTED}|([^"{between}\r\n]*+))({between}|\r\n|\r|\n|\Z)')
    place, line = 0, 1
    while place < len(text):
        start, first, cells = place, line, []
        separator = delimiter
        while separator == delimiter:
            found = field.match(text, place)
            if found is None:
                raise WrongUse(f"{path}: {_quote_fault(text, place, line)}")
            quoted, plain, separator = found.groups()
            cells.append(plain if quoted is None else quoted.replace('""', '"'))
            line += len(LINE_END.findall(quoted or ""))
            place = found.end()
        line += 1
        yield _Record(first, cells, text[start:place])


def _quote_fault(text: str, place: int, line: int) -> str:
    """Why no field can be read at ``place``: something is wrong with a quote."""
    if text[place] != '"':
        return (
            f"line {line} has a quote inside a field that does not begin with one; put the whole field in quotes, and "
            "double each quote in it"
        )
    closed = re.compile(QUOTED).match(text, place)
    if closed is None:
        return f"the quote opened on line {line} never closes; close it on that line, or double a quote that is text"
    until = line + len(LINE_END.findall(closed[1]))
    return (
        f"the quote opened on line {line} is closed on line {until} in the middle of a field; close it where its "
        "field ends, and double each quote that is text"
    )


def _refuse_swallowed_rows(path: Path, records: Sequence[_Record], key: int, delimiter: str) -> None:
    """Refuse a quoted cell some line of which is a row of this table: its quote was closed by that of another row."""
    long = [record for record in records if LINE_END.search(record.raw.rstrip("\r\n"))]
    keys = {record.cells[key] for record in records} - {""}
    if not long or not keys:
        return
    shapes = {*map(_shape, keys)} - {""}
    kinds = [*map(_kinds, keys)]
    shared, occurring = set.intersection(*kinds), set.union(*kinds)
    for record in long:
        own = sum(len(LINE_END.findall(cell)) for cell in record.cells[:key])  # the line of the record's own key
        for number, line in enumerate(LINE_END.split(record.raw)):
            cells = line.split(delimiter)
            if number == own or len(cells) < len(record.cells):
                continue
            found = cells[key].strip('"')
            # As in prose, a space stands behind the comma of "Heart, normal."; none stands there in a row.
            spaced = any(cell.startswith(" ") for cell in cells[key + 1 : key + 2])
            alike = bool(found) and not spaced and shared <= _kinds(found) <= occurring
            if alike or _shape(found) in shapes:
                raise WrongUse(
                    f"{path}: a quote opened on line {record.line} runs on over line {record.line + number}, which "
                    "looks like a row of its own; close the quote on its line, or begin that line with a space if it "
                    "is text"
                )


def _shape(key: str) -> str:
    """What the keys of one table have in common: "s12" is as "s9". "" where a key has neither digits nor letters."""
    if HEXADECIMAL.fullmatch(key):
        return re.sub(r"[^-]", "0", key)
    if re.search(r"\d", key):
        return re.sub(r"\d+", "0", key)
    return "a" * len(key) if key.isalpha() else ""


def _kinds(key: str) -> set[str]:
    """The kinds of characters in a key: digits, small and capital letters, other letters, each mark."""
    return {
        "0" if each.isdigit() else "a" if each.islower() else "A" if each.isupper() else "x" if each.isalpha() else each
        for each in set(key)
    }
