"""JSON is read whole, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.json_files import read_json_file, read_json_lines

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json")


@given(JSON, st.booleans(), st.booleans())
def test_what_was_written_is_read_back(folder: Path, content: Any, ascii: bool, mark: bool) -> None:
    path = folder / "a.json"
    path.write_bytes(("\ufeff" * mark + json.dumps(content, ensure_ascii=ascii)).encode())
    assert read_json_file(path, "fix it") == content


@given(st.lists(JSON, max_size=4))
def test_lines_are_read_back(folder: Path, rows: list[Any]) -> None:
    path = folder / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows).encode())
    assert read_json_lines(path, "fix it") == rows


@given(st.binary(max_size=20), st.integers(0, 40), st.integers(0, 5))
def test_any_damage_is_one_line_or_harmless(folder: Path, piece: bytes, place: int, cut: int) -> None:
    content = b'{"s1": "Clear.", "s2": {"a": [1, 2.5, null]}}'
    path = folder / "a.json"
    path.write_bytes(content[:place] + piece + content[place + cut :])
    try:
        read_json_file(path, "fix it")
    except WrongUse as refused:
        assert str(refused).endswith("; fix it") and "\n" not in str(refused)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "it is not JSON"),
        (b"", "it is not JSON"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b'{"s": "\xe9"}', "not UTF-8 text"),
        (b'{"s1": 1, "s1": 2}', "the name s1 appears twice"),
        (b'[{"a": {"The lungs are": 1, "The lungs are": 2}}]', "the name of an object appears twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"7" * 5_000 + b"]", "a number in it has 5,000 digits"),
        (b'{"s1": ["\\ud83d"]}', "half a character"),
        (b'{"\\uDE00": 1}', "half a character"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, content: bytes, reason: str) -> None:
    path = folder / "a.json"
    path.write_bytes(content)
    for read in (read_json_file, read_json_lines):
        if content:
            with pytest.raises(RadscribeError, match=reason) as refused:
                read(path, "fix it", RadscribeError)
            assert not isinstance(refused.value, WrongUse) and "\n" not in str(refused.value)


def test_a_pair_of_halves_is_a_character(folder: Path) -> None:
    (folder / "a.json").write_bytes(b'"\\ud83d\\ude00"')
    assert read_json_file(folder / "a.json", "fix it") == "😀"


def test_a_file_that_cannot_be_opened_is_one_line(folder: Path) -> None:
    with pytest.raises(WrongUse, match=r"none\.json: cannot be opened: no such file; fix it"):
        read_json_file(folder / "none.json", "fix it")
    with pytest.raises(WrongUse, match="cannot be opened"):
        read_json_file(folder, "fix it")
