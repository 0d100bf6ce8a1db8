"""Language figures against pycocoevalcap itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge, my_lcs

from radscribe.core.errors import WrongUse
from radscribe.metrics.meteor import meteor
from radscribe.metrics.nlg import BLEU, METEOR_REASON, longest_common_subsequence, score_language
from radscribe.metrics.significance import Resampling

FEW = Resampling(resamples=30)
REFERENCES = [
    "the heart is normal in size . the lungs are clear .",
    "small left pleural effusion with adjacent atelectasis .",
    "no acute cardiopulmonary abnormality .",
    "stable cardiomegaly . no focal consolidation , effusion or pneumothorax .",
]
HYPOTHESES = [
    "the heart is normal . the lungs are clear . no pneumothorax .",
    "left pleural effusion .",
    "",
    "no focal consolidation , effusion or pneumothorax . stable cardiomegaly .",
]


def test_figures_are_pycocoevalcaps() -> None:
    ours = score_language(HYPOTHESES, REFERENCES, FEW)
    references, hypotheses = ({i: [text] for i, text in enumerate(t)} for t in (REFERENCES, HYPOTHESES))
    bleu, bleu_each = Bleu(4).compute_score(references, hypotheses, verbose=0)
    rouge, rouge_each = Rouge().compute_score(references, hypotheses)
    cider, cider_each = Cider().compute_score(references, hypotheses)
    for order, name in enumerate(BLEU):
        assert ours.figures[name].value == pytest.approx(bleu[order], rel=1e-12)
        assert np.allclose(ours.per_study[name], bleu_each[order])
    assert ours.figures["rouge_l"].value == pytest.approx(rouge)
    assert np.allclose(ours.per_study["rouge_l"], rouge_each)
    assert ours.figures["cider"].value == pytest.approx(cider)
    assert np.allclose(ours.per_study["cider"], cider_each)


def test_bleu_interval_is_that_of_rescored_resamples() -> None:
    drawn = np.random.default_rng(0).integers(0, 4, (30, 4))
    rescored = []
    for rows in drawn:
        references, hypotheses = ({i: [t[row]] for i, row in enumerate(rows)} for t in (REFERENCES, HYPOTHESES))
        rescored.append(Bleu(4).compute_score(references, hypotheses, verbose=0)[0][1])
    figure = score_language(HYPOTHESES, REFERENCES, FEW).figures["bleu_2"]
    assert [figure.low, figure.high] == pytest.approx(list(np.quantile(rescored, [0.025, 0.975])))


def test_perfect_reports_score_one() -> None:
    ours = score_language(REFERENCES, REFERENCES, FEW)
    for name in ("bleu_4", "rouge_l", "meteor"):
        assert ours.figures[name].value == pytest.approx(1)
    assert ours.missing == {}


def test_meteor_is_that_of_the_summed_statistics_and_never_approximated(monkeypatch: pytest.MonkeyPatch) -> None:
    found = meteor(HYPOTHESES, REFERENCES)
    ours = score_language(HYPOTHESES, REFERENCES, FEW, metrics=("meteor",))
    assert found is not None and ours.figures["meteor"].value == found.corpus
    assert np.array_equal(ours.per_study["meteor"], found.per_study)
    monkeypatch.setattr("radscribe.metrics.nlg.meteor", lambda said, true: None)
    without = score_language(HYPOTHESES, REFERENCES, FEW)
    assert without.figures["meteor"] is None and without.missing == {"meteor": METEOR_REASON}
    assert "meteor" not in without.per_study


def test_empty_hypotheses_alone_score_zero() -> None:
    ours = score_language(["", ""], REFERENCES[:2], FEW)
    assert ours.figures["bleu_1"].value == pytest.approx(0, abs=1e-9)
    assert ours.figures["rouge_l"].value == 0


def test_wordless_references_leave_cider_out() -> None:
    ours = score_language(["clear", "clear"], ["", ""], FEW)
    assert ours.figures["cider"] is None
    assert "cider" in ours.missing


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(WrongUse, match="1 hypotheses for 2 references"):
        score_language(["clear"], ["clear", "clear"])


WORDS = st.lists(st.sampled_from(["a", "b", "c", "."]), max_size=14)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=2, max_size=6))
def test_any_texts_score_as_in_pycocoevalcap(pairs: list[tuple[list[str], list[str]]]) -> None:
    said, true = ([" ".join(words) for words in side] for side in zip(*pairs, strict=True))
    if not any(true):
        return
    ours = score_language(said, true, FEW)
    references, hypotheses = ({i: [text] for i, text in enumerate(t)} for t in (true, said))
    bleu, bleu_each = Bleu(4).compute_score(references, hypotheses, verbose=0)
    for order, name in enumerate(BLEU):
        assert ours.figures[name].value == pytest.approx(bleu[order], rel=1e-9, abs=1e-15)
        assert ours.per_study[name] == pytest.approx(np.array(bleu_each[order]), rel=1e-9, abs=1e-15)
    assert ours.per_study["rouge_l"] == pytest.approx(Rouge().compute_score(references, hypotheses)[1], abs=1e-12)
    assert ours.per_study["cider"] == pytest.approx(Cider().compute_score(references, hypotheses)[1], abs=1e-9)


@given(WORDS, WORDS)
def test_common_subsequences_are_as_long_as_in_the_table(a: list[str], b: list[str]) -> None:
    assert longest_common_subsequence(a, b) == my_lcs(a, b)


def test_only_the_figures_asked_for_are_computed() -> None:
    ours = score_language(HYPOTHESES, REFERENCES, FEW, metrics=("rouge_l",))
    assert ours.per_study.keys() == {"rouge_l"} and not ours.missing


def test_a_text_too_long_for_meteor_costs_no_other_figure() -> None:
    pytest.importorskip("pycocoevalcap", reason="METEOR's data is absent")
    found = score_language(["a small opacity " * 100_000, "clear"], ["an opacity and a nodule", "clear"])
    assert found.figures["meteor"] is None and "300,000 and 5 words" in found.missing["meteor"]
    assert all(found.figures[name] is not None for name in ("bleu_4", "rouge_l", "cider"))
