"""A film that the model cannot read gets no draft but the reason, in the draft, on a terminal and in the picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from radscribe.core.records import Draft, DraftSentence, Finding, WithheldSentence
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.batch import generate_files
from radscribe.drafting.gate import Judgement
from radscribe.drafting.picture import draw_draft
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.drafting.text import WIDTH, draft_text

REASON = "This film looks upside down; turn it by 180 degrees."


class DarkFilmsOnly:
    """A gate that refuses bright films and warns of all others."""

    def judge(self, views: NDArray[np.uint8]) -> list[Judgement]:
        return [
            Judgement((REASON,), (), {}, 0.0) if view.mean() > 200 else Judgement((), ("Odd.",), {}, 0.0)
            for view in views
        ]


@pytest.fixture
def reporter(checkpoint: Path) -> Reporter:
    loaded = load_reporter(checkpoint)
    loaded.gate = DarkFilmsOnly()  # type: ignore[assignment]
    return loaded


@pytest.fixture
def bright(reporter: Reporter) -> NDArray[np.uint8]:
    size = reporter.system.config.film.crop
    return np.random.default_rng(0).integers(190, 256, (size, size)).astype(np.uint8)


def test_only_the_film_that_cannot_be_read_abstains(
    reporter: Reporter, bright: NDArray[np.uint8], phantoms: PreparedDataset
) -> None:
    good = [reporter.view(phantoms.film(study)) for study in phantoms.split("test")[:2]]
    first, none, second = reporter.drafts([good[0], bright, good[1]], ["a", "b", "c"])
    assert (none.study_id, none.abstain, none.reasons, none.report, none.sentences) == ("b", True, (REASON,), "", ())
    assert not first.abstain and first.warnings == ("Odd.",)
    # What stands beside it in the batch changes nothing.
    alone = load_reporter(reporter.folder).drafts([good[1]], ["c"])[0]
    assert (second.report, second.findings, second.warnings) == (alone.report, alone.findings, ("Odd.",))


def test_files_tell_why_and_a_film_can_be_drafted_anyway(
    reporter: Reporter, bright: NDArray[np.uint8], tmp_path: Path
) -> None:
    film = tmp_path / "film.png"
    Image.fromarray(bright).save(film)
    out, pictures = tmp_path / "drafts.jsonl", tmp_path / "pictures"
    assert generate_files(reporter, [film], out, pictures) == 0
    line = json.loads(out.read_text())
    assert line["abstain"] and line["reasons"] == [REASON] and line["report"] == ""
    assert (pictures / "film.png").stat().st_size > 1000
    reporter.gate = None
    generate_files(reporter, [film], out, None)
    assert not json.loads(out.read_text())["abstain"]


def test_the_verb_drafts_anyway(
    checkpoint: Path,
    bright: NDArray[np.uint8],
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    film = tmp_path / "film.png"
    Image.fromarray(bright).save(film)
    monkeypatch.setattr("radscribe.drafting.reporter.load_gate", lambda folder: DarkFilmsOnly())
    for options, abstains in (((), True), (("--anyway",), False)):
        code, out, _ = run("generate", str(film), "--checkpoint", str(checkpoint), "--evidence", "none", *options)
        assert code == 0 and json.loads(out)["abstain"] is abstains


def made() -> Draft:
    """A draft with everything that a reader is told."""
    sentence = DraftSentence(
        text="There is possibly a left pleural effusion.",
        conditions={"pleural effusion": "uncertain"},
        confidence=0.5,
        attention=((1.0,),),
        reference=None,
        unmapped="No place of the film matters to it more than others do by chance.",
        probabilities={"pleural effusion": 0.42},
        hedged=True,
    )
    return Draft(
        study_id="film",
        report=sentence.text,
        sentences=(sentence,),
        findings=(Finding("pleural effusion", "uncertain", 0.42), Finding("fracture", "not assessed", None)),
        reference=None,
        model={"name": "x", "fingerprint": "0" * 64},
        warnings=("The film may be mirrored.",),
        withheld=(WithheldSentence("No fracture.", "Not assessed: fracture."),),
    )


def test_a_draft_reads_as_a_report_with_probabilities_doubts_and_what_was_not_assessed() -> None:
    lines = draft_text(made(), "pictures/film.png").splitlines()
    assert [line.strip() for line in lines] == [
        "film",
        "There is possibly a left pleural effusion.",
        "pleural effusion possible 0.42",
        "Withheld:",
        "- “No fracture.” Not assessed: fracture.",
        "Not assessed: fracture.",
        "Warning: The film may be mirrored.",
        "Picture: pictures/film.png",
        "Research use only. Not for diagnosis.",
    ]
    assert max(map(len, lines)) <= WIDTH


def test_a_picture_is_drawn_of_a_draft_in_doubt(tmp_path: Path) -> None:
    draw_draft(made(), np.zeros((64, 64), np.uint8), tmp_path / "film.png")
    assert (tmp_path / "film.png").stat().st_size > 1000
