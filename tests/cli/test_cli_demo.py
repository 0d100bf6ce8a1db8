"""What ``make demo`` leaves: the page opens on its three drafts."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radscribe.cli.demo import draft_films, page_command
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.batch import draft_line
from radscribe.drafting.reporter import load_reporter
from radscribe.imaging.film import read_film


def test_the_films_it_writes_are_drafted_again_as_it_drafted_them(
    checkpoint: Path, phantoms: PreparedDataset, tmp_path: Path
) -> None:
    reporter = load_reporter(checkpoint)
    studies = phantoms.split("test")[:2]
    draft_films(reporter, phantoms, studies, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "drafts.jsonl").read_text().splitlines()]
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["film-1.png", "film-2.png"]
    for number, (study, line) in enumerate(zip(studies, lines, strict=True), 1):
        path = tmp_path / "films" / f"film-{number}.png"
        assert np.array_equal(np.asarray(Image.open(path)), phantoms.film(study))
        view = reporter.view(read_film(path).pixels)
        (draft,) = reporter.drafts([view], [study.study_id])
        assert json.loads(json.dumps(draft_line(draft))) == line


def test_its_last_line_is_a_command_that_serves_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    command = page_command(Path("demo"), "0123456789abcdef")
    assert command == (
        ".venv/bin/radscribe serve --checkpoint demo/checkpoint --data demo/page-01234567 --open demo/films"
    )
    monkeypatch.setattr(sys, "executable", "/opt/python")
    assert shlex.split(page_command(Path("my demo"), "0" * 64))[:4] == [
        "/opt/radscribe", "serve", "--checkpoint", "my demo/checkpoint"
    ]  # fmt: skip
