"""The phantom reports: what each phrase states, what is always said, and how a follow-up is told."""

from __future__ import annotations

import re

import numpy as np
import pytest

from radscribe.data.phantom import Finding, patients
from radscribe.data.phantom.grammar import FEWEST_SENTENCES, MOST_SENTENCES, PhantomReport, write_report
from radscribe.data.phantom.wording import HEDGED_PHRASES, NORMAL_PHRASES, POSITIVE_PHRASES
from radscribe.labels.conditions import BLANK, CONDITIONS, NEGATIVE, NO_FINDING, POSITIVE, UNCERTAIN
from radscribe.labels.rules import label_report


def report_of(*findings: Finding, prior: tuple[Finding, ...] | None = None, seed: int = 0) -> PhantomReport:
    return write_report(findings, prior, np.random.default_rng(seed))


def state(report: PhantomReport, condition: str) -> int:
    return report.labels[CONDITIONS.index(condition)]


def sentences(report: PhantomReport) -> list[str]:
    return re.findall(r"[^.]+\.", report.findings)


EFFUSION = Finding("pleural effusion", 2, "left")


def test_a_normal_film_has_a_normal_report() -> None:
    for seed in range(20):
        report = report_of(seed=seed)
        assert state(report, "no finding") == POSITIVE
        for condition in (
            "cardiomegaly",
            "enlarged cardiomediastinum",
            "lung opacity",
            "consolidation",
            "pleural effusion",
            "pneumothorax",
        ):
            assert state(report, condition) == NEGATIVE, report.findings
        assert state(report, "support devices") == BLANK


def test_devices_alone_leave_no_finding_true() -> None:
    report = report_of(Finding("support devices", 1, "left", kind="pacemaker"))
    assert state(report, "support devices") == POSITIVE
    assert state(report, "no finding") == POSITIVE
    assert "pacemaker" in report.findings


@pytest.mark.parametrize("condition", ["pneumonia", "consolidation"])
def test_airspace_disease_is_told_through_an_opacity(condition: str) -> None:
    for seed in range(10):
        report = report_of(Finding(condition, 2, "right"), seed=seed)
        assert state(report, condition) == POSITIVE
        assert state(report, "lung opacity") == POSITIVE
        assert "pacit" in report.findings


@pytest.mark.parametrize("condition", sorted(set(HEDGED_PHRASES) & set(CONDITIONS)))
def test_a_suspected_condition_is_uncertain(condition: str) -> None:
    for seed in range(10):
        report = report_of(Finding(condition, 1, "left", hedged=True), seed=seed)
        assert state(report, condition) == UNCERTAIN
        assert state(report, "no finding") == BLANK


def test_edema_and_atelectasis_leave_lung_opacity_blank() -> None:
    report = report_of(Finding("edema", 2, "bilateral"), Finding("atelectasis", 2, "left"))
    assert state(report, "lung opacity") == BLANK
    assert "clear" not in report.findings


def test_side_and_size_are_told() -> None:
    for seed in range(10):
        text = report_of(Finding("pleural effusion", 3, "right"), seed=seed).findings
        assert "large" in text
        assert "right" in text
        both = report_of(Finding("pleural effusion", 1, "bilateral"), seed=seed).findings
        assert "effusions" in both
        assert "ilateral" in both


def test_a_prior_is_mentioned_only_where_there_is_one() -> None:
    words = ("prior", "resolved", "unchanged", "increased", "decreased", "previously")
    for seed in range(40):
        alone = report_of(EFFUSION, Finding("support devices", 1, "left", kind="pacemaker"), seed=seed)
        assert not any(word in alone.findings for word in words), alone.findings


@pytest.mark.parametrize(
    ("earlier", "words"), [(1, ("increased", "worsened")), (3, ("decreased", "improved")), (2, ("unchanged", "stable"))]
)
def test_change_is_told_in_its_direction(earlier: int, words: tuple[str, str]) -> None:
    prior = (Finding("pleural effusion", earlier, "left"),)
    told = [report_of(EFFUSION, prior=prior, seed=seed) for seed in range(20)]
    assert sum(any(word in report.findings for word in words) for report in told) >= 10
    opposite = ("increased", "worsened", "decreased", "improved", "unchanged", "stable")
    for report in told:
        assert not any(word in report.findings for word in opposite if word not in words)
        assert state(report, "pleural effusion") == POSITIVE


def test_a_resolved_condition_is_negative() -> None:
    report = report_of(prior=(EFFUSION,))
    assert "resolved" in report.findings
    assert state(report, "pleural effusion") == NEGATIVE
    assert state(report, "no finding") == POSITIVE


def test_reports_keep_their_length_and_vary() -> None:
    texts = set()
    reports = 0
    for plan in patients(1500, seed=6):
        for visit, findings in enumerate(plan.visits):
            prior = plan.visits[visit - 1] if visit else None
            report = report_of(*findings, prior=prior, seed=plan.number)
            assert FEWEST_SENTENCES <= len(sentences(report)) <= MOST_SENTENCES, report.findings
            assert "{" not in report.findings + report.impression
            assert report.impression
            texts.add(report.findings)
            reports += 1
    assert len(texts) > 0.8 * reports


def test_every_phrase_reads_as_its_table_says() -> None:
    words = {
        "size": "mild",
        "size_capital": "Mild",
        "size_adverb": "mildly",
        "side_word": "left",
        "side_capital": "Left",
        "place": "left lower lung",
        "base": "left lung base",
    }
    for table in (POSITIVE_PHRASES, HEDGED_PHRASES, NORMAL_PHRASES):
        for phrases in table.values():
            for phrase in phrases:
                text = phrase.text.format(**words)
                read = {
                    name: told
                    for name, told in zip(CONDITIONS, label_report(text), strict=True)
                    if told != BLANK and name != CONDITIONS[NO_FINDING]
                }
                assert read == phrase.states, text


def test_whole_reports_read_as_their_labels_say() -> None:
    for plan in patients(600, seed=12):
        for visit, findings in enumerate(plan.visits):
            report = report_of(*findings, prior=plan.visits[visit - 1] if visit else None, seed=plan.number)
            assert tuple(label_report(report.findings)) == report.labels, report.findings


def test_sites_say_the_same_of_a_film_each_in_its_own_words() -> None:
    def written(site: int) -> list[PhantomReport]:
        plans = [(plan, visit) for plan in patients(60, 3) for visit in range(len(plan.visits))]
        return [
            write_report(
                plan.visits[visit],
                plan.visits[visit - 1] if visit else None,
                np.random.default_rng((plan.number, visit)),
                site,
                sites=2,
            )
            for plan, visit in plans
        ]

    first, second = written(0), written(1)
    assert [report.labels for report in first] == [report.labels for report in second]
    assert [len(sentences(report)) for report in first] == [len(sentences(report)) for report in second]
    said = [{sentence.strip() for report in reports for sentence in sentences(report)} for reports in (first, second)]
    normal = [[phrase.text for phrase in phrases] for phrases in NORMAL_PHRASES.values()]
    for site, own in enumerate(said):
        for phrases in normal:
            assert own & set(phrases) <= set(phrases[site::2])
    # What both may say has one wording for all sites.
    assert len(said[0] & said[1]) < 0.15 * len(said[0] | said[1])
