"""Another model drafts into a list of studies only with scores within the limits, or with a reason that is kept."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_archive import FakeArchive
from receiving import Receiving

from radscribe.core.errors import RadscribeError
from radscribe.drafting.acceptance import Acceptance, Limit
from radscribe.drafting.reporter import load_reporter
from radscribe.drafting.scores import CheckpointScores, companions_hash, save_scores
from radscribe.pacs.model_change import admit
from radscribe.pacs.state import WorkState, opened_state

LIMITS = Acceptance("test", 2, (Limit("micro_f1_13", at_least=0.25), Limit("mean_area", at_least=0.7)))
FILE = "split: test\nleast_studies: 2\nlimits:\n- {figure: micro_f1_13, at_least: 0.25}\n"
OTHER = "f" * 64
Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Model:
    """As much of a reporter as a change of models looks at."""

    folder: Path
    fingerprint: str


def score(folder: Path, fingerprint: str, **figures: float) -> None:
    """Write these figures as the scores of a checkpoint."""
    values = {name: {"value": value} for name, value in figures.items()}
    save_scores(CheckpointScores(fingerprint, companions_hash(folder), "test", "data", "full", "1", 9, values), folder)


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Any]:
    """Makes a checkpoint folder with these figures as its scores; with none, without scores."""

    def make(fingerprint: str, **figures: float) -> Model:
        folder = tmp_path / fingerprint
        folder.mkdir(exist_ok=True)
        (folder / "calibration.json").write_text(fingerprint)
        if figures:
            score(folder, fingerprint, **figures)
        return Model(folder, fingerprint)

    return make


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WorkState]:
    with opened_state(tmp_path / "list.db") as opened:
        yield opened


def notes(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The fingerprint and the change of each model that a list notes."""
    connection = sqlite3.connect(path)
    found = [(fingerprint, json.loads(change)) for fingerprint, change in connection.execute(
        "SELECT fingerprint, change FROM models ORDER BY number")]  # fmt: skip
    connection.close()
    return found


def test_the_first_model_is_noted_and_starting_again_adds_nothing(
    state: WorkState, model: Callable[..., Any], tmp_path: Path
) -> None:
    first = model("first")
    assert [admit(state, first, LIMITS) for _ in range(2)] == ["", ""]
    state.add("a study", "first", 0.0)
    assert admit(state, first, LIMITS) == ""
    companions = companions_hash(first.folder)
    assert notes(tmp_path / "list.db") == [("first", {"companions": companions, "before": None, "by": "first"})]


def test_a_worse_model_is_refused_with_its_figure_and_nothing_is_noted(
    state: WorkState, model: Callable[..., Any], tmp_path: Path
) -> None:
    admit(state, model("first"), LIMITS)
    with pytest.raises(RadscribeError) as refused:
        admit(state, model("worse", micro_f1_13=0.2, mean_area=0.6), LIMITS)
    message = str(refused.value)
    assert "of the model first: micro_f1_13 is 0.200, below 0.25 (and 1 more); keep that model, or" in message
    assert "--accept-unscored with the reason, which the list of studies keeps" in message and "\n" not in message
    assert [name for name, _ in notes(tmp_path / "list.db")] == ["first"]


def test_one_that_passes_is_accepted_and_said(state: WorkState, model: Callable[..., Any], tmp_path: Path) -> None:
    admit(state, model("first"), LIMITS)
    better = model("better", micro_f1_13=0.25, mean_area=0.7)
    line = admit(state, better, LIMITS, "It is not needed")
    assert line == "the model better drafts from now on, not first: its scores keep the limits"
    assert admit(state, better, LIMITS) == ""
    assert [(name, change["by"]) for name, change in notes(tmp_path / "list.db")] == [
        ("first", "first"),
        ("better", "limits"),
    ]
    assert "reason" not in notes(tmp_path / "list.db")[1][1]


def test_an_override_is_noted_with_its_reason_and_what_was_missed(
    state: WorkState, model: Callable[..., Any], tmp_path: Path
) -> None:
    admit(state, model("first"), LIMITS)
    worse = model("worse", micro_f1_13=0.2, mean_area=0.9)
    line = admit(state, worse, LIMITS, "Trial on phantoms")
    assert line.endswith(": micro_f1_13 is 0.200, below 0.25; accepted for the reason: Trial on phantoms")
    assert admit(state, worse, LIMITS) == ""  # it need not be said again
    change = notes(tmp_path / "list.db")[1][1]
    assert (change["by"], change["before"], change["reason"]) == ("override", "first", "Trial on phantoms")
    assert change["misses"] == ["micro_f1_13 is 0.200, below 0.25"]
    with pytest.raises(RadscribeError):
        admit(state, model("first"), LIMITS)  # back is a change, too


def test_other_thresholds_beside_the_same_weights_are_another_model(
    state: WorkState, model: Callable[..., Any]
) -> None:
    first = model("first", micro_f1_13=0.3, mean_area=0.8)
    admit(state, first, LIMITS)
    (first.folder / "calibration.json").write_text("lower thresholds")
    with pytest.raises(RadscribeError, match="changed since it was scored"):
        admit(state, first, LIMITS)


def test_a_list_that_noted_no_models_knows_that_of_its_latest_study(
    state: WorkState, model: Callable[..., Any]
) -> None:
    state.add("a", "before", 0.0)
    state.add("b", "first", 0.0)
    with pytest.raises(RadscribeError, match="place of the model first: it has no scores"):
        admit(state, model("before"), LIMITS)
    assert admit(state, model("first"), LIMITS) == ""


@pytest.fixture
def arguments(fake: FakeArchive, tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """For each verb, its options for a list in which another model drafted last."""
    data = tmp_path / "data"
    with opened_state(data / "studies.db") as opened:
        opened.note_model(OTHER, {"companions": "others"})
    return {
        "worklist": ("--dicomweb", fake.url, "--once", "--state", str(data / "studies.db")),
        "receive": ("--out", str(tmp_path / "out"), "--data", str(data), "--port", "0"),
    }


@pytest.fixture
def copied(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, which has no scores."""
    return Path(shutil.copytree(checkpoint, tmp_path / "model"))


@pytest.mark.parametrize("verb", ["worklist", "receive"])
def test_a_verb_refuses_in_one_line(
    verb: str, arguments: dict[str, tuple[str, ...]], copied: Path, run: Run, fake: FakeArchive
) -> None:
    code, out, err = run(verb, *arguments[verb], "--checkpoint", str(copied))
    assert code == 1 and not out and not fake.asked
    assert err == (
        "radscribe: --checkpoint model: it may not take the place of the model ffffffffffff: it has no scores.json, "
        "which `radscribe evaluate --card` writes; keep that model, or give --accept-unscored with the reason, which "
        "the list of studies keeps\n"
    )


def test_worklist_accepts_scores_within_the_limits_of_a_file(
    arguments: dict[str, tuple[str, ...]], copied: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "limits.yaml").write_text(FILE)
    options = (
        "worklist",
        *arguments["worklist"],
        "--checkpoint",
        str(copied),
        "--acceptance",
        str(tmp_path / "limits.yaml"),
    )
    fingerprint = load_reporter(copied).fingerprint
    score(copied, fingerprint, micro_f1_13=0.24)
    code, _, err = run(*options)
    assert code == 1 and "micro_f1_13 is 0.240, below 0.25; keep that model" in err
    score(copied, fingerprint, micro_f1_13=0.26)
    code, _, err = run(*options)
    said = f"radscribe: the model {fingerprint[:12]} drafts from now on, not ffffffffffff: its scores keep the limits\n"
    assert code == 0 and said in err
    code, _, err = run(*options[:-2])  # the limits of the package are asked no more
    assert code == 0 and "drafts from now on" not in err


def test_both_verbs_take_a_reason_and_keep_it(
    arguments: dict[str, tuple[str, ...]], copied: Path, run: Run, tmp_path: Path
) -> None:
    options = ("--checkpoint", str(copied), "--accept-unscored", "Trial on phantoms")
    service = Receiving(*arguments["receive"], *options)
    service.kill()
    assert "accepted for the reason: Trial on phantoms\n" in service.log()
    with opened_state(tmp_path / "data" / "studies.db") as opened:
        opened.note_model(OTHER, {"companions": "others"})
    code, _, err = run("worklist", *arguments["worklist"], *options)
    assert code == 0 and "accepted for the reason: Trial on phantoms\n" in err
    kept = [change.get("reason") for _, change in notes(tmp_path / "data" / "studies.db")]
    assert kept == [None, "Trial on phantoms", None, "Trial on phantoms"]


@pytest.mark.parametrize("verb", ["worklist", "receive"])
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--accept-unscored", " "), "give the reason in"),
        (("--acceptance", "nowhere.yaml"), "no such file of limits"),
    ],
)
def test_a_wrong_override_is_one_line(
    verb: str, options: tuple[str, str], reason: str, arguments: dict[str, tuple[str, ...]], run: Run
) -> None:
    code, out, err = run(verb, *arguments[verb], *options)
    assert code == 2 and not out and err.count("\n") == 1 and reason in err
