"""MIMIC-CXR from a tree in the published layout to a dataset, and on to a draft."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import yaml
from dicom_films import dicom_film
from mimic_tree import MiniStudy, lines, phantom_films, write_films, write_tables, write_tree

from makers import TINY
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.data.phantom import generate
from radscribe.data.prepare import prepare
from radscribe.data.sources.mimic_cxr import mimic_cxr_source
from radscribe.data.sources.mimic_listed import LISTED_SECTIONS, LISTED_SPANS
from radscribe.data.sources.mimic_reports import MAXIMUM_REPORT_BYTES, read_mimic_report, read_report_file
from radscribe.imaging.film import fit, read_film
from radscribe.labels.conditions import CHEXBERT_CONDITIONS, NEGATIVE, POSITIVE, UNCERTAIN

Run = Callable[..., tuple[int, str, str]]
FULL = lines("""
    FINAL REPORT
    EXAMINATION:  CHEST (PA AND LAT)

    INDICATION:  ___F with cough  // eval for pneumonia

    COMPARISON:  Radiograph of ___

    FINDINGS:

    The lungs are clear. There is no effusion
    or pneumothorax. Known to Dr. ___.

    IMPRESSION:

    No acute process.
""")
WET_READ = lines("""
    WET READ: ___ ___ ___ 9:53 PM
     Large right effusion, awaiting review.
    ______________________________________________________________________________
    FINAL REPORT
    HISTORY:  Shortness of breath.

    FINDINGS:  There is a small right pleural effusion.

    IMPRESSION:  Small right effusion.
""")
ADDENDUM = lines("""
    ADDENDUM:  The line was moved after this film.
    ______________________________________________________________________________
    FINAL REPORT
    REASON FOR EXAM:  Line placement.

    FINDINGS:  The heart is enlarged.

    IMPRESSION:  Cardiomegaly.

    ADDENDUM:  Discussed with ___.
""")
IMPRESSION_ALONE = lines("""
    FINAL REPORT
    HISTORY:  Fever.

    IMPRESSION:  No evidence of pneumonia.
""")
NO_HEADER = lines("""
    FINAL REPORT
    CLINICAL HISTORY:  ___-year-old with fever.

    The heart is normal in size.

    There is a left basal opacity.
""")
NOTHING = lines("""
    FINAL REPORT
    TECHNIQUE:  Single view.
""")
LISTED_SPAN = "x" * 201 + "Patchy opacity at the left base." + "y" * 400
STUDIES = (
    MiniStudy("10000032", "53189527", "train", WET_READ, ("LL", "AP"), ",,,,,,,,,1.0,,-1.0,0.0,"),
    MiniStudy("10000032", "50414267", "train", FULL, ("PA", "LATERAL")),
    MiniStudy("10000764", "57375967", "train", ADDENDUM, ("AP AXIAL", "", "PA"), None),
    MiniStudy("11000011", "51000001", "validate", IMPRESSION_ALONE),
    MiniStudy("11000011", "51000005", "validate", FULL.replace("lungs are", "lung is")),
    MiniStudy("11000012", "51000002", "test", NO_HEADER),
    MiniStudy("11000012", "51000003", "test", NOTHING),
    MiniStudy("11000012", "51000004", "test", None),
    MiniStudy("10602608", "50525523", "train", LISTED_SPAN),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "mimic-cxr-jpg", STUDIES)


def prepared(root: Path, section: str = "findings", **options: Any) -> PreparedDataset:
    out = root.parent / "out"
    prepare(mimic_cxr_source(root, **options), out, size=64, section=section, workers=1)
    return PreparedDataset.open(out)


def rejected(dataset: PreparedDataset) -> list[str]:
    return (dataset.folder / "rejected.csv").read_text().splitlines()[1:]


def test_the_tree_becomes_a_dataset(root: Path) -> None:
    dataset = prepared(root)
    studies = {study.study_id: study for study in dataset.studies}
    assert list(studies) == ["50414267", "53189527", "57375967", "50525523", "51000005", "51000002"]
    assert {study_id: study.split for study_id, study in studies.items() if study.split != "train"} == {
        "51000005": "validate",
        "51000002": "test",
    }
    assert studies["50414267"].patient_id == studies["53189527"].patient_id == "10000032"
    full = studies["50414267"]
    assert full.findings == "The lungs are clear. There is no effusion or pneumothorax. Known to Dr. ___."
    assert full.impression == "No acute process."
    assert full.indication == "___F with cough // eval for pneumonia"
    assert [view.view for view in full.views] == ["frontal", "lateral"]
    assert full.frontal.source == f"{STUDIES[1].place}/{STUDIES[1].dicom_id(0)}.jpg"
    assert np.array_equal(dataset.film(full), fit(read_film(root / full.frontal.source, longest=64).pixels, 64))
    wet = studies["53189527"]
    assert (wet.findings, wet.impression, wet.indication) == (
        "There is a small right pleural effusion.",
        "Small right effusion.",
        "Shortness of breath.",
    )
    assert wet.labels[CHEXBERT_CONDITIONS.index("pleural effusion")] == POSITIVE
    assert [view.view for view in wet.views] == ["lateral", "frontal"]
    assert wet.frontal.source.endswith(f"{STUDIES[0].dicom_id(1)}.jpg")
    addendum = studies["57375967"]
    assert (addendum.findings, addendum.impression) == ("The heart is enlarged.", "Cardiomegaly.")
    assert addendum.indication == "Line placement."
    assert [view.view for view in addendum.views] == ["unknown", "unknown", "frontal"]
    assert studies["51000002"].findings == "The heart is normal in size. There is a left basal opacity."
    assert studies["50525523"].findings.startswith("Patchy opacity at the left base.")
    assert dataset.column("section_rule")["51000002"] == "last_paragraph"
    assert dataset.column("section_rule")["50525523"] == "listed"
    assert dataset.column("section_rule")["50414267"] == "heading"
    assert rejected(dataset) == [
        "51000001,no findings section",
        "51000003,no findings section",
        "51000004,no report file of at most 1 MiB found",
    ]
    assert dataset.manifest["counts"]["train"] == {"studies": 4, "patients": 3, "images": 8}
    assert {entry["name"] for entry in dataset.manifest["sources"]} == {
        "mimic-cxr-2.0.0-split.csv.gz",
        "mimic-cxr-2.0.0-metadata.csv.gz",
        "mimic-cxr-2.0.0-chexpert.csv.gz",
        "mimic-cxr-reports.zip",
    }


def test_chexperts_labels_stand_beside_our_own(root: Path) -> None:
    found = prepared(root).column("chexpert")
    wet = dict(zip(CHEXBERT_CONDITIONS, found["53189527"], strict=True))
    assert {name: state for name, state in wet.items() if state} == {
        "pleural effusion": POSITIVE,
        "pneumonia": UNCERTAIN,
        "pneumothorax": NEGATIVE,
    }
    assert found["57375967"] is None


def test_the_chosen_section_decides_what_is_set_aside(root: Path) -> None:
    dataset = prepared(root, "impression")
    assert [study.study_id for study in dataset.split("validate")] == ["51000001", "51000005"]
    assert "51000002,no impression section" in rejected(dataset)


def test_text_without_a_heading_of_its_own_can_be_left_out(root: Path) -> None:
    dataset = prepared(root, named_only=True)
    assert not {"51000002", "50525523"} & {study.study_id for study in dataset.studies}
    assert "51000002,its text stands under no heading of findings or impression" in rejected(dataset)


def test_a_missing_film_is_told_and_the_others_are_read(root: Path) -> None:
    (root / STUDIES[1].place / f"{STUDIES[1].dicom_id(0)}.jpg").unlink()
    dataset = prepared(root)
    assert [view.view for view in dataset.studies[0].views] == ["lateral"]
    assert f"{STUDIES[1].place}/{STUDIES[1].dicom_id(0)},no image file found" in rejected(dataset)


@pytest.mark.parametrize("above", ["files", "."])
def test_plain_tables_of_the_other_version_and_a_folder_of_reports(root: Path, above: str) -> None:
    expected = prepared(root).table
    for table in root.glob("*.csv.gz"):
        table.unlink()
    write_tables(root, STUDIES, "2.1.0", packed=False)
    reports = root.parent / "reports"
    with ZipFile(root / "mimic-cxr-reports.zip") as archive:
        archive.extractall(reports)
    (root / "mimic-cxr-reports.zip").unlink()
    source = mimic_cxr_source(root, reports / above)
    prepare(source, root.parent / "again", size=64, workers=1)
    assert PreparedDataset.open(root.parent / "again").table.equals(expected)


def test_films_in_dicom_need_no_table_of_views(tmp_path: Path) -> None:
    root = tmp_path / "mimic-cxr"
    study = replace(STUDIES[1], views=("x", "y"))
    views = ("PA", "LL")
    films = {
        f"{study.place}/{study.dicom_id(number)}.dcm": dicom_film(number, ViewPosition=view)
        for number, view in enumerate(views)
    }
    write_films(root, {**films, f"{study.place}.txt": FULL.encode()})
    write_tables(root, [study])
    (root / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()
    (root / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()
    dataset = prepared(root)
    assert [view.view for view in dataset.studies[0].views] == ["frontal", "lateral"]
    assert dataset.studies[0].findings.startswith("The lungs are clear.")
    assert "chexpert" not in dataset.table.column_names


def test_studies_are_made_only_when_they_are_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files below a study's folder are not looked at, and its report not opened, before its turn comes."""
    source = mimic_cxr_source(root)
    (root / "mimic-cxr-reports.zip").write_bytes(b"")
    monkeypatch.setattr(Path, "is_file", lambda path: pytest.fail("a film was looked for"))
    studies = source.studies(root)
    assert len(studies) == len(STUDIES)


@pytest.mark.parametrize("study_id", [*LISTED_SECTIONS, *LISTED_SPANS])
def test_listed_studies_are_read_by_their_list(study_id: str) -> None:
    headings = ("RECOMMENDATIONS", "EXAMINATION", "TECHNIQUE", "INDICATION", "NOTE", "HISTORY", "IMPRESSION")
    report = "".join(f"\n {heading}: Of {heading.lower()}. {'.' * 200}" for heading in headings)
    read = read_mimic_report(study_id, report)
    assert read.rule == "listed" and read.impression == "" and read.indication == ""
    if study_id in LISTED_SECTIONS:
        assert read.findings.startswith(f"Of {LISTED_SECTIONS[study_id]}.")
    else:
        start, end = LISTED_SPANS[study_id]
        assert read.findings == " ".join(report[start:end].split())


def test_a_list_keeps_its_lines_and_a_page_does_not() -> None:
    read = read_mimic_report(
        "1", lines("FINAL REPORT\nFINDINGS:\n- No effusion\n- Large heart\n\nIMPRESSION: No\nchange.")
    )
    assert (read.findings, read.impression) == ("- No effusion\n- Large heart", "No change.")


def test_the_published_slip_stays_in_published_reports() -> None:
    read = read_mimic_report("1", lines("FINAL REPORT\nNDICATION: Pneumonia?\nFINDINGS: Clear."))
    assert (read.impression, read.indication) == ("Pneumonia?", "")


def test_comparison_is_the_last_resort() -> None:
    read = read_mimic_report("1", lines("FINAL REPORT\nCOMPARISON: The lungs are clear, as before."))
    assert (read.rule, read.findings) == ("comparison", "The lungs are clear, as before.")


def test_line_ends_of_another_system_change_nothing(root: Path) -> None:
    dataset = prepared(root)
    reports = root.parent / "reports"
    for study in STUDIES:
        if study.report is not None:
            path = reports / f"{study.place}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(study.report.replace("\n", "\r\n").encode())
    prepare(mimic_cxr_source(root, reports), root.parent / "crlf", size=64, workers=1)
    assert PreparedDataset.open(root.parent / "crlf").table.equals(dataset.table)


def edit(root: Path, name: str, old: str, new: str) -> None:
    write_tables(root, STUDIES, packed=False)
    for table in root.glob("*.csv.gz"):
        table.unlink()
    path = root / f"mimic-cxr-2.0.0-{name}.csv"
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("split", "subject_id", "subject", "the column subject_id is missing"),
        ("metadata", "ViewPosition", "View", "the column ViewPosition is missing"),
        ("chexpert", "No Finding", "Normal", "the column No Finding is missing"),
        ("split", ",test", ",holdout", 'the split "holdout" is not known'),
        ("split", "50414267,10000032,train", "50414267,10000032,test", "a patient is in two splits"),
        ("metadata", "-00000000", "-11111111", "it shares no dicom_id with the table of the splits"),
        ("chexpert", ",5", ",9", "it shares no study_id with the table of the splits"),
        ("chexpert", "-1.0", "-2.0", r"the label -2\.0 is not known"),
        ("chexpert", "-1.0", "positive", "cannot be read as the published CSV table"),
    ],
)
def test_tables_of_another_kind_are_one_line(root: Path, name: str, old: str, new: str, reason: str) -> None:
    edit(root, name, old, new)
    with pytest.raises(WrongUse, match=reason) as error:
        mimic_cxr_source(root)
    assert str(error.value).startswith(str(root / f"mimic-cxr-2.0.0-{name}.csv"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("mimic-cxr-2.0.0-split.csv.gz", "mimic-cxr-2.0.0-split.csv.gz is not in it"),
        ("mimic-cxr-2.0.0-metadata.csv.gz", "only it gives the views"),
        ("mimic-cxr-reports.zip", "give it with --reports"),
        ("files", "no film such as files/p10"),
    ],
)
def test_what_is_missing_is_named(root: Path, missing: str, reason: str) -> None:
    (root / missing).rename(root.parent / "elsewhere")
    with pytest.raises(WrongUse, match=reason):
        mimic_cxr_source(root)


def test_damaged_files_are_one_line(root: Path) -> None:
    archive = root / "mimic-cxr-reports.zip"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-40])
    with pytest.raises(RadscribeError, match="archive of reports is damaged"):
        mimic_cxr_source(root)
    archive.write_bytes(whole.replace(whole[60:90], bytes(30), 1))
    with pytest.raises(RadscribeError, match="archive of reports is damaged"):
        prepared(root)
    with ZipFile(archive, "w") as other:
        other.writestr("readme.txt", "nothing")
    with pytest.raises(WrongUse, match="no report such as"):
        mimic_cxr_source(root)
    table = root / "mimic-cxr-2.0.0-split.csv.gz"
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(WrongUse, match="cannot be read as the published CSV table"):
        mimic_cxr_source(root)


def test_the_command_line_tells_wrong_use(root: Path, run: Run) -> None:
    (root / "mimic-cxr-reports.zip").rename(root.parent / "elsewhere.zip")
    code, _, error = run("prepare", "mimic-cxr", "--root", str(root), "--out", str(root.parent / "out"))
    assert (code, len(error.splitlines())) == (2, 1)


@pytest.mark.slow
def test_three_commands_from_the_tree_to_a_draft(tmp_path: Path, run: Run) -> None:
    splits = ["train"] * 30 + ["validate"] * 5 + ["test"] * 5
    studies = [
        MiniStudy(
            f"1{number:07}",
            f"5{number:07}",
            split,
            lines(f"FINAL REPORT\nINDICATION:  ___ with cough.\n\nFINDINGS:  {phantom.findings}"),
            ("PA",) if number % 3 else ("PA", "LATERAL"),
        )
        for number, (split, phantom) in enumerate(zip(splits, generate(len(splits), seed=11), strict=True))
    ]
    root = write_tree(tmp_path / "mimic-cxr-jpg", studies)
    recipe, data, model = tmp_path / "tiny.yaml", tmp_path / "data", tmp_path / "model"
    recipe.write_text(yaml.safe_dump(TINY))
    film, drafts = tmp_path / "film.jpg", tmp_path / "drafts.jsonl"
    film.write_bytes(phantom_films(60)[-1])
    for command in (
        ["prepare", "mimic-cxr", "--root", root, "--out", data, "--size", "64"],
        ["train", recipe, "--data", data, "--out", model, "--accelerator", "cpu"],
        ["generate", film, "--checkpoint", model, "--out", drafts],
    ):
        code, _, error = run(*map(str, command))
        assert code == 0, error
    (draft,) = map(json.loads, drafts.read_text().splitlines())
    assert draft["report"]
    assert draft["reference"]["study_id"] in {study.study for study in studies if study.split == "train"}


def test_a_text_too_large_for_a_report_is_none_and_is_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "s50414267.txt"
    path.write_bytes(b"FINDINGS: clear." + b" " * (MAXIMUM_REPORT_BYTES - 16))
    text = read_report_file(path)
    assert text is not None and len(text) == MAXIMUM_REPORT_BYTES
    path.write_bytes(path.read_bytes() + b" ")
    assert read_report_file(path) is None
