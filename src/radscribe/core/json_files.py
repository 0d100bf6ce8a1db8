"""Reads JSON and JSON lines: whatever is wrong with a file is one line with its name and the place."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.text_files import decoded, read_bytes

HALF_CHARACTER = re.compile("[\ud800-\udfff]")
LONGEST_NUMBER = 400  # digits, more than any float64 has


class _Fault(ValueError):
    """What is wrong with well-formed JSON."""


def read_json_file(path: Path, fix: str, wrong: type[RadscribeError] = WrongUse) -> Any:
    """The content of a JSON file; raises ``wrong``, which ends in ``fix``, where it is missing or not sound JSON."""
    return _parsed(path, _text(path, fix, wrong), fix, wrong)


def read_json_lines(path: Path, fix: str, wrong: type[RadscribeError] = WrongUse) -> list[Any]:
    """The contents of the lines of a file, blank ones left out; raises ``wrong`` as ``read_json_file`` does."""
    return list(_of_lines(path, _text(path, fix, wrong), fix, wrong))


def _text(path: Path, fix: str, wrong: type[RadscribeError]) -> str:
    content = read_bytes(path, fix, wrong)
    try:
        return decoded(content)
    except ValueError as fault:
        raise wrong(f"{path}: damaged, it is not JSON ({fault}); {fix}") from None


def _of_lines(path: Path, text: str, fix: str, wrong: type[RadscribeError]) -> Iterator[Any]:
    # JSON may hold the other characters that str.splitlines cuts at.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _parsed(path, line, fix, wrong, f"line {number}: ")


def _parsed(path: Path, text: str, fix: str, wrong: type[RadscribeError], where: str = "") -> Any:
    try:
        content = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
        if re.search(r"\\u[dD][89a-fA-F]", text):
            _refuse_half_characters(content)
    except _Fault as fault:
        raise wrong(f"{path}: {where}{fault}; {fix}") from None
    except json.JSONDecodeError as error:
        raise wrong(f"{path}: damaged, it is not JSON ({where}{error}); {fix}") from None
    except RecursionError:
        raise wrong(f"{path}: {where}it is nested too deeply; {fix}") from None
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        # A name of many words may be a report.
        shown = twice if re.fullmatch(r"\S{1,80}", twice) else "of an object"
        raise _Fault(f"the name {shown} appears twice; keep one")
    return found


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise _Fault(f"a number in it has {len(digits):,} digits")
    return int(digits)


def _refuse_half_characters(content: Any) -> None:
    if isinstance(content, dict):
        for name, value in content.items():
            _refuse_half_characters(name)
            _refuse_half_characters(value)
    elif isinstance(content, list):
        for value in content:
            _refuse_half_characters(value)
    elif isinstance(content, str) and HALF_CHARACTER.search(content):
        raise _Fault("a text in it holds half a character (an escape from \\ud800 to \\udfff alone)")
