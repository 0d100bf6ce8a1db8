"""Keeps the lines of a report and nothing else of its layout."""

from __future__ import annotations

import re

NARROWEST_PAGE = 70
_STATEMENT = re.compile(r"[-*•]|\d{1,2}[.)]|[A-Z]")
_ENDINGS = (".", ",", ";", ":", "?", "!")


def tidy_lines(text: str) -> str:
    """``text`` with single spaces in its lines, "\\n" for every kind of line break, and no two empty lines in a row.

    Lines are kept because a finding per line, with or without a bullet, is often written without full stops.
    """
    lines: list[str] = []
    for line in (" ".join(line.split()) for line in text.splitlines()):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip("\n")


def without_page_breaks(text: str) -> str:
    """``text`` tidied, without the line breaks of a page, as the reports of MIMIC-CXR have them at 80 columns.

    One stays only where a statement ends without a mark: before a line that begins another, behind one that had room.
    """
    lines = [line for line in tidy_lines(text).split("\n") if line]
    width = max([NARROWEST_PAGE, *map(len, lines)])
    parts, before = lines[:1], "".join(lines[:1])
    for line in lines[1:]:
        begins = _STATEMENT.match(line) and not before.endswith(_ENDINGS)
        had_room = len(before) + 1 + len(line.split(maxsplit=1)[0]) < width
        parts += ["\n" if begins and had_room else " ", line]
        before = line
    return "".join(parts)


def one_line(text: str) -> str:
    """``text`` with single spaces for all white space, line breaks too, as published files of reports have it."""
    return " ".join(text.split())
