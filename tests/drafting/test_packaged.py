"""The checkpoint that comes with the package: small, without anybody's report text, and ready to draft."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from typer.testing import CliRunner

import radscribe
from radscribe.cli.main import app
from radscribe.core.records import NOTICE
from radscribe.drafting.reporter import packaged_checkpoint

LARGEST = 25 * 10**6  # bytes


def film() -> np.ndarray:
    """A grey film, brighter in the middle; what it shows does not matter here."""
    row = np.hanning(512)[:, None] * np.hanning(480)[None]
    return (40 + 180 * row).astype(np.uint8)


def test_it_is_small_and_holds_no_report_text() -> None:
    folder = packaged_checkpoint()
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) <= LARGEST
    assert "report" not in pq.read_schema(folder / "index" / "studies.parquet").names


def test_it_is_the_default_and_tells_the_reference_without_its_text() -> None:
    draft = radscribe.load().draft(film())
    assert draft.notice == NOTICE and draft.model["name"] == "revtaf-iu-small"
    assert draft.sentences and draft.reference is not None
    assert draft.reference.study_id and draft.reference.report is None


def test_texts_attach_from_the_public_reports_and_change_no_word(shared_data: Path, tmp_path: Path) -> None:
    reports = shared_data / "iu_xray" / "NLMCXR_reports.tgz"
    copy = tmp_path / "checkpoint"
    shutil.copytree(packaged_checkpoint(), copy)
    before = radscribe.load(copy).draft(film())
    done = CliRunner().invoke(app, ["index", "attach", "--reports", str(reports), "--checkpoint", str(copy)])
    assert done.exit_code == 0, done.output
    after = radscribe.load(copy).draft(film())
    assert after.report == before.report and after.model == before.model
    assert before.reference and after.reference
    assert after.reference.study_id == before.reference.study_id and after.reference.report
    assert all(sentence.reference and sentence.reference.sentence for sentence in after.sentences)
