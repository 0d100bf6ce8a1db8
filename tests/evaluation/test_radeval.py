"""The adapter to RadEval: what it asks for and what it does with the answer.

A package of the same interface stands where RadEval would be installed; it scores by shared words.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from radscribe.cli.main import app
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.evaluation.radeval import run_radeval, with_radeval
from radscribe.evaluation.scorecard.card import score

PACKAGE = """
class RadEval:
    def __init__(self, metrics=None, per_sample=False, show_progress=True):
        assert per_sample and len(metrics) == 1
        self.name = metrics[0]

    def __call__(self, refs, hyps):
        print("models print")
        if self.name == "green":
            raise RuntimeError("no such model\\nsecond line")
        if self.name == "ratescore":
            return {"ratescore": [float("nan")] * len(refs)}
        shared = [len(set(a.split()) & set(b.split())) / len(set(a.split())) for a, b in zip(refs, hyps)]
        return {f"{self.name}_simple": shared}
"""


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "site" / "radeval").mkdir(parents=True)
    (tmp_path / "site" / "radeval" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "site" / "radeval-2.9.dist-info").mkdir()
    (tmp_path / "site" / "radeval-2.9.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: radeval\nVersion: 2.9\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    return Path(sys.executable)


def test_each_metric_gives_a_number_a_study_and_a_failure_loses_no_other(python: Path) -> None:
    found = run_radeval(python, ["a b", "c"], ["a x", "c"], ("radgraph", "green"))
    assert found.version == "2.9"
    np.testing.assert_array_equal(found.values["radgraph_simple"], [0.5, 1.0])
    assert found.errors == {"green": "RuntimeError: no such model"}


def test_a_scorecard_holds_means_with_intervals_and_says_what_is_missing(python: Path) -> None:
    reports = {"2": "c", "1": "a b"}
    card = score(reports, {"1": "a x", "2": "c"}, resamples=50)
    ids = card.per_study.study_ids
    found = run_radeval(python, [reports[name] for name in ids], ["a x", "c"], ("radgraph", "green", "ratescore"))
    card = with_radeval(card, found)
    figure = card.radeval["radgraph_simple"]
    assert (figure.value, figure.low, figure.high) == (0.75, 0.5, 1.0)
    assert card.missing["radeval green"] == "RuntimeError: no such model"
    assert "no finite number" in card.missing["radeval ratescore"]
    assert card.signature["radeval"] == "2.9"
    assert card.per_study.table()["radeval_radgraph_simple"].to_pylist() == [0.5, 1.0]


def test_the_command_line_asks_radeval_in_the_order_of_the_scorecard(python: Path, tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text(json.dumps({"2": "c", "1": "a b"}))
    (tmp_path / "r.json").write_text(json.dumps({"1": "a x", "2": "c"}))
    arguments = ["score", "--hypotheses", "h.json", "--references", "r.json", "--out", "card.json", "--metrics", "bleu"]
    arguments += ["--radeval", str(python), "--radeval-metrics", "radgraph"]
    result = CliRunner().invoke(app, [str(tmp_path / x) if x.endswith(".json") else x for x in arguments])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "card.json").read_text())["radeval"]["radgraph_simple"]["value"] == 0.75
    assert "radgraph_simple" in result.output


def test_without_radeval_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="python3 -m venv"):
        run_radeval(tmp_path / "python", ["a"], ["a"])
    with pytest.raises(WrongUse, match="'bleu' is not one of radgraph"):
        run_radeval(Path(sys.executable), ["a"], ["a"], ("bleu",))
    with pytest.raises(RadscribeError, match=r"RadEval cannot be imported.*pip install 'radeval>=2'"):
        run_radeval(Path(sys.executable), ["a"], ["a"])
