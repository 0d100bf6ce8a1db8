"""An output is never an input, by whatever name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from radscribe.core.errors import WrongUse
from radscribe.core.outputs import keep_inputs


def test_an_input_is_found_by_name_link_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, folder = tmp_path / "given.json", tmp_path / "folder"
    given.write_text("{}")
    folder.mkdir()
    (tmp_path / "soft.json").symlink_to(given)
    os.link(given, tmp_path / "hard.json")
    (tmp_path / "linked").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for output in ("given.json", "./folder/../given.json", "soft.json", "hard.json", "linked/given.json", str(given)):
        with pytest.raises(WrongUse, match=r"would replace the input .*given\.json; name another place"):
            keep_inputs([None, Path(output)], [None, given])
        with pytest.raises(WrongUse):
            keep_inputs([given], [folder, Path(output)])
    with pytest.raises(WrongUse):
        keep_inputs([folder], [Path("linked/folder")])


def test_a_file_that_stands_where_the_output_is_begun_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.json.partial").write_text("{}")
    with pytest.raises(WrongUse, match=r"a\.json: writing it would replace"):
        keep_inputs([tmp_path / "a.json"], [tmp_path / "a.json.partial"])


def test_other_files_may_be_replaced(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("same")
    keep_inputs([tmp_path / "a.json", tmp_path / "new" / "c.json", tmp_path], [tmp_path / "b.json", tmp_path / "none"])
    keep_inputs([Path(), Path("/")], [tmp_path / "a.json", Path("a\0b")])
