"""The adapters to CXRFEScore, RaTEScore, CRIMSON and RadMatch.

CXRFEScore is the real package without its models. Where the others would be installed stand packages of their
interfaces (RaTEScore 0.6, crimson-score 0.2, radmatch 0.2.2), faults included: those need models or a service.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from radscribe.cli.main import app
from radscribe.core.errors import WrongUse
from radscribe.evaluation import other_driver
from radscribe.evaluation.language_judge import HIDDEN, SERVICES, Judge
from radscribe.evaluation.other_packages import OTHER_METRICS, _quotes, pythons_of, with_package
from radscribe.evaluation.scorecard.card import Scorecard, score

RATESCORE = """
class RaTEScore:
    def __init__(self, bert_model="NER", eval_model="BioLORD", batch_size=1, use_gpu=True, visualization_path=None,
                 affinity_matrix="long"):
        assert not use_gpu

    def compute_score(self, candidate_list, reference_list):
        # As the package does: a report without a sentence is dropped, and the later ones move up.
        written, expected = ([r for r in reports if r.strip()] for reports in (candidate_list, reference_list))
        return [1.0 if a == b else 0.25 for a, b in zip(written, expected)]
"""
TORCH = "class cuda:\n    is_available = staticmethod(lambda: False)\n"
CRIMSON = """
import os
class CRIMSONScore:
    def __init__(self, api="hf", model_name=None, device=None):
        self.score = {"hf": 0.25, "openai": 0.5}[api]
        if api == "openai":
            assert (os.environ["OPENAI_API_KEY"], model_name) == ("key", "gpt-5.2")
        if "OFFLINE" in os.environ:
            raise OSError("We couldn't connect to 'https://huggingface.co'\\nsecond line")

    def evaluate(self, reference_findings, predicted_findings, patient_context=None, include_guidelines=True):
        if predicted_findings == "unreadable":
            raise ValueError("cannot parse: " + reference_findings)
        if predicted_findings == "refused":
            raise RuntimeError("the reference speaks of Mr Miller's effusion")
        return {"crimson_score": 1.0 if reference_findings == predicted_findings else self.score, "error_counts": {}}
"""
RADMATCH = """
import json, os
from pathlib import Path
def run_all(reports_pred_dir, output_dir, llm_extractor, llm_judge, reports_gt_dir=None, findings_gt_dir=None,
            fewshot=None, workers=15):
    if llm_judge.startswith("local:"):
        assert os.environ["RADMATCH_LOCAL_BASE_URL"] == "http://localhost:8000/v1"
    assert (llm_extractor, fewshot) == (llm_judge, "chest-xr")
    out = Path(output_dir, "radmatch_results", "per_report_metrics")
    out.mkdir(parents=True)
    for path in Path(reports_gt_dir).iterdir():
        expected, written = (set(Path(d, path.name).read_text().split()) for d in (reports_gt_dir, reports_pred_dir))
        if not expected or not written:
            continue  # as the package does: an empty report drops out
        hits = len(expected & written)
        counts = {"triage_hit_count": 0, "triage_gt_total": 0, "triage_pred_hit_count": 0, "triage_pred_total": 0,
                  "actionable_hit_count": hits, "actionable_gt_total": len(expected),
                  "actionable_pred_hit_count": hits, "actionable_pred_total": len(written), "triage_recall": None}
        errors = len(expected ^ written)
        (out / (path.stem + ".json")).write_text(
            json.dumps({"actionable_errors_total": errors, "clinical_safety_summary": counts}))
    return {}
"""
REFERENCES = {"1": "edema", "2": "a mass", "3": "no effusion"}
Site = Callable[[str, str, str, str], None]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(HIDDEN)]:
        monkeypatch.delenv(name)


def card_of(name: str, hypotheses: dict[str, str], judge: Judge | None = None, resamples: int = 200) -> Scorecard:
    card = score(hypotheses, REFERENCES, metrics=(), resamples=resamples)
    return with_package(card, name, OTHER_METRICS[name], Path(sys.executable), (name,), judge or Judge())


def test_an_interpreter_is_this_one_or_the_named_one(tmp_path: Path) -> None:
    found = pythons_of(["cxrfescore", f"radmatch={sys.executable}"])
    assert found == {"cxrfescore": Path(sys.executable), "radmatch": Path(sys.executable)}
    with pytest.raises(WrongUse, match=r"'bleurt' is not one of cxrfescore, ratescore, crimson, radmatch"):
        pythons_of(["bleurt"])
    with pytest.raises(
        WrongUse, match=r"no such interpreter; make one with python3 -m venv DIR; .*'crimson-score>=0.2'"
    ):
        pythons_of([f"crimson={tmp_path / 'python'}"])


def test_cxrfescore_itself_is_called_without_its_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = pytest.importorskip("cxrfescore", reason="the cxrfescore extra is not installed")
    inside, words = package.metric, sorted({word for text in REFERENCES.values() for word in text.split()})
    loaded = SimpleNamespace(to=lambda device: None, eval=lambda: None)
    monkeypatch.setattr(inside, "DEFAULT_CACHE_DIR", str(tmp_path))
    (tmp_path / "sent_to_facts.pkl").write_bytes(b"a pickle that must not be read")
    monkeypatch.setattr(inside, "ensure_nltk_resources", lambda: None)
    monkeypatch.setattr(inside, "sent_tokenize", lambda text: [text] if text else [])
    for name in ("T5TokenizerFast", "T5ForConditionalGeneration"):
        monkeypatch.setattr(inside, name, SimpleNamespace(from_pretrained=lambda name: loaded))
    scorer = package.CXRFEScore
    monkeypatch.setattr(scorer, "_load_encoder", lambda self: None)
    monkeypatch.setattr(scorer, "_load_cache", lambda self: pytest.fail("it reads its cache"))

    def facts(self: Any, sentences: list[str], batch_size: int | None = None, num_workers: int | None = None) -> Any:
        assert self.default_num_workers == 0
        return [sentence.split() for sentence in sentences]

    def embeddings(self: Any, texts: list[str], batch_size: int | None = None) -> Any:
        return np.array([[float(text == word) for word in words] for text in texts])

    monkeypatch.setattr(scorer, "_extract_facts_batch", facts)
    monkeypatch.setattr(scorer, "_get_embeddings_batch", embeddings)
    asked = {"hypotheses": ["edema", "a", ""], "references": list(REFERENCES.values()), "settings": {"cxrfescore": {}}}
    # Mean of precision and recall of the words, by the package's own arithmetic.
    assert other_driver.cxrfescore(package, "cxrfescore", asked) == {"values": {"cxrfescore": [1.0, 0.75, 0.0]}}


def test_a_report_without_sentence_moves_no_study_to_another_in_ratescore(package_site: Site) -> None:
    package_site("RaTEScore", "RaTEScore", "0.6.0", RATESCORE)
    package_site("torch", "torch", "0", TORCH)
    card = card_of("ratescore", {"1": "", "2": "a mass", "3": "no"})
    assert card.missing["ratescore"] == "no finite number for 1 of 3 studies"
    np.testing.assert_array_equal(card.per_study.language["ratescore"], [np.nan, 1.0, 0.25])
    card = card_of("ratescore", {"1": "edema", "2": "a mass", "3": "no"})
    figure = card.other_metrics["ratescore"]
    assert figure.value == 0.75
    assert (figure.low, figure.high) == (0.25, 1.0)
    assert card.signature["other_metrics"] == {"ratescore": "0.6.0"}
    assert json.loads(card.to_json())["other_metrics"]["ratescore"]["value"] == 0.75


def test_crimson_runs_on_this_machine_unless_a_service_is_named(
    package_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    package_site("CRIMSON", "crimson-score", "0.2.0", CRIMSON)
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    hypotheses = {"1": "edema", "2": "x", "3": "y"}
    card = card_of("crimson", hypotheses)
    assert card.other_metrics["crimson"].value == 0.5
    assert card.signature["other_metrics"] == {"crimson": "0.2.0"}
    card = card_of("crimson", hypotheses, Judge("openai", "gpt-5.2"))
    assert card.other_metrics["crimson"].value == pytest.approx(2 / 3)
    assert card.signature["other_metrics"] == {"crimson": "0.2.0 openai gpt-5.2"}
    # A service that is none of its own gets no report, and its model is not looked for on this machine.
    monkeypatch.setenv("MISTRAL_API_KEY", "key")
    assert card_of("crimson", hypotheses, Judge("mistral", "m")).other_metrics["crimson"].value == 0.5

    unreadable = card_of("crimson", {**hypotheses, "2": "unreadable"})
    assert unreadable.missing["crimson"] == "no finite number for 1 of 3 studies"
    refused = card_of("crimson", {**hypotheses, "2": "refused"})
    assert refused.missing["crimson"] == "RuntimeError (its message is left out, since it may quote a report)"
    monkeypatch.setenv("OFFLINE", "1")
    assert card_of("crimson", hypotheses).missing["crimson"].startswith("OSError: We couldn't connect to")


def test_radmatch_gives_errors_a_report_and_shares_of_all_findings(
    package_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    package_site("radmatch", "radmatch", "0.2.2", RADMATCH)
    hypotheses = {"1": "edema", "2": "a node", "3": "no effusion seen"}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    refused = card_of("radmatch", hypotheses)
    assert "allow it with --send-reports-to openai, azure, anthropic, mistral or the URL" in refused.missing["radmatch"]
    unnamed = card_of("radmatch", hypotheses, Judge("anthropic"))
    assert unnamed.missing["radmatch"] == "it needs a language model; name one with --judge"
    for judge in (Judge("anthropic", "m"), Judge("http://localhost:8000/v1", "m")):
        card = card_of("radmatch", hypotheses, judge)
        figures = {name.removeprefix("radmatch_"): figure for name, figure in card.other_metrics.items()}
        assert figures["actionable_errors"].value == 1.0  # 0, 2 and 1
        assert figures["actionable_recall"].value == pytest.approx(4 / 5)  # of all findings, no mean over studies
        assert figures["actionable_precision"].value == pytest.approx(4 / 6)
        assert figures["actionable_recall"].low == 0.5
        assert card.missing["radmatch_triage_recall"] == "there is nothing of which it is a share"
    dropped = card_of("radmatch", {**hypotheses, "1": " "}, Judge("anthropic", "m"))
    assert dropped.missing["radmatch_actionable_errors"] == "no finite number for 1 of 3 studies"
    assert dropped.other_metrics == {}


@given(
    st.dictionaries(st.sampled_from([f"{prefix}{end}" for prefix in HIDDEN for end in ("API_KEY", "BASE_URL", "X")]
                                    + [name for names in SERVICES.values() for name in names] + ["PATH", "HF_HOME"]),
                    st.text(min_size=1)),
    st.sampled_from([None, *SERVICES, "https://server/v1"]),
)  # fmt: skip
def test_a_package_sees_keys_and_addresses_of_the_named_service_alone(
    variables: dict[str, str], service: str | None
) -> None:
    judge = Judge(service, "model")
    given_on = judge.environment(variables)
    own = SERVICES.get(service or "", ())
    assert {name for name in variables if not name.startswith(HIDDEN)} <= given_on.keys()
    for name, value in given_on.items():
        if name.startswith(HIDDEN):
            assert name in own or (judge.is_address and value in ("https://server/v1", "none"))
        else:
            assert value == variables[name]
    assert {name for name in own if name in variables} <= given_on.keys()


WORDS = st.sampled_from(["small", "left", "effusion", "pleural", "no", "the", "of", "Müller", "肺炎", "opacity"])


@given(st.lists(WORDS, min_size=2, max_size=8), st.data())
def test_a_message_with_words_of_a_report_counts_as_a_quote(words: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(words) - 2))
    first, second = words[start : start + 2]
    message = f"cannot parse: {first.upper()},  {second}!"
    if len(first + second) >= 8:
        assert _quotes(message, ["Another.", "\n".join(words)])
    assert not _quotes("no model of this name", [" ".join(words)])


REPORT = (
    "Mr Hollerbach, born 3/14/1962, has no pneumothorax of size, MRN 12345678, Dr Do and Dr Müller. Room 123-45-678."
)


@pytest.mark.parametrize(
    "message",
    [
        "'Hollerbach'",
        "could not parse 'Hollerbach'",
        "no token for hollerbach",
        "HOLLERBACH: out of vocabulary",
        "invalid literal for int() with base 10: '12345678'",
        "index 12345678 is out of range",
        "could not parse MRN12345678",
        "time data '3/14/1962' does not match format",
        "no such row: 12345678.0",
        "no such key 12345678",
        "unknown identifier 12345678",
        "unknown identifier 12345-678",
        "'\\nHollerbach'",
        "'do'",
        "no token for muller",
        "can't encode 'M\\xfcller'",
        "no token for Ġholler",
        "keine Datei für das Modell",
    ],
)
def test_a_message_with_one_word_or_number_of_a_report_counts_as_a_quote(message: str) -> None:
    assert _quotes(message, ["Clear.", REPORT])


@pytest.mark.parametrize(
    "message",
    [
        "No module named 'sklearn'",
        "We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cache.",
        "list index out of range",
        "CUDA out of memory. Tried to allocate 20.00 MiB",
        "The expanded tensor (512) must match 768 and has no other",
        "do not call it at 12 or 62",
    ],
)
def test_a_message_of_usual_words_is_shown(message: str) -> None:
    assert not _quotes(message, ["Clear.", REPORT])


def test_no_name_of_a_report_reaches_the_scorecard(package_site: Site, tmp_path: Path) -> None:
    package_site(
        "cxrfescore",
        "cxrfescore",
        "0.2.4",
        "class CXRFEScore:\n    def __init__(self, **_): raise KeyError('Hollerbach')",
    )
    card = score({"1": REPORT}, {"1": "Clear."}, resamples=10)
    card = with_package(card, "cxrfescore", OTHER_METRICS["cxrfescore"], Path(sys.executable), ("cxrfescore",), Judge())
    saved = card.save(tmp_path / "card.json").read_text()
    assert "KeyError (its message is left out" in saved and "Hollerbach" not in saved


def test_the_command_line_puts_all_packages_into_one_table(
    package_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package_site("CRIMSON", "crimson-score", "0.2.0", CRIMSON)
    package_site("radmatch", "radmatch", "0.2.2", RADMATCH)
    for name in ("written", "expected"):
        (tmp_path / f"{name}.json").write_text(json.dumps(REFERENCES))
    options = [f"--{option}" for option in ("hypotheses", "references", "out")]
    paths = [str(tmp_path / f"{name}.json") for name in ("written", "expected", "card")]
    command = ["score", *(part for pair in zip(options, paths, strict=True) for part in pair), "--metrics", "bleu"]
    result = CliRunner().invoke(app, [*command, "--other-metrics", f"crimson={sys.executable},radmatch"])
    assert result.exit_code == 0, result.output
    assert "| other packages |" in result.output
    assert "| crimson        | 1.000 (1.000 to 1.000) |" in result.output
    assert "- radmatch is missing: it sends the reports to a language model; allow it" in result.output
    monkeypatch.setenv("MISTRAL_API_KEY", "key")
    result = CliRunner().invoke(
        app, [*command, "--other-metrics", "radmatch", "--send-reports-to", "mistral", "--judge", "m"]
    )
    assert "| radmatch_actionable_errors    | 0.000 (0.000 to 0.000) |" in result.output


def test_another_package_is_no_setting_that_changes_figures(
    package_site: Site, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    package_site("CRIMSON", "crimson-score", "0.2.0", CRIMSON)
    card_of("crimson", REFERENCES).save(tmp_path / "own.json")
    score(REFERENCES, REFERENCES, metrics=(), resamples=200).save(tmp_path / "other.json")
    code, output, errors = run("compare", str(tmp_path / "other.json"), str(tmp_path / "own.json"), "--resamples", "20")
    assert code == 0, errors
    assert "other_metrics" not in output
