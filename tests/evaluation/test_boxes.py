"""Maps beside radiologists' boxes: where a box lies in the view, what counts as a hit, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.records import DraftSentence
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.evidence_maps import stated_map
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.evaluation.boxes import ATTENTION, OTHER, OWN, STATED, BoxedFinding, read_boxes, score_boxes
from radscribe.labels.conditions import CONDITIONS, POSITIVE
from radscribe.models.revtaf import Revtaf

Run = Callable[..., tuple[int, str, str]]
EFFUSION, OPACITY = CONDITIONS.index("pleural effusion"), CONDITIONS.index("lung opacity")
HEAD = "image,label,x,y,w,h\n"


@pytest.fixture
def images(phantoms: PreparedDataset, tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for number, study in enumerate(phantoms.split("test")[:2]):
        film = Image.fromarray(phantoms.film(study)).resize((200, 200))
        film.crop((0, 40, 200, 140)).save(folder / f"film-{number}.png")  # twice as wide as high
    return folder


def table(folder: Path, rows: str) -> Path:
    path = folder / "boxes.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    return path


def test_boxes_of_one_finding_are_one_and_labels_are_read_as_in_a_report(images: Path, tmp_path: Path) -> None:
    rows = "film-0.png,Lung Opacity,1,2,30,40\nfilm-0.png,Infiltrate,50,60,7,8\nfilm-1.png,Effusion,1,1,5,5\n"
    found, passed_over = read_boxes(table(tmp_path, rows + "film-1.png,Cat,1,1,5,5\n"), images)
    assert found == [
        BoxedFinding(images / "film-0.png", OPACITY, ((1, 2, 30, 40), (50, 60, 7, 8))),
        BoxedFinding(images / "film-1.png", EFFUSION, ((1, 1, 5, 5),)),
    ]
    assert passed_over == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("none.png,Effusion,1,1,5,5", r"boxes.csv:2: .*films has no such film"),
        ("film-0.png,Effusion,left,1,5,5", "boxes.csv:2: x, y, w and h must be numbers"),
        ("film-0.png,Effusion,1,1,0,5", "boxes.csv:2: a box needs a width and a height above 0"),
        ("film-0.png,Effusion,nan,1,5,5", "boxes.csv:2: a box needs a width"),
    ],
)
def test_a_row_that_is_no_box_is_refused_with_its_line(row: str, message: str, images: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=message):
        read_boxes(table(tmp_path, row + "\n"), images)


def pointing(monkeypatch: pytest.MonkeyPatch, reporter: Reporter, row: int, column: int, says: str) -> None:
    """Lets every map of an effusion peak in one cell of 4 x 4, and the draft say ``says``."""
    maps = np.zeros((1, 18, 4, 4), np.float32)
    maps[0, EFFUSION, row, column] = 1
    shown = stated_map(maps[0], [POSITIVE if number == EFFUSION else 0 for number in range(18)])
    sentence = DraftSentence(
        says, {"pleural effusion": "positive"}, 0.5, ((1.0, 0.0), (0.0, 0.0)), None, evidence=shown
    )
    silent = replace(sentence, conditions={}, evidence=None)
    drafts = reporter.drafts

    def drafted(views: list[np.ndarray], names: list[str]) -> list[object]:
        return [replace(draft, sentences=(sentence if says else silent,)) for draft in drafts(views, names)]

    monkeypatch.setattr(reporter, "activations", lambda films: maps)
    monkeypatch.setattr(reporter, "drafts", drafted)


def test_a_box_is_where_the_film_shows_it_and_a_peak_hits_by_its_centre(
    images: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The film is centred on black: its upper right quarter is the second row's right half of the view."""
    findings = [
        BoxedFinding(images / "film-0.png", EFFUSION, ((100, 0, 100, 50),)),
        BoxedFinding(images / "film-1.png", EFFUSION, ((0, 50, 100, 50),)),
    ]
    for row, column, own, other in ((1, 3, 0.5, 0.5), (0, 3, 0.0, 0.0), (3, 3, 0.0, 0.0)):
        reporter = load_reporter(checkpoint)
        pointing(monkeypatch, reporter, row, column, "There is an effusion." if row == 1 else "")
        hits = score_boxes(reporter, findings).hits
        assert (hits[OWN].findings, hits[OWN].in_box.value) == (2, own)  # the first film's box, not the second's
        assert hits[OTHER].in_box.value == other
        assert hits[OWN].chance == pytest.approx(1 / 8, abs=0.03)
        assert hits[OWN].at_edge == 1.0
        assert (STATED in hits) == (ATTENTION in hits) == (row == 1)
        if row == 1:
            assert hits[STATED].in_box.value == 0.5 and hits[ATTENTION].in_box.value == 0.0


def test_a_condition_of_ten_findings_has_a_row_of_its_own(
    images: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = load_reporter(checkpoint)
    pointing(monkeypatch, reporter, 1, 3, "")
    for number in range(10):
        (images / f"copy-{number}.png").write_bytes((images / "film-0.png").read_bytes())
    findings = [BoxedFinding(images / f"copy-{number}.png", EFFUSION, ((100, 0, 100, 50),)) for number in range(10)]
    hits = score_boxes(reporter, findings).hits
    assert hits[f"{OWN}: pleural effusion"].in_box.value == hits[OTHER].in_box.value == 1.0


def test_without_findings_or_maps_nothing_is_tested(
    images: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = load_reporter(checkpoint)
    with pytest.raises(RadscribeError, match="no row of the boxes names a condition"):
        score_boxes(reporter, [])
    monkeypatch.setattr(Revtaf, "state_head", None)
    with pytest.raises(RadscribeError, match="tells no conditions"):
        score_boxes(reporter, [BoxedFinding(images / "film-0.png", EFFUSION, ((0, 0, 9, 9),))])


def test_the_verb_prints_a_table_and_writes_its_figures(
    images: Path, checkpoint: Path, tmp_path: Path, run: Run
) -> None:
    boxes = table(tmp_path, "film-0.png,Effusion,10,10,80,60\nfilm-1.png,Cat,1,1,5,5\n")
    arguments = ("boxes", str(boxes), "--images", str(images), "--checkpoint", str(checkpoint))
    code, shown, error = run(*arguments, "--out", str(tmp_path / "found.json"))
    assert code == 0 and "| map of the condition | 1 |" in shown and "1 boxes passed over" in error
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["format"] == "radscribe-boxes/1" and found["hits"][OWN]["findings"] == 1
    code, _, error = run(*arguments, "--out", str(images / "film-0.png"))
    assert code == 2 and error.count("\n") == 1
