"""What a scorecard says beside its figures, on reports for which the right words are known."""

from __future__ import annotations

import json

import pytest

from radscribe.evaluation.scorecard.card import Scorecard, score
from radscribe.evaluation.scorecard.cautions import RARE, not_read, patients_with_several
from radscribe.evaluation.scorecard.tables import markdown

ENGLISH = {"a": "There is cardiomegaly.", "b": "Small left pleural effusion.", "c": "The lungs are clear."}
CHINESE = {
    "a": "双肺纹理清晰，未见实变影。心影大小正常。",
    "b": "右下肺见片状高密度影。左侧胸腔少量积液。",
    "c": "心膈未见异常。",
}
NEARLY = {
    "a": "双肺纹理清晰，未见明显实变影。心影正常。",
    "b": "右下肺见片状密度影。左侧胸腔积液。",
    "c": "心膈未见明显异常。",
}
QUICK = {"metrics": ("bleu", "rouge_l", "cider"), "resamples": 9}


def card_of(said: dict[str, str], true: dict[str, str], protocol: str = "full") -> Scorecard:
    return score(said, true, protocol, metrics=("bleu",), resamples=9)


def test_another_language_is_not_read_and_stated_as_such_on_both_sides() -> None:
    card = card_of(NEARLY, CHINESE)
    assert card.to_dict()["not_read"] == {"hypotheses": 3, "references": 3}
    assert card.clinical.per_condition["no finding"].support == 0
    (flag,) = card.flags
    assert flag.startswith("3 of 3 hypotheses and 3 of 3 references were not read")
    assert markdown(card).rstrip().splitlines()[-2:][0].startswith("- flag: 3 of 3 hypotheses and")
    mixed = card_of({**ENGLISH, "a": CHINESE["a"]}, ENGLISH)
    assert mixed.not_read == {"hypotheses": 1, "references": 0}
    assert mixed.flags[0].startswith("1 of 3 hypotheses were not read")
    assert card_of(ENGLISH, ENGLISH).not_read == {"hypotheses": 0, "references": 0}


def test_empty_reports_are_empty_not_unread() -> None:
    assert not_read(["", " \n", "Clear lungs."]) == 0
    assert card_of({**ENGLISH, "a": ""}, ENGLISH).flags == ("1 of 3 hypotheses are empty",)


def test_characters_give_near_copies_in_chinese_a_figure_and_published_protocols_a_warning() -> None:
    full, published = (card_of(NEARLY, CHINESE, protocol) for protocol in ("full", "r2gen-iu"))
    bleu = full.nlg["bleu_4"]
    assert bleu is not None and bleu.value > 0.5
    assert not any("without spaces" in warning for warning in full.warnings)
    found = [warning for warning in published.warnings if "without spaces" in warning]
    assert len(found) == 1 and "3 hypotheses and 3 references" in found[0] and "--protocol full" in found[0]
    assert found[0] in json.loads(published.to_json())["warnings"] and f"- warning: {found[0]}\n" in markdown(published)


@pytest.mark.parametrize(("copies", "flagged"), [(20, True), (18, True), (17, False)])
def test_a_template_is_flagged_from_nine_tenths_on(copies: int, flagged: bool) -> None:
    true = {f"s{row:02}": [*ENGLISH.values()][row % 3] + f" Rib {row}." for row in range(20)}
    said = {study: "The lungs are  clear." if row < copies else true[study] for row, study in enumerate(sorted(true))}
    said["s00"] = "the lungs are clear."  # case and white space make no other text
    flags = card_of(said, true).flags
    assert flags == (
        (f"{copies} of 20 hypotheses are one text: a template, whatever the film shows",) if flagged else ()
    )


def test_references_that_are_as_uniform_make_no_template() -> None:
    true = dict.fromkeys(ENGLISH, "The lungs are clear.")
    assert card_of(true, true).flags == ()


@pytest.mark.parametrize(
    ("ids", "patients"),
    [
        (["p10000032_s50414267", "p10000032_s53189527", "p10000764_s57375967"], 1),
        (["p10/p10000032/s50414267", "p10/p10000032/s53189527", "p10/p10000764/s57375967"], 1),
        (["CheXpert-v1.0/valid/patient64541/study1", "CheXpert-v1.0/valid/patient64541/study2"], 1),
        (["sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1", "sub-02_ses-2"], 2),
        (["00000013_005", "00000013_006", "00000014_000"], 1),
        (["17/1", "17/2", "18/1"], 1),
        (["CXR1_1_IM-0001", "CXR2_IM-0652", "CXR3_IM-1384"], 0),
        (["CXR2384_IM-0942", "CXR2926_IM-1328"], 0),
        (["s50414267", "s53189527"], 0),
        (["study_1", "study_2", "study_3"], 0),
        (["test/0001", "test/0002"], 0),
        ([f"fold{row % 5}_{row:03}" for row in range(100)], 0),
        (["1.2.840.113.1", "1.2.840.113.2"], 0),
    ],
)
def test_patients_are_known_where_ids_name_them(ids: list[str], patients: int) -> None:
    assert patients_with_several(ids) == patients


def test_several_studies_a_patient_give_a_warning_unless_patients_are_given() -> None:
    ids = dict(zip(ENGLISH, ("p10000032_s1", "p10000032_s2", "p10000764_s3"), strict=True))
    reports = {ids[study]: text for study, text in ENGLISH.items()}
    alone, whole = (score(reports, reports, patients=given, **QUICK) for given in (None, {s: s[:9] for s in reports}))
    assert any("(patients with several: 1)" in warning for warning in alone.warnings)
    assert not any("patients with" in warning for warning in whole.warnings)
    assert not any("p10000032" in warning for warning in alone.warnings)


def test_few_positive_references_give_a_warning_on_macro_f1() -> None:
    true = {f"s{row}": "There is cardiomegaly." for row in range(RARE)}
    (warning,) = score(true, true, true_labels=dict.fromkeys(true, [1] * 13 + [0]), **QUICK).warnings
    assert warning.startswith(f"1 of 14 conditions have fewer than {RARE} positive references")
    assert score(true, true, true_labels=dict.fromkeys(true, [1] * 14), **QUICK).warnings == ()


def test_what_is_missing_is_one_line_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radscribe.metrics.nlg.meteor", lambda said, true: None)
    card = score(ENGLISH, ENGLISH, resamples=9)
    last = "- meteor is missing: needs the data of pycocoevalcap: pip install 'radscribe[nlg]'"
    for more in ("", "\n| a table |\n|---|\n| of others |\n"):
        lines = markdown(card, more).splitlines()
        assert lines[-1] == last and sum("meteor" in line for line in lines) == 1
        assert not any(line.startswith("|") for line in lines[lines.index(next(x for x in lines if x[:2] == "- ")) :])
