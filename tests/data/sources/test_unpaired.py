"""Labelled films paired with reports: vocabularies, patients, agreement of label and report, and the notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from makers import NORMAL, OPACITY, report_xml, write_film, write_reports, write_table
from radscribe.core.errors import WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.data.film_labels import film_states
from radscribe.data.prepare import prepare
from radscribe.data.sources.labelled import labelled_source
from radscribe.data.sources.labelled_images import labelled_images, patient_of, positive_conditions
from radscribe.data.sources.unpaired import AIRSPACE, unpaired_source
from radscribe.data.splits import split_of
from radscribe.labels.conditions import CONDITIONS, POSITIVE, UNCERTAIN


def names(*labels: str) -> set[str]:
    return {CONDITIONS[index] for index in positive_conditions(labels)}


def test_both_vocabularies_are_known() -> None:
    assert names("Infiltration", "Effusion", "Pleural_Thickening") == {
        "lung opacity",
        "pleural effusion",
        "pleural other",
    }
    assert names("Enlarged Cardiomediastinum", "Nodule", "Mass") == {"enlarged cardiomediastinum", "lung lesion"}
    assert names("PNEUMONIA") == {"pneumonia", "lung opacity"}
    assert names("No Finding") == names("normal") == names("Hernia", "Emphysema", "Fibrosis") == set()
    with pytest.raises(KeyError, match="Flu"):
        names("Flu")


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person12_bacteria_46.jpeg", "person12"),
        ("person012_virus_3.jpeg", "person12"),
        ("IM-0012-0001.jpeg", "IM-12"),
        ("IM-0012-0001-0002.jpeg", "IM-12"),
        ("NORMAL2-IM-0012-0001.jpeg", "NORMAL2-IM-12"),
        ("other.png", "other"),
    ],
)
def test_file_names_tell_the_patient_each_series_on_its_own(name: str, patient: str) -> None:
    assert patient_of(name) == patient


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    texts = [report_xml(number, f"{(NORMAL, OPACITY)[number % 2]} {number}.", []) for number in range(1, 121)]
    return write_reports(tmp_path / "NLMCXR_reports.tgz", texts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 31):
        write_film(tmp_path / "paediatric" / "train" / "pneumonia" / f"person{number}_virus_1.jpeg", number)
        write_film(tmp_path / "paediatric" / "test" / "normal" / f"IM-{number:04d}-0001.jpeg", 1000 + number)
    return tmp_path / "paediatric"


def labels_table(tmp_path: Path) -> Path:
    rows = [
        {"image": "a.png", "labels": "No Finding", "patient_id": "61", "view": "PA"},
        {"image": "b.png", "labels": "Effusion|Pneumonia|Hernia", "patient_id": "61", "view": "AP"},
        {"image": "gone.png", "labels": "Mass|Pneumonia", "patient_id": "62", "view": ""},
    ]
    (tmp_path / "nih").mkdir()
    for number, row in enumerate(rows[:2]):
        write_film(tmp_path / "nih" / "images" / row["image"], 5000 + number)
    return write_table(tmp_path / "nih" / "labels.csv", rows)


def test_every_report_agrees_with_the_label_and_is_of_the_same_split(
    tmp_path: Path, folder: Path, reports: Path
) -> None:
    out = tmp_path / "out"
    manifest = prepare(unpaired_source([labels_table(tmp_path), folder], reports), out, size=32, workers=1)
    dataset = PreparedDataset.open(out)
    report_ids, labels = dataset.column("report_id"), dataset.column("image_labels")
    airspace = [CONDITIONS.index(name) for name in AIRSPACE]
    for study in dataset.studies:
        assert split_of(report_ids[study.study_id]) == study.split == split_of(study.patient_id)
        stated = any(study.labels[index] in (POSITIVE, UNCERTAIN) for index in airspace)
        assert stated == bool({"Pneumonia", "pneumonia"} & set(labels[study.study_id]))
    assert dataset.column("image_view_position")["b"] == "AP"
    assert dataset.column("image_source")["a"] == "nih"
    assert manifest["weakly_paired"]
    assert manifest["notice"].startswith("weakly paired")
    pairing = manifest["pairing"]
    assert pairing["exact"] + pairing["nearest"] == 63
    assert pairing["ignored_labels"] == {"Hernia": 1}
    assert "gone.png,no image file found" in (out / "rejected.csv").read_text()


def test_labelled_films_need_no_reports(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "out"
    source = labelled_source([labels_table(tmp_path), folder])
    manifest = prepare(source, out, size=32, section="none", workers=1)
    dataset = PreparedDataset.open(out)
    assert {study.report("both") for study in dataset.studies} == {""}
    assert {study.labels for study in dataset.studies} == {(0,) * len(CONDITIONS)}
    assert all(split_of(study.patient_id) == study.split for study in dataset.studies)
    assert dataset.column("image_labels")["b"] == ["Effusion", "Pneumonia", "Hernia"]
    assert manifest["leaks"]["identical_reports"] == 0 and not manifest["weakly_paired"]
    assert "gone.png,no image file found" in (out / "rejected.csv").read_text()
    states, known = film_states(dataset, [study for study in dataset.studies if study.study_id == "b"])
    shown = {CONDITIONS[index] for index in range(len(CONDITIONS)) if states[0, index] == POSITIVE}
    assert shown == {"pleural effusion", "pneumonia", "lung opacity"}
    assert not known[0, CONDITIONS.index("fracture")]


def test_a_report_whose_only_opacity_is_a_scar_goes_to_no_film(folder: Path, tmp_path: Path) -> None:
    scar = "There is scarring in the left apex. No pleural effusion or pneumothorax."
    texts = [
        report_xml(number, f"{(NORMAL, OPACITY, scar, f'{scar} {OPACITY}')[number % 4]} {number}.", [])
        for number in range(1, 241)
    ]
    source = unpaired_source([folder], write_reports(tmp_path / "NLMCXR_reports.tgz", texts))
    found = {task.resolve().findings.split(" No pleural")[0] for task in source.studies(tmp_path)}
    assert source.notes["pairing"]["reports_left_out_as_their_opacity_is_old"] == 60
    assert scar.split(" No pleural")[0] in found  # with an opacity of today behind it
    assert all(
        "opacity" in task.resolve().findings for task in source.studies(tmp_path) if "scar" in task.resolve().findings
    )


def test_the_same_seed_gives_the_same_pairs(folder: Path, reports: Path, tmp_path: Path) -> None:
    def pairs(seed: int) -> list[str]:
        return [
            task.resolve().extra["report_id"]
            for task in unpaired_source([folder], reports, seed=seed).studies(tmp_path)
        ]

    assert pairs(0) == pairs(0)
    assert pairs(0) != pairs(1)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"image": "a.png", "labels": "Flu", "patient_id": "1"}], "label 'Flu' of a.png is not known"),
        ([{"image": "a.png", "labels": "Mass", "patient_id": ""}], "a.png has no patient_id"),
        ([{"image": "a.png", "labels": "Mass", "patient_id": "1"}] * 2, "a.png is listed twice"),
        ([{"image": "a.png", "patient_id": "1"}], "column labels is missing"),
    ],
)
def test_a_wrong_labels_table_is_one_line(tmp_path: Path, rows: list[dict[str, str]], reason: str) -> None:
    with pytest.raises(WrongUse, match=reason):
        labelled_images(write_table(tmp_path / "labels.csv", rows))


def test_folders_without_labels_and_names_that_clash_are_wrong_use(tmp_path: Path, folder: Path, reports: Path) -> None:
    write_film(tmp_path / "plain" / "a.png", 1)
    with pytest.raises(WrongUse, match="no folder above it names a known label"):
        labelled_images(tmp_path / "plain")
    write_film(folder / "val" / "normal" / "IM-0001-0001.jpeg", 9)
    with pytest.raises(WrongUse, match="IM-0001-0001: 1 image names occur twice"):
        unpaired_source([folder], reports)


def test_the_real_collections_agree_with_their_reports(shared_data: Path, tmp_path: Path) -> None:
    places = [shared_data / "nih_cxr14_sample" / "labels.csv", shared_data / "kermany_pneumonia"]
    source = unpaired_source(places, shared_data / "iu_xray" / "NLMCXR_reports.tgz")
    assert len(source.studies(tmp_path)) == 6856
    pneumonia = {
        entry["split"]: entry
        for entry in source.notes["pairing"]["label_sets"]
        if entry["labels"] == "lung opacity + pneumonia"
    }
    assert pneumonia["train"]["distinct_reports"] >= 100
    assert pneumonia["test"]["distinct_reports"] >= 25  # 29 of this split state an opacity that is not old
