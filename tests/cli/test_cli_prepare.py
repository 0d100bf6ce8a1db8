"""``radscribe prepare`` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from makers import small_table
from radscribe.cli.prepare import app


@pytest.mark.parametrize("verb", ["mimic-cxr", "iu-xray", "dicom", "table", "annotation", "phantom", "unpaired"])
def test_every_verb_shows_an_example(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert f"radscribe prepare {verb} " in result.output


def test_a_table_is_prepared_and_summed_up(tmp_path: Path) -> None:
    table, films = small_table(tmp_path, 12)
    (films / "3.png").write_bytes(b"broken")
    arguments = ["--table", str(table), "--images", str(films), "--out", str(tmp_path / "out"), "--workers", "1"]
    result = CliRunner().invoke(app, ["table", *arguments])
    assert result.exit_code == 0, result.output
    assert "train" in result.output
    assert f"2 set aside; reasons in {tmp_path / 'out' / 'rejected.csv'}" in result.output


def test_duplicates_are_dropped_by_name_and_reported(tmp_path: Path) -> None:
    table, films = small_table(tmp_path, 12)
    text = table.read_text()
    for number in range(12):
        text = text.replace(f"Study {number}.", "")
    table.write_text(text)
    arguments = ["--table", str(table), "--images", str(films), "--out", str(tmp_path / "out"), "--workers", "1"]
    result = CliRunner().invoke(app, ["table", *arguments, "--drop", "identical-reports"])
    assert result.exit_code == 0, result.output
    assert "studies dropped for identical reports in a split that takes precedence" in result.output
    assert CliRunner().invoke(app, ["table", *arguments, "--drop", "patients"]).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [["phantom", "--studies", "0", "--out", "x"], ["phantom"], ["table", "--table", "none.csv", "--out", "x"], ["mri"]],
)
def test_wrong_use_exits_with_two(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
