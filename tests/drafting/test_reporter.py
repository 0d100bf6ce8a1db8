"""Film in, draft out; files in, lines out."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radscribe.core.errors import RadscribeError
from radscribe.data.dataset import PreparedDataset
from radscribe.drafting.batch import study_ids
from radscribe.drafting.checkpoint import save_checkpoint
from radscribe.drafting.reporter import Reporter, load_reporter
from radscribe.labels.conditions import CONDITIONS, STATES
from radscribe.models.revtaf import Revtaf

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def film(phantoms: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "film.png"
    Image.fromarray(phantoms.film(phantoms.split("test")[0])).save(path)
    return path


def test_a_draft_carries_its_evidence(checkpoint: Path, film: Path) -> None:
    draft = load_reporter(checkpoint).draft(film)
    assert draft.study_id == "film" and draft.notice == "Research use only. Not for diagnosis."
    assert [finding.condition for finding in draft.findings] == list(CONDITIONS)
    assert draft.sentences and draft.report == " ".join(sentence.text for sentence in draft.sentences)
    for sentence in draft.sentences:
        weights = np.array(sentence.attention)
        assert weights.shape == (4, 4) and math.isclose(weights.sum(), 1.0, abs_tol=1e-3)
        assert 0 < sentence.confidence <= 1
        assert sentence.reference and -1.001 <= sentence.reference.similarity <= 1.001
    assert draft.reference and draft.reference.distance >= 0
    json.dumps(asdict(draft), allow_nan=False)


def test_findings_are_told_as_likely_as_training_fitted_them(checkpoint: Path, phantoms: PreparedDataset) -> None:
    reporter = load_reporter(checkpoint)
    model = reporter.system.model
    assert isinstance(model, Revtaf)
    view = reporter.view(phantoms.film(phantoms.split("test")[0]))
    model.classification.positive_rates.fill_(1e-6)  # of conditions this rare none is likely
    logits = reporter.see([view]).state_logits[0]  # type: ignore[attr-defined]
    expected, states = model.classification.probabilities(logits).max(-1)
    findings = reporter.drafts([view], ["a"])[0].findings
    assert [finding.state for finding in findings] == [STATES[state] for state in states.tolist()]
    np.testing.assert_allclose([finding.probability for finding in findings], expected, atol=1e-4)
    assert "positive" not in {finding.state for finding in findings}


def test_drafting_takes_the_threads_of_the_training(
    checkpoint: Path, film: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(checkpoint, tmp_path / "checkpoint")
    before, taken = torch.get_num_threads(), []
    assert load_reporter(copy).threads == 1  # its recipe does not say, and it is small
    config = json.loads((copy / "config.json").read_text())
    config["recipe"]["training"]["threads"] = before + 1
    (copy / "config.json").write_text(json.dumps(config))
    drafts = Reporter.drafts
    monkeypatch.setattr(Reporter, "drafts", lambda *given: taken.append(torch.get_num_threads()) or drafts(*given))
    assert run("generate", str(film), "--checkpoint", str(copy))[0] == 0
    assert taken == [before + 1] and torch.get_num_threads() == before


def test_a_film_is_drafted_alike_alone_and_among_others(checkpoint: Path, phantoms: PreparedDataset) -> None:
    reporter = load_reporter(checkpoint)
    views = [reporter.view(phantoms.film(study)) for study in phantoms.split("test")[:4]]
    together = reporter.drafts(views, list("abcd"))
    for view, name, draft in zip(views, "abcd", together, strict=True):
        assert reporter.drafts([view], [name])[0].report == draft.report


def test_no_word_depends_on_the_dataset_once_trained(
    checkpoint: Path, phantoms: PreparedDataset, film: Path, tmp_path: Path
) -> None:
    """A film's own report and labels cannot reach its draft: they need not even be on the disk."""
    expected = load_reporter(checkpoint).draft(film)
    alone = Path(shutil.copytree(checkpoint, tmp_path / "alone"))
    hidden = phantoms.folder.rename(phantoms.folder.with_name("hidden"))
    try:
        assert load_reporter(alone).draft(film) == expected
    finally:
        hidden.rename(phantoms.folder)


def test_generate_writes_a_line_for_each_file_and_goes_on_past_bad_ones(
    checkpoint: Path, film: Path, tmp_path: Path, run: Run
) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    text = tmp_path / "text.jpg"
    text.write_text("no film")
    files = [str(path) for path in (cut, film, text, tmp_path / "absent.dcm", film)]
    out, pictures = tmp_path / "drafts.jsonl", tmp_path / "pictures"
    code, _, error = run(
        "generate", *files, "--checkpoint", str(checkpoint), "--out", str(out), "--picture", str(pictures)
    )
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert code == 1
    assert ["refused" in line for line in lines] == [True, False, True, True, False]
    assert [line["study_id"] for line in lines if "study_id" in line] == ["film", "film-2"]
    assert all(line["format"] == "radscribe-draft/1" for line in lines)
    drafts = [line for line in lines if "study_id" in line]
    maps = [sentence["map"] for draft in drafts for sentence in draft["sentences"] if sentence["evidence"]]
    assert all(sentence["slots"] == [] for draft in drafts for sentence in draft["sentences"])
    drawn = {path.name for path in pictures.iterdir()}
    assert drawn == {"film.png", "film-2.png", *(Path(path).name for path in maps)}
    assert len(set(maps)) == len(maps) and all(Path(path).exists() for path in maps)
    assert "Traceback" not in error and "cut.png" in error


def test_a_good_batch_exits_with_0_and_prints_to_the_screen(checkpoint: Path, film: Path, run: Run) -> None:
    code, output, _ = run("generate", str(film), "--checkpoint", str(checkpoint))
    assert code == 0
    assert json.loads(output)["model"]["name"] == "tiny"


def test_a_folder_stands_for_its_films_through_links_and_whatever_their_names(
    checkpoint: Path, film: Path, tmp_path: Path, run: Run
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for path in (here / "top.png", here / "IM0002", elsewhere / "linked.png"):
        path.parent.mkdir(exist_ok=True)
        shutil.copy(film, path)
    (here / "notes.txt").write_text("no film")
    (here / "patient1").symlink_to("../elsewhere")
    (elsewhere / "back").symlink_to("../here")
    code, output, error = run("generate", str(here), "--checkpoint", str(checkpoint))
    sources = [json.loads(line)["source"] for line in output.splitlines()]
    assert code == 0 and [str(Path(each).relative_to(here)) for each in sources] == [
        "IM0002",
        "patient1/linked.png",
        "top.png",
    ]
    assert f"{here}: 1 files passed over: no DICOM, PNG or JPEG" in error


def test_the_given_link_is_followed_or_named(checkpoint: Path, shared_cases: Path, tmp_path: Path, run: Run) -> None:
    case = Path(shutil.copytree(shared_cases / "linked-folder", tmp_path / "case"))
    (case / "here").chmod(0o755)
    _, output, error = run("generate", str(case / "here"), "--checkpoint", str(checkpoint))
    assert "1 files passed over" in error  # where the link came as a file that holds its target
    (case / "here" / "patient1").unlink()
    (case / "here" / "patient1").symlink_to("../elsewhere")
    _, output, error = run("generate", str(case / "here"), "--checkpoint", str(checkpoint))
    assert len(output.splitlines()) == 2 and "passed over" not in error


def test_wrong_use_exits_with_2(checkpoint: Path, tmp_path: Path, run: Run) -> None:
    assert run("generate")[0] == 2
    assert run("generate", str(tmp_path), "--checkpoint", str(checkpoint))[0] == 2  # a folder without films
    assert run("paint")[0] == 2


def test_names_that_stand_twice_are_numbered() -> None:
    assert study_ids([Path("a/1.png"), Path("b/1.png"), Path("1-2.dcm")]) == ["1", "1-2", "1-2-2"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": "radscribe-checkpoint/1"}'])
def test_a_damaged_config_is_one_line(checkpoint: Path, film: Path, tmp_path: Path, run: Run, content: str) -> None:
    broken = Path(shutil.copytree(checkpoint, tmp_path / "broken"))
    (broken / "config.json").write_text(content)
    code, _, error = run("generate", str(film), "--checkpoint", str(broken))
    assert code == 1 and error.count("\n") == 1 and "broken" in error, error


def test_an_unknown_device_is_wrong_use(checkpoint: Path, film: Path, run: Run) -> None:
    for device in ("gpu0", "cuda:99"):
        code, _, error = run("generate", str(film), "--checkpoint", str(checkpoint), "--device", device)
        assert code == 2 and error.count("\n") == 1 and f"--device {device}" in error


def test_a_saved_reporter_keeps_its_records_and_a_full_disk_keeps_the_old_one(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = load_reporter(checkpoint)
    reporter.save_pretrained(tmp_path / "saved")
    assert {"training.jsonl", "curves.png", "MODEL_CARD.md"} <= {path.name for path in (tmp_path / "saved").iterdir()}
    before = {path: path.read_bytes() for path in (tmp_path / "saved").rglob("*") if path.is_file()}
    with torch.no_grad():
        next(reporter.system.model.parameters()).add_(1.0)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("radscribe.drafting.checkpoint.save_index", full)  # the weights are written by then
    with pytest.raises(RadscribeError, match="No space left"):  # what `radscribe train` does over an older checkpoint
        save_checkpoint(tmp_path / "saved", reporter.system, {}, half=True, texts=True)
    after = {path: path.read_bytes() for path in (tmp_path / "saved").rglob("*") if path.is_file()}
    assert after == before
