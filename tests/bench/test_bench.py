"""Speed tables: their files, and that both sides are measured on the same texts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from makers import NORMAL, OPACITY, report_xml, write_reports
from radscribe.bench.rows import SpeedRow, markdown, save, seconds
from radscribe.cli.main import app
from radscribe.core.errors import WrongUse


def test_a_row_tells_how_many_times_as_long_the_peer_takes(tmp_path: Path) -> None:
    rows = [SpeedRow("a", "b", "c", 0.5, 10.0, "equal", 20, 0.1), SpeedRow("d", None, "c", 1.0, None, "")]
    save(rows, tmp_path / "bench" / "speed.json")
    written = json.loads((tmp_path / "bench" / "speed.json").read_text())
    assert written["format"] == "radscribe-speed/1" and written["radscribe_version"]
    first, second = written["rows"]
    assert set(first) >= {"part", "peer", "setting", "ours_s", "peer_s", "ratio", "agreement", "floor_s"}
    assert first["ratio"] == 20 and second["ratio"] is None
    assert "20.0" in markdown(rows) and "None" not in markdown(rows)


def test_the_median_and_the_last_result_are_kept() -> None:
    results = iter(range(5))
    assert seconds(lambda: next(results), 5)[1] == 4


def test_both_sides_are_measured_and_agree(tmp_path: Path) -> None:
    pytest.importorskip("pycocoevalcap", reason="the peer is absent")
    if shutil.which("java") is None:
        pytest.skip("java is absent")
    texts = [report_xml(number, f"{(NORMAL, OPACITY)[number % 2]} Finding {number}.", []) for number in range(1, 9)]
    archive = write_reports(tmp_path / "NLMCXR_reports.tgz", texts)
    command = ["bench", "metrics", "--reports", str(archive), "--out", str(tmp_path), "--pairs", "6", "--repeats", "1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert [row["peer"] for row in rows] == ["pycocoevalcap", "pycocoevalcap, Java", None]
    assert all(float(row["agreement"].split()[-1]) < 1e-9 for row in rows[:2])


def test_preparing_is_measured_on_phantoms_or_a_folder_of_films(tmp_path: Path) -> None:
    command = ["bench", "prepare", "--out", str(tmp_path), "--repeats", "1", "--films", "1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "speed-prepare.json").read_text())["rows"]
    assert row["peer"] and "2544 x 3056" in row["setting"] and " differ by 0." in row["agreement"]
    done = CliRunner().invoke(app, [*command, "--images", str(tmp_path)])
    assert isinstance(done.exception, WrongUse) and "no JPEG file" in str(done.exception)
