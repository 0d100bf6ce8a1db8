"""Keeps the lines of a report and nothing else of its layout."""

from __future__ import annotations


def tidy_lines(text: str) -> str:
    """``text`` with single spaces in its lines, "\\n" for every kind of line break, and no two empty lines in a row.

    Lines are kept because a finding per line, with or without a bullet, is often written without full stops.
    """
    lines: list[str] = []
    for line in (" ".join(line.split()) for line in text.splitlines()):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip("\n")


def one_line(text: str) -> str:
    """``text`` with single spaces for all white space, line breaks too, as published files of reports have it."""
    return " ".join(text.split())
