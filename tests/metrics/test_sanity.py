"""Statements turned round, and priors that do not exist."""

from __future__ import annotations

import numpy as np
import pytest

from radscribe.data.dataset import PreparedDataset
from radscribe.evaluation.scorecard.card import score
from radscribe.labels.conditions import NEGATIVE, NO_FINDING, POSITIVE
from radscribe.labels.rules import label_report
from radscribe.metrics.sanity import mentions_prior, negation_flipped, share_with_prior


@pytest.mark.parametrize(
    ("text", "flipped"),
    [
        ("No pleural effusion or pneumothorax.", "Pleural effusion and pneumothorax."),
        ("There is no evidence of pneumothorax.", "There is pneumothorax."),
        ("Small right pleural effusion.", "No small right pleural effusion."),
        ("There is an opacity with atelectasis.", "There is no opacity or atelectasis."),
        ("The heart is not enlarged.", "The heart is enlarged."),
        ("The lungs are clear.", "The lungs are opacified."),
        ("Postsurgical changes. ", "Postsurgical changes."),
        ("Opacity compatible with pneumonia.", "No opacity compatible with pneumonia."),
        ("", ""),
    ],
)
def test_a_statement_is_turned_round_in_nearly_the_same_words(text: str, flipped: str) -> None:
    assert negation_flipped(text) == flipped


def test_every_statement_of_the_phantom_grammar_is_turned_round(phantoms: PreparedDataset) -> None:
    reports = [study.report("findings") for study in phantoms.studies]
    before = np.array([label_report(text) for text in reports])[:, :NO_FINDING]
    after = np.array([label_report(negation_flipped(text)) for text in reports])[:, :NO_FINDING]
    assert not (after[before == POSITIVE] == POSITIVE).any()
    assert (after[before == NEGATIVE] == POSITIVE).mean() > 0.95


def test_clinical_figures_notice_what_language_figures_hardly_do(phantoms: PreparedDataset) -> None:
    reports = {study.study_id: study.report("findings") for study in phantoms.studies}
    card = score({name: negation_flipped(text) for name, text in reports.items()}, reports, resamples=10)
    assert card.clinical.micro.f1.value < 0.2
    rouge = card.nlg["rouge_l"]
    assert rouge is not None and rouge.value > 0.7


@pytest.mark.parametrize(
    "text",
    [
        "Unchanged heart size.",
        "No interval change.",
        "Compared to the prior study, the effusion is larger.",
        "Stable cardiomegaly.",
        "There is a new opacity.",
        "Pneumothorax has resolved.",
        "Sternal wires are again noted.",
        "The heart remains enlarged.",
        "A small effusion is still present.",
        "The heart is now enlarged.",
        "There is again an opacity.",
    ],
)
def test_an_earlier_film_is_noticed(text: str) -> None:
    assert mentions_prior(text)


@pytest.mark.parametrize(
    "text",
    ["Prior granulomatous disease.", "Old rib fracture.", "Postsurgical changes.", "The remaining lung is clear."],
)
def test_an_earlier_illness_is_no_earlier_film(text: str) -> None:
    assert not mentions_prior(text)


def test_shares_are_reported_for_both_sides() -> None:
    card = score({"a": "Stable.", "b": "Clear."}, {"a": "Clear.", "b": "Clear."}, resamples=10)
    assert card.prior_references == {"hypotheses": 0.5, "references": 0.0}
    assert share_with_prior([]) == 0
