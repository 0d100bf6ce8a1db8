"""Comparisons against scoring by hand: what differs, what it does to the figures, and whether reports differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from makers import NORMAL, OPACITY
from radscribe.core.errors import WrongUse
from radscribe.evaluation.compare.compare import Comparison, compare
from radscribe.evaluation.compare.differences import Difference
from radscribe.evaluation.compare.tables import csv_tables, markdown
from radscribe.evaluation.scorecard.card import Scorecard, score
from radscribe.evaluation.scorecard.saved import SavedScorecard, read_scorecards
from radscribe.metrics.clinical import AVERAGES, compare_micro_f1
from radscribe.metrics.significance import Resampling, paired_test

SENTENCES = (
    "There is a large right pneumothorax.",
    "There is cardiomegaly.",
    "There is a small pleural effusion.",
    "Possible pneumonia at the left base, 5.2 cm.",
    OPACITY,
    NORMAL,
)
COUNT = 40
IDS = [f"s{row:02}" for row in range(COUNT)]
REFERENCES = {study: f"{SENTENCES[row % 6]} {SENTENCES[row * 5 % 4]}" for row, study in enumerate(IDS)}
# Good reports are wrong about every seventh study, poor ones about all but every third.
GOOD = {study: NORMAL if row % 7 == 0 else REFERENCES[study] for row, study in enumerate(IDS)}
POOR = {study: REFERENCES[study] if row % 3 == 0 else NORMAL for row, study in enumerate(IDS)}
# METEOR reads its data through at each call, which takes a while; one test has it.
QUICK = ("bleu", "rouge_l", "cider")


def card_of(reports: Mapping[str, str], references: Mapping[str, str] = REFERENCES, **options: Any) -> Scorecard:
    options = {"metrics": QUICK, "resamples": 20, "protocol": "r2gen-iu"} | options
    return score(reports, {study: references[study] for study in reports}, **options)


def saved(folder: Path, **cards: Scorecard) -> list[SavedScorecard]:
    return read_scorecards([card.save(folder / f"{name}.json") for name, card in cards.items()])


def without_texts(path: Path) -> None:
    """Make a rows file what earlier versions wrote."""
    pq.write_table(pq.read_table(path).drop_columns(["hypothesis", "reference"]), path)


def difference(comparison: Comparison, setting: str, system: str = "b") -> Difference:
    return next(d for d in comparison.differences if (d.setting, d.system) == (setting, system))


def values(card: Scorecard) -> dict[str, float]:
    found = {name: figure.value for name, figure in card.nlg.items() if figure is not None}
    return found | {f"{average}_f1": getattr(card.clinical, average).f1.value for average in AVERAGES}


def changes(after: Scorecard, before: Scorecard) -> dict[str, float]:
    return {name: value - values(before)[name] for name, value in values(after).items()}


def test_scorecards_come_back_as_they_were(tmp_path: Path) -> None:
    card = card_of(GOOD, patients=dict.fromkeys(IDS, "p"))
    (read, _) = saved(tmp_path, a=card, b=card)
    rows = card.per_study
    assert read.name == "a" and read.signature == card.signature
    assert {name: figure.value for name, figure in read.figures.items()} == values(card)
    assert read.hypotheses() == GOOD and read.references() == REFERENCES
    assert np.array_equal(read.rows.outcomes(), rows.outcomes())
    assert read.rows.resampling.clusters == rows.resampling.clusters
    assert read.rows.language.keys() == rows.language.keys()
    assert read.rows.of_studies(("s03", "s01")).hypotheses == (GOOD["s03"], GOOD["s01"])


def test_a_clear_difference_is_found_and_equal_systems_differ_in_nothing(tmp_path: Path) -> None:
    cards = saved(tmp_path, a=card_of(GOOD), b=card_of(POOR), c=card_of(GOOD))
    comparison = compare(cards, all_pairs=True, resamples=4999)
    assert comparison.scored_alike and comparison.differences == () and comparison.notes == ()
    assert len(comparison.tests) == 3 * 12
    for test in comparison.tests:
        p_values = (test.bootstrap.p_value, test.randomization, test.bootstrap_adjusted, test.randomization_adjusted)
        if (test.first, test.second) == ("a", "c"):
            assert p_values == (1, 1, 1, 1) and test.bootstrap.difference.value == 0
        elif test.figure in ("bleu_4", "rouge_l", "micro_f1", "example_f1"):
            assert max(p_values[:2]) <= 0.005 and max(p_values[2:]) <= 0.05, test
            assert (test.bootstrap.difference.value > 0) == (test.first == "a")


def test_tests_are_of_corpus_figures_on_the_same_draws(tmp_path: Path) -> None:
    cards = [card_of(reports, resamples=200, seed=3) for reports in (GOOD, POOR)]
    comparison = compare(saved(tmp_path, a=cards[0], b=cards[1]), resamples=200, seed=3)
    found = {test.figure: test.bootstrap for test in comparison.tests}
    one, two = (card.per_study for card in cards)
    assert found["micro_f1"] == compare_micro_f1(one.outcomes(), two.outcomes(), Resampling(None, 200, 3))
    bleu = [rows.parts[0].of_sums(Resampling(None, 200, 3).sums(rows.parts[0].counts))[:, 3] for rows in (one, two)]
    assert found["bleu_4"] == paired_test(*bleu)
    assert found["bleu_4"].difference.value == cards[0].nlg["bleu_4"].value - cards[1].nlg["bleu_4"].value
    # The intervals reported for single systems are those of their scorecards too.
    for name, figure in comparison.tested["b"].items():
        scored = comparison.scored["b"][name]
        assert (figure.low, figure.high) == pytest.approx((scored.low, scored.high), rel=1e-12), name


def test_only_the_first_is_tested_against_unless_all_pairs_are_asked_for(tmp_path: Path) -> None:
    cards = saved(tmp_path, a=card_of(GOOD), b=card_of(POOR), c=card_of(REFERENCES))
    assert {(test.first, test.second) for test in compare(cards, resamples=9).tests} == {("a", "b"), ("a", "c")}
    pairs = {(test.first, test.second) for test in compare(cards, all_pairs=True, resamples=9).tests}
    assert pairs == {("a", "b"), ("a", "c"), ("b", "c")}


def test_too_few_draws_for_so_many_tests_are_reported(tmp_path: Path) -> None:
    cards = saved(tmp_path, a=card_of(GOOD), b=card_of(POOR))
    assert "no adjusted p-value can be below 0.120" in compare(cards, resamples=99).notes[0]


def test_patients_are_the_unit_where_they_are_known(tmp_path: Path) -> None:
    patients = {study: f"p{row // 10}" for row, study in enumerate(IDS)}
    alone, whole = (
        compare(saved(tmp_path, a=card_of(GOOD, **options), b=card_of(POOR)), resamples=999)
        for options in ({}, {"patients": patients})
    )
    assert (alone.unit, whole.unit) == ("study", "patient")
    first, second = ({test.figure: test for test in found.tests}["micro_f1"] for found in (alone, whole))
    assert first.randomization <= 0.005
    assert second.randomization == pytest.approx(2 / 16, abs=0.04)  # of 2^4 exchanges none and all
    assert difference(whole, "bootstrap").own == "unit study"
    others = {study: f"q{row // 10}" for row, study in enumerate(IDS)}
    with pytest.raises(WrongUse, match="b: study s00 has another patient"):
        compare(saved(tmp_path, a=card_of(GOOD, patients=patients), b=card_of(POOR, patients=others)), resamples=9)


def test_a_difference_of_protocol_is_what_scoring_by_hand_gives(tmp_path: Path) -> None:
    of_b = card_of(POOR, protocol="promptmrg", uncertain="positive")
    comparison = compare(saved(tmp_path, a=card_of(GOOD), b=of_b), resamples=20)
    assert [d.setting for d in comparison.differences] == ["protocol", "uncertain", "all together"]
    measured = difference(comparison, "protocol")
    assert measured.first.startswith("r2gen-iu; cleaning") and measured.own.startswith("promptmrg; cleaning")
    assert "tokenization single spaces" in measured.own and not measured.reason
    assert measured.changes == changes(card_of(POOR, uncertain="positive"), of_b)
    assert difference(comparison, "uncertain").changes == changes(card_of(POOR, protocol="promptmrg"), of_b)
    assert difference(comparison, "all together").changes == changes(card_of(POOR), of_b)
    assert abs(measured.changes["bleu_4"]) > 0.01 and difference(comparison, "uncertain").changes["micro_f1"] != 0
    # What is tested are reports scored alike.
    assert not comparison.scored_alike and {n: f.value for n, f in comparison.tested["b"].items()} == values(
        card_of(POOR)
    )
    assert {name: figure.value for name, figure in comparison.scored["b"].items()} == values(of_b)


def test_other_references_and_true_labels_are_measured(tmp_path: Path) -> None:
    rewritten = {study: text.replace("There is", "One sees") for study, text in REFERENCES.items()}
    labels = {study: [row % 2] * 14 for row, study in enumerate(IDS)}
    first, own = card_of(GOOD, true_labels=labels), card_of(POOR, rewritten)
    comparison = compare(saved(tmp_path, a=first, b=own), resamples=9)
    assert [d.setting for d in comparison.differences] == ["references", "reference labels", "all together"]
    assert difference(comparison, "references").changes == changes(card_of(POOR), own)
    measured = difference(comparison, "reference labels")
    assert measured.changes == changes(card_of(POOR, rewritten, true_labels=labels), own)
    assert (measured.first[:12], measured.own) == ("true labels ", "labeler")
    assert difference(comparison, "all together").changes == changes(card_of(POOR, true_labels=labels), own)


def test_study_sets_that_differ_are_a_difference(tmp_path: Path) -> None:
    some = {study: POOR[study] for study in IDS[10:]}
    first, own = card_of(some), card_of(GOOD, protocol="full")
    comparison = compare(saved(tmp_path, a=first, b=own), resamples=9)
    assert comparison.studies == 30 and comparison.counts == {"a": 30, "b": 40}
    measured = difference(comparison, "study set")
    assert (measured.first, measured.own) == ("30, 30 in all", "40")
    fewer = {study: GOOD[study] for study in some}
    assert measured.changes == changes(card_of(fewer, protocol="full"), own)
    # Settings are measured on the studies that are compared, so that the effects do not mix.
    assert difference(comparison, "protocol").changes == changes(card_of(fewer), card_of(fewer, protocol="full"))
    assert difference(comparison, "all together").changes == changes(card_of(fewer), own)
    elsewhere = card_of({"x": "Clear."}, {"x": "Clear."})
    with pytest.raises(WrongUse, match="a, b: no study is in all of them"):
        compare(saved(tmp_path, a=first, b=elsewhere))


def test_a_vocabulary_is_measured_where_its_words_are_known(tmp_path: Path) -> None:
    words = frozenset(["there", "is", "a", "the", "heart", "no", "effusion", "."])
    own = card_of(POOR, vocabulary=words, protocol="full")
    cards = saved(tmp_path, a=card_of(GOOD), b=own)
    plain = compare(cards, resamples=9)
    assert difference(plain, "vocabulary").changes == changes(card_of(POOR, protocol="full"), own)
    protocol = difference(plain, "protocol")
    assert "--unknown-words" in protocol.reason and protocol.reason.startswith("language figures: ")
    assert set(protocol.changes) == {f"{average}_f1" for average in AVERAGES}
    known = compare(cards, resamples=9, vocabularies=[frozenset("other"), words])
    assert difference(known, "protocol").changes == changes(card_of(POOR, vocabulary=words), own)
    # The other way round nothing can be scored as the first was.
    back = compare(cards[::-1], resamples=9)
    assert "--unknown-words" in difference(back, "vocabulary", "a").reason
    assert any("language figures are tested as" in note for note in back.notes)
    assert not any("clinical figures are tested" in note for note in back.notes)


def test_rows_of_earlier_versions_are_tested_but_nothing_is_measured(tmp_path: Path) -> None:
    one, two = card_of(GOOD), card_of(POOR, protocol="full")
    saved(tmp_path, a=one, b=two)
    for name in "ab":
        without_texts(tmp_path / f"{name}.parquet")
    # They lay under one name, beside a scorecard of any name.
    (tmp_path / "a.parquet").rename(tmp_path / "scores.parquet")
    cards = read_scorecards([tmp_path / "a.json", tmp_path / "b.json"])
    comparison = compare(cards, resamples=200)
    measured = difference(comparison, "protocol")
    assert measured.changes == {} and "rows hold no reports" in measured.reason
    assert any("BLEU and METEOR as means over studies" in note for note in comparison.notes)
    found = {test.figure: test.bootstrap for test in comparison.tests}
    means = [card.per_study.language["bleu_4"].mean() for card in (one, two)]
    assert found["bleu_4"].difference.value == pytest.approx(means[0] - means[1])
    outcomes = [card.per_study.outcomes() for card in (one, two)]
    assert found["micro_f1"] == compare_micro_f1(*outcomes, Resampling(None, 200))


def test_what_scoring_again_cannot_change_is_listed_with_its_reason(tmp_path: Path) -> None:
    def signed(card: Scorecard, **changed: Any) -> Scorecard:
        return replace(card, signature={**card.signature, **changed})

    software = card_of(GOOD).signature["software"]
    own = signed(
        card_of(POOR, seed=1, section="findings"),
        labeler="chexbert",
        labeler_version="1",
        software=software | {"radscribe": "0.0"},
        model="theirs",
        temperature=1,
    )
    comparison = compare(saved(tmp_path, a=card_of(GOOD), b=own), resamples=9)
    reasons = {d.setting: d.reason for d in comparison.differences}
    assert list(reasons) == ["labeler", "all together", "section", "bootstrap", "software", "temperature"]
    assert reasons["labeler"] == "" and difference(comparison, "labeler").own == "chexbert; labeler_version 1"
    assert reasons["section"] and reasons["bootstrap"] == "it moves intervals, no figure"
    assert reasons["temperature"] == "this version does not know this setting"
    # The first's software is this one: scoring again shows what it changes, here nothing of what is available.
    measured = difference(comparison, "software")
    assert (measured.first, measured.own) == (f"radscribe {software['radscribe']}", "radscribe 0.0")
    assert set(measured.changes.values()) == {0} and "micro_f1" not in measured.changes
    back = compare(saved(tmp_path, a=own, b=card_of(GOOD)), resamples=9)
    assert "reads reports by radscribe.labels.rules, " in difference(back, "labeler").reason
    assert "scoring again runs on" in difference(back, "software").reason
    assert any("clinical figures are tested from the states" in note for note in back.notes)


def test_figures_that_scoring_again_does_not_reproduce_are_reported(tmp_path: Path) -> None:
    other = card_of(POOR)
    other = replace(other, nlg={**other.nlg, "rouge_l": replace(other.nlg["rouge_l"], value=0.125)})
    notes = compare(saved(tmp_path, a=card_of(GOOD), b=other), resamples=9).notes
    assert any(note.startswith("b: scored again by its own settings") and "rouge_l 0.1250" in note for note in notes)


def test_meteor_is_tested_on_its_corpus_figure_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [card_of(reports, metrics=("meteor",)) for reports in (GOOD, POOR)]
    both = saved(tmp_path, a=cards[0], b=cards[1])
    found = {test.figure: test for test in compare(both, resamples=50).tests}
    expected = cards[0].nlg["meteor"].value - cards[1].nlg["meteor"].value
    assert found["meteor"].bootstrap.difference.value == expected
    monkeypatch.setattr("radscribe.metrics.nlg.meteor", lambda said, true: None)
    without = compare(both, resamples=50)
    assert "meteor" not in {test.figure for test in without.tests}
    assert any(note.startswith("meteor: not tested: needs the data") for note in without.notes)
    other = saved(tmp_path, a=cards[0], b=card_of(POOR))
    assert "bleu_1, bleu_2, bleu_3, bleu_4, cider, meteor, rouge_l: not in all" in compare(other, resamples=50).notes[0]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "b.json").unlink(), r"b\.json: no such file"),
        (
            lambda folder: (folder / "b.json").write_text("{"),
            r"b\.json: damaged, it is not JSON .*; give a scorecard\.json",
        ),
        (
            lambda folder: (folder / "b.json").write_bytes(b"\xff"),
            r"b\.json: damaged, it is not JSON .*; give a scorecard",
        ),
        (lambda folder: (folder / "b.json").write_text('{"format": "x"}'), r"b\.json: not a scorecard"),
        (lambda folder: (folder / "b.json").write_text("[]"), r"b\.json: it is not a JSON object but a list"),
        (
            lambda folder: (folder / "b.json").write_text('{"format": "radscribe-scorecard/1"}'),
            r"b\.json: damaged, figures or the signature are missing",
        ),
        (lambda folder: (folder / "b.parquet").unlink(), r"b\.parquet: no such file"),
        (lambda folder: (folder / "b.parquet").write_bytes(b"PAR1"), r"b\.parquet: damaged"),
        (
            lambda folder: pq.write_table(pq.read_table(folder / "a.parquet"), folder / "b.parquet"),
            "its hypotheses are",
        ),
    ],
)
def test_files_that_are_no_scorecards_are_reported_in_one_line(tmp_path: Path, damage: Any, reason: str) -> None:
    saved(tmp_path, a=card_of(GOOD), b=card_of(POOR))
    damage(tmp_path)
    with pytest.raises(WrongUse, match=reason) as refused:
        read_scorecards([tmp_path / "a.json", tmp_path / "b.json"])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("column", ["study_id", "hypothesis_states"])
def test_rows_without_a_needed_column_are_reported(tmp_path: Path, column: str) -> None:
    saved(tmp_path, a=card_of(GOOD), b=card_of(POOR))
    table = pq.read_table(tmp_path / "b.parquet")
    pq.write_table(table.drop_columns([column]), tmp_path / "b.parquet")
    with pytest.raises(WrongUse, match=r"b\.parquet: damaged, or not the rows"):
        read_scorecards([tmp_path / "a.json", tmp_path / "b.json"])


def test_rows_of_earlier_versions_are_held_against_the_counts(tmp_path: Path) -> None:
    """Without texts, the same references and as many studies: only the states show that the rows are of another one."""
    saved(tmp_path, a=card_of(GOOD), b=card_of(POOR))
    without_texts(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").replace(tmp_path / "b.parquet")
    with pytest.raises(WrongUse, match=r"its hypothesis states are not those of b\.json"):
        read_scorecards([tmp_path / "b.json", tmp_path / "b.json"], ["x", "y"])


def test_systems_are_called_by_what_tells_their_files_apart(tmp_path: Path) -> None:
    card = card_of({"s00": NORMAL})
    paths = [card.save(tmp_path / place) for place in ("x/one.json", "x/two.json", "y/one.json", "y/run", "z/run")]
    assert paths[3] == tmp_path / "y" / "run" / "scorecard.json"

    def names(*chosen: Path) -> list[str]:
        return [read.name for read in read_scorecards(chosen)]

    assert names(paths[0], paths[1]) == ["one", "two"]
    assert names(paths[0], paths[2]) == ["x", "y"]
    assert names(*paths[:3]) == ["x/one", "x/two", "y/one"]
    assert names(paths[3].parent, paths[4]) == ["y/run/scorecard", "z/run/scorecard"]
    assert [read.name for read in read_scorecards(paths[:2], ["A", "B"])] == ["A", "B"]
    for wrong, given, reason in (
        (paths[:1], [], "at least two"),
        ([paths[0], paths[0]], [], r"one\.json: given twice"),
        (paths[:2], ["A"], "1 names for 2"),
        (paths[:2], ["A", "A"], "two scorecards are named A"),
    ):
        with pytest.raises(WrongUse, match=reason):
            read_scorecards(wrong, given)


def test_a_scorecard_with_more_keys_is_read(tmp_path: Path) -> None:
    """As `radscribe evaluate` leaves it."""
    saved(tmp_path, a=card_of(GOOD), b=card_of(POOR))
    content = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps({**content, "proof": {}}))
    assert len(read_scorecards([tmp_path / "a.json", tmp_path / "b.json"])) == 2


def test_macro_f1_is_tested_by_randomization_alone(tmp_path: Path) -> None:
    cards = saved(tmp_path, a=card_of(GOOD), b=card_of(POOR))
    comparison = compare(cards, resamples=199)
    for test in comparison.tests:
        assert test.by_randomization_alone == (test.figure in ("macro_f1", "macro_5_f1"))
        if test.by_randomization_alone:
            assert test.bootstrap.p_value == test.randomization
    text, rows = markdown(comparison), csv_tables(comparison)["comparison-tests.csv"]
    assert "Macro-F1 is tested by randomization alone" in text
    shown = {row[2]: row[6:8] for row in rows[1:]}
    assert shown["macro_f1"] == (None, None) and None not in shown["micro_f1"]
    line = next(
        line for line in text.splitlines() if line.startswith("| a - b") and "| macro-F1 " in line.replace("  ", " ")
    )
    assert line.split("|")[4].strip() == ""


def test_scorecards_without_the_average_of_13_are_compared_by_the_others(tmp_path: Path) -> None:
    """As earlier versions wrote them."""
    saved(tmp_path, a=card_of(GOOD), b=card_of(POOR))
    content = json.loads((tmp_path / "a.json").read_text())
    del content["clinical"]["micro_13"]
    (tmp_path / "a.json").write_text(json.dumps(content))
    comparison = compare(read_scorecards([tmp_path / "a.json", tmp_path / "b.json"]), resamples=9)
    assert "micro_13_f1: not in all scorecards" in comparison.notes[0]
    assert {test.figure for test in comparison.tests} >= {"micro_f1", "macro_f1"}
    assert "micro_13_f1" not in {test.figure for test in comparison.tests} and comparison.scored_alike
