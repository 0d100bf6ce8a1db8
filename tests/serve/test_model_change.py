"""Another model takes over a database only with scores within the limits, or with a reason that the log keeps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from running import Running

from radscribe.core.errors import RadscribeError
from radscribe.drafting.acceptance import Acceptance, Limit
from radscribe.drafting.scores import CheckpointScores, companions_hash, save_scores
from radscribe.serve.audit import verify
from radscribe.serve.database import AuditRow, Database, open_database
from radscribe.serve.model_change import admit
from radscribe.serve.store import DraftStore, NewDraft

LIMITS = Acceptance("test", 2, (Limit("micro_f1_13", at_least=0.25), Limit("mean_area", at_least=0.7)))
LINE = {"abstain": False, "sentences": [], "findings": []}
Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Model:
    """As much of a reporter as a change of models looks at."""

    folder: Path
    fingerprint: str


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'radscribe.db'}")
    yield database
    database.close()


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Any]:
    """Makes a checkpoint folder with these figures as its scores; with none, without scores."""

    def make(fingerprint: str, **figures: float) -> Model:
        folder = tmp_path / fingerprint
        folder.mkdir(exist_ok=True)
        (folder / "calibration.json").write_text(fingerprint)
        if figures:
            values = {name: {"value": value} for name, value in figures.items()}
            beside = companions_hash(folder)
            save_scores(CheckpointScores(fingerprint, beside, "test", "data", "full", "1", 9, values), folder)
        return Model(folder, fingerprint)

    return make


def lines(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, fingerprint and change of each line of a log, which is sound."""
    with database.reading() as session:
        assert verify(session).broken is None
        found = session.query(AuditRow).order_by(AuditRow.number)
        return [(line.action, line.fingerprint, json.loads(line.change)) for line in found]


def drafted(database: Database, fingerprint: str) -> None:
    new = NewDraft(f"id-{fingerprint}", f"study-{fingerprint}", fingerprint, LINE, [(8, 8, 8)])
    DraftStore(database).add(new, "anna")


def test_the_first_model_is_noted_and_starting_again_adds_nothing(
    database: Database, model: Callable[..., Any]
) -> None:
    first = model("first")
    for _ in range(2):
        admit(database, first, LIMITS)
        drafted(database, "first")
    assert [line[:2] for line in lines(database)] == [("model", "first"), ("drafted", "first")]
    assert lines(database)[0][2] == {"before": None, "by": "first", "companions": companions_hash(first.folder)}


def test_a_worse_model_is_refused_with_its_figure_and_nothing_is_noted(
    database: Database, model: Callable[..., Any]
) -> None:
    admit(database, model("first"), LIMITS)
    drafted(database, "first")
    before = lines(database)
    with pytest.raises(RadscribeError) as refused:
        admit(database, model("worse", micro_f1_13=0.2, mean_area=0.6), LIMITS)
    message = str(refused.value)
    assert "micro_f1_13 is 0.200, below 0.25 (and 1 more)" in message and "--accept-unscored" in message
    assert "\n" not in message and lines(database) == before


def test_one_without_scores_is_refused(database: Database, model: Callable[..., Any]) -> None:
    drafted(database, "first")  # by a version that noted no models
    with pytest.raises(RadscribeError, match=r"no scores\.json"):
        admit(database, model("other"), LIMITS)


def test_one_that_passes_is_accepted_noted_and_may_start_again(database: Database, model: Callable[..., Any]) -> None:
    admit(database, model("first"), LIMITS)
    drafted(database, "first")
    better = model("better", micro_f1_13=0.25, mean_area=0.7)
    admit(database, better, LIMITS)
    admit(database, better, LIMITS)
    drafted(database, "better")
    admit(database, better, LIMITS)
    assert [line[:2] for line in lines(database)] == [
        ("model", "first"),
        ("drafted", "first"),
        ("model", "better"),
        ("drafted", "better"),
    ]
    assert lines(database)[2][2] == {"before": "first", "by": "limits", "companions": companions_hash(better.folder)}


def test_an_override_is_noted_with_its_reason_and_what_was_missed(
    database: Database, model: Callable[..., Any]
) -> None:
    admit(database, model("first"), LIMITS)
    worse = model("worse", micro_f1_13=0.2, mean_area=0.9)
    admit(database, worse, LIMITS, "Trial on phantoms")
    admit(database, worse, LIMITS)  # it need not be said again
    change = lines(database)[1][2]
    assert change["by"] == "override" and change["reason"] == "Trial on phantoms"
    assert change["misses"] == ["micro_f1_13 is 0.200, below 0.25"] and len(lines(database)) == 2
    with pytest.raises(RadscribeError):
        admit(database, model("first"), LIMITS)  # back is a change, too


def test_an_override_that_is_not_needed_is_not_noted(database: Database, model: Callable[..., Any]) -> None:
    admit(database, model("first"), LIMITS)
    admit(database, model("better", micro_f1_13=0.3, mean_area=0.8), LIMITS, "Not needed")
    assert "reason" not in lines(database)[1][2] and lines(database)[1][2]["by"] == "limits"


def test_other_thresholds_beside_the_same_weights_are_another_model(
    database: Database, model: Callable[..., Any]
) -> None:
    first = model("first", micro_f1_13=0.3, mean_area=0.8)
    admit(database, first, LIMITS)
    drafted(database, "first")
    (first.folder / "calibration.json").write_text("lower thresholds")
    with pytest.raises(RadscribeError, match="changed since it was scored"):
        admit(database, first, LIMITS)
    admit(database, model("first", micro_f1_13=0.3, mean_area=0.8), LIMITS)


def test_the_command_refuses_and_takes_a_reason(checkpoint: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    database = open_database(f"sqlite:///{data / 'radscribe.db'}")
    drafted(database, "f" * 64)
    shutil.copytree(checkpoint, tmp_path / "model")
    options = ("--checkpoint", str(tmp_path / "model"), "--data", str(data))
    with pytest.raises(AssertionError) as refused:
        Running(*options).kill()
    line = "radscribe: --checkpoint model: it may not take the place of the model ffffffffffff: it has no scores.json"
    assert line in str(refused.value) and str(refused.value).count("\n") == 1
    service = Running(*options, "--accept-unscored", "Trial on phantoms")
    service.stop()
    assert lines(database)[-1][2]["reason"] == "Trial on phantoms"
    database.close()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--accept-unscored", " "), "give the reason in"),
        (("--accept-unscored", "two\nlines of it"), "give the reason in"),
        (("--acceptance", "nowhere.yaml"), "no such file of limits"),
    ],
)
def test_a_wrong_override_is_one_line(options: tuple[str, str], reason: str, run: Run, tmp_path: Path) -> None:
    code, out, err = run("serve", "--port", "0", "--data", str(tmp_path), *options)
    assert code in (1, 2) and not out and err.count("\n") == 1 and reason in err
