"""Sections of reports in every form that holds them, cut and chosen for scoring."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radscribe.core.errors import WrongUse
from radscribe.evaluation.sections import Section, read_section, sections_of

BOTH = {"findings": "Heart is large.", "impression": "Cardiomegaly."}


@pytest.mark.parametrize(
    "report",
    [
        "FINDINGS: Heart is large.\n\nIMPRESSION: Cardiomegaly.",
        "EXAM: Chest.\nFINDINGS:\nHeart is large.\nIMPRESSION:\nCardiomegaly.\n",
        "Findings: Heart is large. Impression: Cardiomegaly.",
        "INDICATION: Cough. COMPARISON: None. FINDINGS: Heart is large. IMPRESSION: Cardiomegaly.",
        "**Findings:** Heart is large.\n\n**Impression:** Cardiomegaly.",
        "## Findings\nHeart is large.\n## Impression\nCardiomegaly.",
        "findings: Heart is large.\nconclusion: Cardiomegaly.",
        " FINAL REPORT\n FINDINGS:  Heart is large.\n \n IMPRESSION:  Cardiomegaly.",
    ],
)
def test_headings_are_found_in_the_forms_people_write(report: str) -> None:
    found = sections_of(report)
    assert found is not None
    assert {name: found[name] for name in BOTH} == BOTH


@pytest.mark.parametrize(
    "report",
    [
        "The findings are stable. No change since the examination of May.",
        "Heart: normal. Lungs: clear.",
        "There are new findings: a nodule.",
        "",
    ],
)
def test_words_inside_a_sentence_are_no_headings(report: str) -> None:
    assert sections_of(report) is None


@given(
    st.lists(st.sampled_from(["Clear lungs.", "Heart: normal.", "No finding.", "Size 5.2 cm\n"]), max_size=4),
    st.lists(st.sampled_from(["Pneumonia.", "No acute disease."]), min_size=1, max_size=3),
    st.sampled_from(["\n", "\n\n", " "]),
)
def test_no_word_is_lost_between_two_headings(findings: list[str], impression: list[str], between: str) -> None:
    said, true = " ".join(findings), " ".join(impression)
    found = sections_of(f"Findings: {said}{between}Impression: {true}")
    assert found is not None
    assert {name: text.split() for name, text in found.items()} == {
        "findings": said.split(),
        "impression": true.split(),
    }


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


CSV = 'study_id,findings,impression\na,Heart is large.,Cardiomegaly.\nb,"Clear lungs, no effusion.",\n'
REXRANK = {
    "a": {"section_findings": "Heart is large.", "section_impression": "Cardiomegaly."},
    "b": {"section_findings": "Clear lungs, no effusion.", "section_impression": None},
}
PLAIN = {
    "a": "FINDINGS: Heart is large.\nIMPRESSION: Cardiomegaly.",
    "b": "FINDINGS: Clear lungs, no effusion.\nIMPRESSION: None",
}
SAID = {"a": "Findings: Large heart. Impression: Large heart, impression.", "b": "Clear."}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", CSV),
        ("r.csv", CSV.replace("findings,", "section_findings,").replace(",impression", ",section_impression", 1)),
        ("r.json", REXRANK),
        ("r.json", {study: {name[8:]: text for name, text in parts.items()} for study, parts in REXRANK.items()}),
        ("r.json", PLAIN),
        ("r.csv", "study_id,report\n" + "".join(f'{study},"{text}"\n' for study, text in PLAIN.items())),
    ],
)
@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("findings", {"a": "Heart is large.", "b": "Clear lungs, no effusion."}),
        ("impression", {"a": "Cardiomegaly."}),
        ("both", {"a": "Heart is large. Cardiomegaly.", "b": "Clear lungs, no effusion."}),
    ],
)
def test_every_form_gives_the_same_sections(
    tmp_path: Path, name: str, content: object, section: Section, expected: dict[str, str]
) -> None:
    references = write(tmp_path / name, content)
    found = read_section(write(tmp_path / "h.json", SAID), references, section)
    assert found.references == expected
    assert found.hypotheses.keys() == expected.keys()
    assert found.hypotheses["a"].startswith("Large heart") and "Impression:" not in found.hypotheses["a"]
    left_out = [note for note in found.notes if "1 of 2 studies are left out" in note]
    assert len(left_out) == (section == "impression")
    assert [note for note in found.notes if "taken whole" in note] == (
        [] if section == "impression" else [f"1 of 2 hypotheses have no headings and are taken whole as the {section}"]
    )


def test_one_file_of_rexrank_holds_both_sides(tmp_path: Path) -> None:
    content = {study: {**parts, "model_prediction": SAID[study]} for study, parts in REXRANK.items()}
    path = write(tmp_path / "r.json", content)
    found = read_section(path, path, "findings")
    assert found.hypotheses == {"a": "Large heart.", "b": "Clear."}
    assert found.references["a"] == "Heart is large."


def test_a_draft_without_the_section_is_empty_and_ids_of_one_side_alone_stay(tmp_path: Path) -> None:
    said = write(tmp_path / "h.json", {"a": "FINDINGS: Large heart.", "c": "Clear."})
    found = read_section(said, write(tmp_path / "r.json", PLAIN), "impression")
    assert found.hypotheses == {"a": "", "c": "Clear."}  # scoring names c, which has no reference


@pytest.mark.parametrize("content", [{"a": "Heart is large."}, {"a": "FINDINGS: Heart is large."}])
def test_references_without_the_section_are_refused_in_one_line(tmp_path: Path, content: dict[str, str]) -> None:
    with pytest.raises(WrongUse, match=r"r\.json: no reference has a section impression; give") as refused:
        read_section(write(tmp_path / "h.json", SAID), write(tmp_path / "r.json", content), "impression")
    assert "\n" not in str(refused.value) and "large" not in str(refused.value)


def test_a_table_of_sections_names_each_study_once(tmp_path: Path) -> None:
    twice = write(tmp_path / "r.csv", "study_id,findings\na,Clear.\na,Clear.\n")
    with pytest.raises(WrongUse, match=r"line 3: its study_id is empty or appears twice"):
        read_section(write(tmp_path / "h.json", SAID), twice, "findings")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028"])
@pytest.mark.parametrize("mark", ["", ":", ": "])
def test_every_line_end_ends_a_section(end: str, mark: str) -> None:
    report = end.join([f"FINDINGS{mark}", "Heart is large.", f"IMPRESSION{mark}", "Cardiomegaly."])
    assert sections_of(report) == BOTH


@pytest.mark.parametrize(
    "heading",
    ["REASON FOR STUDY:", "CLINICAL DETAILS:", "INDICATIONS:", "Clinical  Question:", "NDICATION:", "CLINICAL DATA\n"],
)
def test_a_reason_for_the_film_is_no_finding(heading: str) -> None:
    found = sections_of(f"FINDINGS: Heart is large.\n{heading} pneumonia?\nIMPRESSION: Cardiomegaly.")
    assert found == {**BOTH, "indication": "pneumonia?"}
    assert sections_of(f"{heading} Cough.") == {"indication": "Cough."}


def test_statements_above_the_first_heading_are_findings() -> None:
    assert sections_of("The lungs are clear. Comparison: none.") == {
        "comparison": "none.",
        "findings": "The lungs are clear.",
    }
    listed = "FINAL REPORT\n- No effusion\n- Heart is large\nIMPRESSION: Cardiomegaly."
    assert sections_of(listed) == {"findings": "- No effusion\n- Heart is large", "impression": "Cardiomegaly."}
    assert sections_of("Portable chest.\n" + FULL) == BOTH


FULL = "FINDINGS: Heart is large.\nIMPRESSION: Cardiomegaly."


@pytest.mark.parametrize(
    "title",
    [
        "FINAL REPORT",
        "CHEST PA AND LATERAL, 3/4/2020",
        "Chest x-ray, 2 views.",
        "Patient Name: Quux",
        "MRN: 123\nXR CHEST",
    ],
)
def test_a_title_is_no_finding(title: str) -> None:
    assert sections_of(f"{title}\nIMPRESSION: Cardiomegaly.") == {"impression": "Cardiomegaly."}


@pytest.mark.parametrize(
    "report",
    [
        "FINDINGS: " * 10_000,
        "FINDINGS: a " * 20_000,
        "- " * 50_000 + "findings",
        ".  " * 30_000 + "findings:",
        "FINDINGS" + "*_" * 50_000 + "x",
        "clinical" + " " * 100_000,
        "chest " * 20_000 + "z\nIMPRESSION: x",
        "patient " * 20_000 + "\nIMPRESSION: x",
    ],
)
def test_a_report_of_headings_alone_takes_no_time(report: str) -> None:
    start = process_time()
    sections_of(report)
    assert process_time() - start < 1


def test_hypotheses_without_the_section_are_counted(tmp_path: Path) -> None:
    said = write(tmp_path / "h.json", {"a": "FINDINGS: Large heart.", "b": "Clear."})
    found = read_section(said, write(tmp_path / "r.json", PLAIN | {"b": PLAIN["a"]}), "impression")
    assert "1 of 2 hypotheses have sections but no impression, and count as empty" in found.notes


@pytest.mark.parametrize("value", [["large", "effusion"], 5, {"a": "b"}, True])
@pytest.mark.parametrize("side", ["h.json", "r.json"])
def test_a_section_that_is_no_text_is_refused(tmp_path: Path, value: object, side: str) -> None:
    paths = {name: write(tmp_path / name, {"a": {"findings": "Clear."}}) for name in ("h.json", "r.json")}
    write(paths[side], {"a": {"findings": value}})
    with pytest.raises(WrongUse, match=rf"{side}: study a has a findings that is no text; give each section as a"):
        read_section(paths["h.json"], paths["r.json"], "findings")


@pytest.mark.parametrize("absent", ["null", "NaN"])
def test_an_absent_section_may_be_null(tmp_path: Path, absent: str) -> None:
    text = '{"a": {"findings": "Clear.", "impression": ABSENT}}'.replace("ABSENT", absent)
    path = write(tmp_path / "r.json", text)
    assert read_section(path, path, "both").references == {"a": "Clear."}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("r.csv", "study_id,findings,section_findings\na,Clear.,Edema.\n", "its columns findings and section_findings"),
        ("r.json", {"a": {"findings": "Clear.", "section_findings": "x"}}, "study a: its fields findings and section"),
    ],
)
def test_a_section_that_is_there_twice_is_refused(tmp_path: Path, name: str, content: object, reason: str) -> None:
    with pytest.raises(WrongUse, match=reason) as refused:
        read_section(write(tmp_path / "h.json", SAID), write(tmp_path / name, content), "findings")
    assert "one section twice; remove one of them" in str(refused.value)
