"""The atomic writer: files appear whole or not at all, alone or together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import (
    all_replaced,
    read_given_json,
    read_json,
    replaced_together,
    write_csv,
    write_json,
    write_json_lines,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_several_files_are_replaced_together_or_not_at_all(tmp_path: Path) -> None:
    first, second = tmp_path / "new" / "first.txt", tmp_path / "second.txt"
    second.write_text("before")
    with pytest.raises(OSError, match="disk"), all_replaced(first, second) as drafts:
        for draft in drafts:
            draft.write_text("half")
        raise OSError("the disk is full")
    assert second.read_text() == "before" and not first.exists() and names(tmp_path) == ["new", "second.txt"]
    with pytest.raises(FileNotFoundError), all_replaced(first, second) as drafts:
        drafts[1].write_text("alone")  # the other one was never written
    assert second.read_text() == "before"
    with all_replaced(first, second) as drafts:
        for draft in drafts:
            draft.write_text("whole")
    assert first.read_text() == second.read_text() == "whole" and names(tmp_path / "new") == ["first.txt"]


def test_a_folder_is_changed_by_whole_blocks_only(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("before")
    with pytest.raises(KeyError), replaced_together(tmp_path) as staging:
        write_text(staging / "kept.txt", "after")
        raise KeyError
    assert (tmp_path / "kept.txt").read_text() == "before" and names(tmp_path) == ["kept.txt"]
    with replaced_together(tmp_path) as staging:
        write_text(staging / "deep" / "new.txt", "after")
    assert names(tmp_path) == ["deep", "kept.txt"] and names(tmp_path / "deep") == ["new.txt"]


def test_json_and_tables_are_written_as_they_were(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"é": [1]}, indent=2)
    assert (tmp_path / "a.json").read_bytes() == '{\n  "é": [\n    1\n  ]\n}\n'.encode()
    write_json(tmp_path / "a.json", {"é": [1]}, indent=None)
    assert (tmp_path / "a.json").read_bytes() == '{"é": [1]}\n'.encode()
    write_json_lines(tmp_path / "a.jsonl", [{"a": "é"}, {"a": "b"}])
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"a": "\\u00e9"}\n{"a": "b"}\n'
    write_csv(tmp_path / "a.csv", [("name", "value"), ('a "b"\nc', 1.5)])
    assert (tmp_path / "a.csv").read_bytes() == b'name,value\r\n"a ""b""\nc",1.5\r\n'
    with (tmp_path / "a.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["name", "value"], ['a "b"\nc', "1.5"]]


def test_a_disk_that_refuses_is_one_line_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RadscribeError, match=r"file/a\.txt: could not be saved .*; free some space"):
        write_text(tmp_path / "file" / "a.txt", "x")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "no such file"), (b"{", "line 1 column 2"), (b"\xff", "utf-8"), (b"[]", "not a JSON object but a list")],
)
def test_a_file_that_is_no_json_object_is_one_line_with_the_reason_and_the_fix(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RadscribeError, match=reason) as ours:
        read_json(path)
    with pytest.raises(WrongUse, match=rf"a\.json: .*{reason}.*; give one") as given:
        read_given_json(path, "give one")
    assert not isinstance(ours.value, WrongUse) and "\n" not in f"{ours.value}{given.value}"


def test_a_json_object_is_read_either_way(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    assert read_json(tmp_path / "a.json") == read_given_json(tmp_path / "a.json", "") == {"a": 1}
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
