"""The adapter to RadEval: what it asks for and what it does with the answer.

A package of RadEval 2.2's interface stands where RadEval would be installed; it scores by shared words. Names, figures
and modes are those of the real package, which needs models to be downloaded.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from radscribe.cli.main import app
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.evaluation.language_judge import Judge
from radscribe.evaluation.other_packages import OtherScores, run_package, with_scores
from radscribe.evaluation.radeval import RADEVAL, RADEVAL_METRICS, require_radeval
from radscribe.evaluation.scorecard.card import score

# By metric of RadEval 2.2: figures of each study (per_sample), then those of the whole set alone (detailed).
FIGURES = {
    "bleu": ("bleu", "bleu bleu_1 bleu_2 bleu_3"),
    "rouge": ("rouge1 rouge2 rougeL", ""),
    "bertscore": ("bertscore", ""),
    "radeval_bertscore": ("radeval_bertscore", ""),
    "f1chexbert": (
        "f1chexbert_sample_acc_5 f1chexbert_sample_acc_all",
        "f1chexbert_5_micro_f1 f1chexbert_all_micro_f1 f1chexbert_5_macro_f1 f1chexbert_all_macro_f1 "
        "f1chexbert_5_weighted_f1 f1chexbert_all_weighted_f1",
    ),
    "f1radbert_ct": (
        "f1radbert_ct_sample_acc",
        "f1radbert_ct_accuracy f1radbert_ct_micro_f1 f1radbert_ct_macro_f1 f1radbert_ct_weighted_f1",
    ),
    "radgraph": ("radgraph_simple radgraph_partial radgraph_complete", ""),
    "ratescore": ("ratescore", ""),
    "radgraph_radcliq": ("radgraph_radcliq", ""),
    "radcliq": ("radcliq_v1", ""),
    "srrbert": (
        "srrbert_weighted_f1 srrbert_weighted_precision srrbert_weighted_recall",
        "srrbert_weighted_f1 srrbert_weighted_precision srrbert_weighted_recall",
    ),
    "temporal": ("temporal_f1", ""),
    "green": ("green", ""),
    "mammo_green": ("mammo_green", ""),
    "crimson": ("crimson", ""),
    "radfact_ct": ("radfact_ct_precision radfact_ct_recall radfact_ct_f1", ""),
}
PACKAGE = f"""
import os
FIGURES = {FIGURES!r}
class RadEval:
    def __init__(self, metrics=None, openai_api_key=None, gemini_api_key=None, per_sample=False, detailed=False,
                 show_progress=True, cache_dir=None):
        assert per_sample and len(metrics) == 1
        (self.name, self.options), = metrics[0].items() if isinstance(metrics[0], dict) else ((metrics[0], {{}}),)
        self.per_sample, self.detailed = per_sample, detailed
        open(os.path.join(os.environ["ASKED"], self.name), "w").write(repr(self.options))

    def __call__(self, refs, hyps):
        print("models print")
        open("green.csv", "w").write("GREEN writes into its folder")
        if self.name == "green" and "FAIL" in os.environ:
            raise RuntimeError(os.environ["FAIL"])
        if self.name == "ratescore" and "FAIL" in os.environ:
            return {{"ratescore": [float("nan")] * len(refs)}}
        if self.name == "temporal" and "FAIL" in os.environ:
            return {{"temporal_f1": [1.0] * (len(refs) - 1)}}
        if self.per_sample:
            shared = [len(set(a.split()) & set(b.split())) / len(set(a.split())) for a, b in zip(refs, hyps)]
            return dict.fromkeys(FIGURES[self.name][0].split(), shared)
        assert self.detailed
        return {{**dict.fromkeys(FIGURES[self.name][1].split(), 0.25), "label_scores_f1": {{"edema": 1.0}}}}
"""
Site = Callable[..., None]


@pytest.fixture
def python(tmp_path: Path, package_site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    package_site("radeval", "radeval", "2.9", PACKAGE)
    (tmp_path / "asked").mkdir()
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    monkeypatch.setenv("FAIL", "no such model\nsecond line")
    return Path(sys.executable)


def scores_of(
    python: Path,
    hypotheses: Sequence[str],
    references: Sequence[str],
    metrics: Collection[str],
    judge: Judge | None = None,
) -> OtherScores:
    return run_package("radeval", RADEVAL, python, hypotheses, references, metrics, judge)


def test_each_metric_gives_a_number_a_study_and_a_failure_loses_no_other(python: Path) -> None:
    found = scores_of(python, ["a b", "c"], ["a x", "c"], ("radgraph", "green", "temporal"))
    assert found.version == "2.9"
    np.testing.assert_array_equal(found.values["radgraph_simple"], [0.5, 1.0])
    assert found.errors["green"] == "RuntimeError: no such model"
    assert "has not one number a study" in found.errors["temporal_f1"]


def test_every_metric_of_radeval_is_known_by_its_name(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAIL")
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    assert set(RADEVAL_METRICS) == set(FIGURES)
    card = score({"1": "a b", "2": "c"}, {"1": "a x", "2": "c"}, resamples=20)
    found = scores_of(python, ["a b", "c"], ["a x", "c"], RADEVAL_METRICS, Judge("openai"))
    card = with_scores(card, found)
    assert found.errors == {}
    assert set(card.radeval) == {name for figures, _ in FIGURES.values() for name in figures.split()}
    assert all(figure.value == 0.75 for figure in card.radeval.values())
    whole = {name for _, figures in FIGURES.values() for name in figures.split()}
    assert card.whole_set == {f"radeval {name}": 0.25 for name in whole}  # no means, so without interval
    assert card.signature["radeval"] == "2.9 openai"
    assert json.loads(card.to_json())["whole_set"]["radeval f1chexbert_5_micro_f1"] == 0.25


def test_a_scorecard_holds_means_with_intervals_and_says_what_is_missing(python: Path) -> None:
    reports = {"2": "c", "1": "a b"}
    card = score(reports, {"1": "a x", "2": "c"}, resamples=50)
    ids = card.per_study.study_ids
    found = scores_of(python, [reports[name] for name in ids], ["a x", "c"], ("radgraph", "green", "ratescore"))
    card = with_scores(card, found)
    figure = card.radeval["radgraph_simple"]
    assert (figure.value, figure.low, figure.high) == (0.75, 0.5, 1.0)
    assert card.missing["radeval green"] == "RuntimeError: no such model"
    assert "no finite number" in card.missing["radeval ratescore"]
    assert card.signature["radeval"] == "2.9"
    assert card.per_study.table()["radeval_radgraph_simple"].to_pylist() == [0.5, 1.0]


def test_reports_go_to_no_service_that_is_not_named(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    judged = ("mammo_green", "radfact_ct", "crimson")
    found = scores_of(python, ["a b"], ["a x"], judged)
    assert "allow it with --send-reports-to openai, gemini or the URL" in found.errors["mammo_green"]
    assert "allow it with --send-reports-to openai or the URL" in found.errors["radfact_ct"]
    # CRIMSON has a model for this machine too.
    assert {path.name: path.read_text() for path in (tmp_path / "asked").iterdir()} == {"crimson": "{'provider': 'hf'}"}

    found = scores_of(python, ["a b"], ["a x"], judged, Judge("gemini", "gemini-3"))
    assert "no key of gemini in the environment; set GEMINI_API_KEY" in found.errors["mammo_green"]
    assert "radfact_ct" in found.errors  # the service that is named is none that it can use
    assert (tmp_path / "asked" / "crimson").read_text() == "{'provider': 'hf'}"

    found = scores_of(python, ["a b"], ["a x"], judged, Judge("openai", "gpt-5.2"))
    assert found.errors == {}
    asked = {name: (tmp_path / "asked" / name).read_text() for name in judged}
    assert asked["crimson"] == "{'model_name': 'gpt-5.2', 'provider': 'openai'}"
    assert asked["radfact_ct"] == "{'model_name': 'gpt-5.2'}"


def test_a_reason_quotes_no_report(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "cannot read 'Small left effusion, known to Mr Miller'")
    found = scores_of(python, ["a SMALL  left\neffusion."], ["normal"], ("green",))
    assert found.errors["green"] == "RuntimeError (its message is left out, since it may quote a report)"
    monkeypatch.setenv("FAIL", "cannot read 左侧胸腔积液")
    assert "积" not in scores_of(python, ["左侧胸腔积液"], ["正常"], ("green",)).errors["green"]
    monkeypatch.setenv("FAIL", "cannot read the model")
    assert scores_of(python, ["small effusion"], ["a"], ("green",)).errors["green"].endswith("cannot read the model")


def test_packages_write_into_no_folder_of_the_user(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "environment").symlink_to(python)
    before = sorted(tmp_path.iterdir())
    assert scores_of(Path("environment"), ["a"], ["a"], ("rouge",)).errors == {}
    assert sorted(tmp_path.iterdir()) == before


def arguments(folder: Path, *more: str) -> list[str]:
    (folder / "h.json").write_text(json.dumps({"2": "c", "1": "a b"}))
    (folder / "r.json").write_text(json.dumps({"1": "a x", "2": "c"}))
    files = ["--hypotheses", str(folder / "h.json"), "--references", str(folder / "r.json")]
    return ["score", *files, "--out", str(folder / "card.json"), "--metrics", "bleu", *more]


def test_the_command_line_asks_radeval_in_the_order_of_the_scorecard(python: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, arguments(tmp_path, "--radeval", str(python), "--radeval-metrics", "radgraph,srrbert")
    )
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "card.json").read_text())["radeval"]["radgraph_simple"]["value"] == 0.75
    assert "radeval radgraph_simple" in result.output
    assert "radeval srrbert_weighted_f1 of the whole set" in result.output


def test_without_radeval_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="python3 -m venv"):
        scores_of(tmp_path / "python", ["a"], ["a"], ("rouge",))
    with pytest.raises(WrongUse, match="'meteor' is not one of radgraph"):
        require_radeval(("rouge", "meteor"))
    with pytest.raises(RadscribeError, match=r"RadEval cannot be imported.*pip install 'radeval>=2'"):
        scores_of(Path(sys.executable), ["a"], ["a"], ("rouge",))


def test_without_radeval_a_scorecard_is_written_all_the_same(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, arguments(tmp_path, "--radeval", sys.executable))
    assert result.exit_code == 0, result.output
    assert "RadEval cannot be imported" in json.loads((tmp_path / "card.json").read_text())["missing"]["radeval"]


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--radeval", "nowhere/python", "no such interpreter"),
        ("--radeval-metrics", "meteor", "'meteor' is not one of radgraph"),
        ("--other-metrics", "green", "'green' is not one of cxrfescore"),
        ("--other-metrics", "radmatch=nowhere/python", "no such interpreter"),
        ("--send-reports-to", "somewhere", "'somewhere' is not one of openai"),
        ("--send-reports-to", "http://localhost:8000/v1", "no language model is named; add --judge"),
    ],
)
def test_wrong_names_fail_before_any_report_is_read(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]], option: str, value: str, reason: str
) -> None:
    radeval = () if option == "--radeval" else ("--radeval", sys.executable)
    given = arguments(tmp_path, *radeval, option, value)
    os.remove(tmp_path / "h.json")
    code, _, errors = run(*given)
    assert code == 2
    assert reason in errors
