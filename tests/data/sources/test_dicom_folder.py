"""A folder of DICOM files and their reports: what is grouped, what is refused, and that no patient is named."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dicom_films import dicom_film

from makers import NORMAL, OPACITY
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data import prepare as preparation
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.dicom_folder import cut_report, dicom_source, find_salt
from radscribe.labels.conditions import CONDITIONS, NEGATIVE, POSITIVE

Run = Callable[..., tuple[int, str, str]]
SALT = b"a salt of the tests, long enough"
PHI = {
    "PatientName": "Hollerbach^Annegret",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19480317",
    "AccessionNumber": "ACC90210",
    "StudyInstanceUID": "1.2.826.99.1",
    "InstitutionName": "Klinikum Musterstadt",
    "StudyDate": "20200229",
}
OTHER = {
    "PatientName": "Small^John",
    "PatientID": "MRN-4712",
    "PatientBirthDate": "19700101",
    "AccessionNumber": "ACC90211",
    "StudyInstanceUID": "1.2.826.99.2",
}
SECRETS = [text.lower().encode() for text in (*PHI.values(), *OTHER.values(), "Hollerbach", "Annegret", "visit-of-a")]


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two studies of two patients, one with two films in folders of their own; names and folders tell the patient."""
    folder = tmp_path / "export"
    study = folder / "Hollerbach_Annegret" / "visit-of-a"
    write(study / "1" / "MRN-4711.dcm", dicom_film(1, **PHI))
    write(study / "2" / "MRN-4711-b.dcm", dicom_film(2, **PHI, ViewPosition="LL"))
    write(study / "report.txt", f"INDICATION: cough\nFindings: {NORMAL}\n\nImpression:\nNormal chest.\n")
    write(folder / "small.dcm", dicom_film(3, **OTHER))
    write(folder / "small.txt", f"{OPACITY} Small heart.")
    return folder


def prepared(images: Path, out: Path, salt: bytes = SALT) -> PreparedDataset:
    prepare(dicom_source(images, salt), out, size=32, workers=1)
    return PreparedDataset.open(out)


def rejected(out: Path) -> list[str]:
    return [line.replace('"', "") for line in (out / "rejected.csv").read_text().splitlines()[1:]]


def test_studies_are_grouped_by_their_headers(images: Path, tmp_path: Path) -> None:
    first, second = prepared(images, tmp_path / "out").studies
    assert (first.findings, first.impression, first.indication) == (NORMAL, "Normal chest.", "cough")
    assert [(view.source, view.view) for view in first.views] == [
        ("file-000001", "frontal"),
        ("file-000002", "lateral"),
    ]
    assert second.findings == f"{OPACITY} Small heart."
    assert first.patient_id != second.patient_id
    assert re.fullmatch("[0-9a-f]{20}", first.study_id) and re.fullmatch("[0-9a-f]{20}", first.patient_id)


def test_a_file_name_in_another_encoding_is_read(images: Path, tmp_path: Path) -> None:
    os.rename(images / "small.dcm", os.fsencode(images) + b"/m\xfcller.dcm")
    os.rename(images / "small.txt", os.fsencode(images) + b"/m\xfcller.txt")
    assert len(prepared(images, tmp_path / "out").studies) == 2


def test_a_finding_a_line_is_labelled_line_by_line(images: Path, tmp_path: Path) -> None:
    write(images / "small.txt", "FINDINGS:\r\n- No pneumothorax\r\n- Pleural effusion on the right")
    study = prepared(images, tmp_path / "out").studies[1]
    assert study.findings == "- No pneumothorax\n- Pleural effusion on the right"
    assert study.labels[CONDITIONS.index("pleural effusion")] == POSITIVE
    assert study.labels[CONDITIONS.index("pneumothorax")] == NEGATIVE


def test_linked_folders_and_files_of_any_name_are_read(images: Path, tmp_path: Path, run: Run) -> None:
    for number, name in enumerate(("IM0002", "e.ima", "1.2.840.5", "F.IMG"), start=10):
        fields = {**OTHER, "StudyInstanceUID": f"1.2.826.99.{number}"}
        write(tmp_path / "disc" / name, dicom_film(number, **fields))
        report = {"e.ima": "e.txt", "F.IMG": "F.TXT"}.get(name, f"{name}.txt")
        write(tmp_path / "disc" / report, f"{OPACITY} Study {number}.")
    write(tmp_path / "disc" / "DICOMDIR", dicom_film(20, **OTHER))
    write(tmp_path / "disc" / "Thumbs.db", b"no film")
    (images / "disc").symlink_to(tmp_path / "disc")
    (images / "disc" / "up").symlink_to(images)
    out = tmp_path / "out"
    code, output, error = run("prepare", "dicom", "--images", str(images), "--out", str(out), "--workers", "1")
    assert code == 0, error
    dataset = PreparedDataset.open(out)
    assert len(dataset.studies) == 6 and rejected(out) == [] and dataset.manifest["passed_over"] == 2
    assert "2 file(s) passed over" in output
    assert sorted(study.findings[-9:] for study in dataset.studies)[:4] == [f"Study {n}." for n in (10, 11, 12, 13)]


def test_a_report_is_held_against_every_film_of_its_study(images: Path, tmp_path: Path) -> None:
    shutil.move(images / "Hollerbach_Annegret" / "visit-of-a" / "report.txt", images / "Hollerbach_Annegret" / "1.txt")
    study = images / "Hollerbach_Annegret" / "visit-of-a"
    write(study / "1" / "MRN-4711.txt", f"Kong Xuwuzi {NORMAL}")
    assert len(prepared(images, tmp_path / "before").studies) == 2
    other = {
        **PHI,
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Hollerbach^Annegret=孔^虚无子",
        "OtherPatientNames": "Kong^Xuwuzi",
    }
    write(study / "2" / "MRN-4711-b.dcm", dicom_film(2, **other))  # a film without a report of its own
    assert len(prepared(images, tmp_path / "out").studies) == 1


def test_a_report_of_two_bytes_a_letter_is_set_aside(images: Path, tmp_path: Path) -> None:
    write(images / "small.txt", "John Small: clear.".encode("utf-16-le"))
    assert len(prepared(images, tmp_path / "out").studies) == 1
    assert any("not UTF-8 text" in line for line in rejected(tmp_path / "out"))


def test_reports_that_differ_in_their_line_ends_are_one(images: Path, tmp_path: Path) -> None:
    study = images / "Hollerbach_Annegret" / "visit-of-a"
    write(study / "1" / "MRN-4711.txt", f"\ufeff{NORMAL}\r\n{OPACITY}")
    write(study / "2" / "MRN-4711-b.txt", f"{NORMAL}\n{OPACITY}\n")
    assert len(prepared(images, tmp_path / "out").studies) == 2


@pytest.mark.parametrize("text", ["A" + " " * 100_000, " " * 100_000 + "a", "a:" * 50_000, "Findings: " * 10_000])
def test_a_hostile_report_is_cut_in_time_in_proportion(text: str) -> None:
    start = time.process_time()
    cut_report(text)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("case", ["privacy-cjk", "privacy-decomposed"])
def test_the_given_reports_with_a_name_are_set_aside(
    shared_cases: Path, images: Path, tmp_path: Path, case: str
) -> None:
    shutil.copytree(shared_cases / case, images / "given")
    dataset = prepared(images, tmp_path / "out")
    films = len(list((images / "given").glob("*.dcm")))
    assert (
        len(dataset.studies) == 2 and sum("take it out first" in line for line in rejected(tmp_path / "out")) == films
    )


def test_the_given_files_without_suffix_are_read(shared_cases: Path, tmp_path: Path) -> None:
    dataset = prepared(shared_cases / "no-suffix-files", tmp_path / "out")
    assert sorted(study.findings[-2:] for study in dataset.studies) == ["1.", "2.", "6."]


def test_the_given_misspelt_heading_is_an_indication(shared_cases: Path) -> None:
    found = cut_report((shared_cases / "ndication" / "report.txt").read_text("utf-8"))
    assert found["indication"] == "Pneumonia?" and "impression" not in found


def test_two_studies_of_a_patient_share_the_patient(images: Path, tmp_path: Path) -> None:
    write(images / "third.dcm", dicom_film(4, **{**PHI, "StudyInstanceUID": "1.2.826.99.3"}))
    write(images / "third.txt", OPACITY)
    studies = prepared(images, tmp_path / "out").studies
    assert len({study.study_id for study in studies}) == 3
    assert len({study.patient_id for study in studies}) == 2


def test_nothing_that_names_a_patient_is_written_or_said(
    images: Path, tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    broken = dicom_film(5, **{**PHI, "StudyInstanceUID": "1.2.826.99.4"})
    write(images / "Hollerbach_Annegret" / "MRN-4711-cut.dcm", broken[:900])
    write(images / "Hollerbach_Annegret" / "MRN-4711-cut.txt", NORMAL)
    write(images / "Hollerbach_Annegret" / "visit-of-a.dcm", b"garbage")
    write(images / "told.dcm", dicom_film(6, **{**PHI, "StudyInstanceUID": "1.2.826.99.5"}))
    write(images / "told.txt", f"Annegret Hollerbach was seen. {NORMAL}")
    out = tmp_path / "out"
    with caplog.at_level(logging.DEBUG):
        code, output, error = run("prepare", "dicom", "--images", str(images), "--out", str(out), "--workers", "1")
    assert code == 0, error
    said = (output + error + caplog.text).lower().replace(str(tmp_path).lower(), "").encode()
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"salt", "manifest.json", "pixels.npy", "rejected.csv", "studies.parquet"}
    columns = str(PreparedDataset.open(out).table.to_pylist()).lower().encode()
    for content in (said, columns, *(path.read_bytes().lower() for path in files)):
        assert not [secret for secret in SECRETS if secret in content]
    assert len(rejected(out)) == 4  # the film that is cut off and its study, garbage, the report with a name


def test_an_error_names_no_file_below_the_folder(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", denied)
    with pytest.raises(RadscribeError, match="cannot be read: Permission denied") as error:
        dicom_source(images, SALT)
    assert "Hollerbach" not in str(error.value) and "MRN" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Mrs. Hollerbach has a clear chest.", True),
        ("HOLLERBACH, ANNEGRET: clear.", True),
        ("Clear chest. Hollerbach's sign is absent.", False),
        ("A. Hollerbach was seen.", True),
        ("ＨＯＬＬＥＲＢＡＣＨ, Anne\u0301gret", True),
        ("患者Annegret Hollerbach的胸片", True),
        ("Geboren am 17. März 1948.", True),
        ("DOB 17-MAR-48", True),
        ("1948年3月17日生", True),
        ("病历号MRN4711", True),
        ("The film of MRN-4711 is clear.", True),
        ("Accession acc90210. Clear.", True),
        ("Born 17.03.1948, clear chest.", True),
        ("Born 3/17/1948, clear chest.", True),
        ("DOB 1948-03-17. Clear.", True),
        ("Compared with 2019-03-17, clear. 19480 or 317 of 4711.", False),
        (NORMAL, False),
    ],
)
def test_a_report_that_names_its_patient_sets_its_study_aside(
    images: Path, tmp_path: Path, text: str, told: bool
) -> None:
    write(images / "Hollerbach_Annegret" / "visit-of-a" / "report.txt", text)
    dataset = prepared(images, tmp_path / "out")
    assert len(dataset.studies) == (1 if told else 2)
    reason = "its report holds the name, birth date or an identifier of its patient; take it out first"
    assert any(line.endswith(reason) for line in rejected(tmp_path / "out")) == told


def test_a_surname_that_is_a_word_of_reports_sets_nothing_aside(images: Path, tmp_path: Path) -> None:
    write(images / "small.txt", "Small right effusion.")
    assert len(prepared(images, tmp_path / "out").studies) == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"StudyInstanceUID": None}, "no StudyInstanceUID"),
        ({"PatientID": None}, "no PatientID"),
        ({"PatientID": " "}, "no PatientID"),
        ({"BurnedInAnnotation": "YES"}, "writing is burnt into its pixels"),
        ({"Modality": "MR"}, "it is a MR, not a radiograph"),
        ({"Modality": "DOE"}, "it is a film of another modality, not a radiograph"),
        ({"BodyPartExamined": "JOHN SMALL"}, "it shows another body part, not a chest"),
    ],
)
def test_a_film_that_cannot_be_placed_or_shown_is_refused(
    images: Path, tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    write(images / "small.dcm", dicom_film(3, **{**OTHER, **fields}))
    assert len(prepared(images, tmp_path / "out").studies) == 1
    assert any(line.startswith("file-000003,") and reason in line for line in rejected(tmp_path / "out"))


def test_one_report_for_two_studies_is_refused(images: Path, tmp_path: Path) -> None:
    (images / "small.txt").unlink()
    shutil.copy(images / "Hollerbach_Annegret" / "visit-of-a" / "report.txt", images / "report.txt")
    write(images / "third.dcm", dicom_film(4, **{**OTHER, "StudyInstanceUID": "1.2.826.99.3"}))
    assert len(prepared(images, tmp_path / "out").studies) == 1
    assert sum("lies above other studies, too" in line for line in rejected(tmp_path / "out")) == 2


def test_contradicting_files_of_a_study_are_refused(images: Path, tmp_path: Path) -> None:
    write(images / "other.dcm", dicom_film(4, **{**OTHER, "PatientID": "MRN-1"}))
    write(images / "other.txt", f"{OPACITY} Small heart.")
    write(images / "Hollerbach_Annegret" / "visit-of-a" / "1" / "MRN-4711.txt", OPACITY)
    with pytest.raises(RadscribeError, match="no study is left"):
        prepared(images, tmp_path / "out")


def test_missing_and_unreadable_reports_are_told_apart(images: Path, tmp_path: Path) -> None:
    (images / "small.txt").unlink()
    write(images / "third.dcm", dicom_film(4, **{**OTHER, "StudyInstanceUID": "1.2.826.99.3"}))
    write(images / "third.txt", "Épanchement".encode("latin-1"))
    prepared(images, tmp_path / "out")
    reasons = sorted(line.partition(",")[2] for line in rejected(tmp_path / "out"))
    assert reasons == ["its report cannot be opened or is not UTF-8 text", "no report file found"]


def test_the_same_salt_gives_the_same_dataset_and_another_one_other_ids(images: Path, tmp_path: Path) -> None:
    one, two = prepared(images, tmp_path / "one"), prepared(images, tmp_path / "two")
    other = prepared(images, tmp_path / "three", b"another salt of the tests")
    assert one.table.equals(two.table)
    assert not {study.study_id for study in one.studies} & {study.study_id for study in other.studies}


def test_a_salt_is_made_kept_for_its_owner_and_found_again(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    salt = find_salt(out, None)
    assert salt != find_salt(out, None)  # nothing is written before the preparation begins
    prepare(dicom_source(images, salt), out, size=32, workers=1)
    assert (out / "salt").stat().st_mode & 0o777 == 0o600
    assert find_salt(out, None) == salt == find_salt(tmp_path / "new", out / "salt")
    before = (out / "studies.parquet").read_bytes()
    prepare(dicom_source(images, find_salt(out, None)), out, size=32, workers=1)
    assert (out / "studies.parquet").read_bytes() == before
    with pytest.raises(RadscribeError, match="another setting"):
        prepare(dicom_source(images, SALT), out, size=32, workers=1)


@pytest.mark.parametrize("moment", ["assemble", "moves"])
def test_an_interrupted_preparation_goes_on_with_its_salt(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    out = tmp_path / "out"

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    salt = find_salt(out, None)
    with monkeypatch.context() as patch:
        if moment == "assemble":
            patch.setattr(preparation, moment, killed)
        else:  # the salt is moved into the dataset already, its other files are not
            move = Path.replace
            patch.setattr(Path, "replace", lambda a, b: move(a, b) if a.name == "salt" else killed())
        with pytest.raises(KeyboardInterrupt):
            prepare(dicom_source(images, salt), out, size=32, workers=1)
    assert not (out / "manifest.json").exists()
    assert find_salt(out, None) == salt
    resumed = prepared(images, out, find_salt(out, None))
    assert resumed.table.equals(prepared(images, tmp_path / "whole", salt).table)


@pytest.mark.parametrize("content", [b"", b"too short"])
def test_a_salt_that_is_none_is_wrong_use(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(WrongUse, match="a salt has at least 16 bytes"):
        find_salt(tmp_path, write(tmp_path / "given", content))


def test_a_folder_without_dicom_files_is_wrong_use(tmp_path: Path, run: Run) -> None:
    os.makedirs(tmp_path / "empty")
    code, _, error = run("prepare", "dicom", "--images", str(tmp_path / "empty"), "--out", str(tmp_path / "out"))
    assert code == 2 and "it holds no image file (looked for .dcm, .dicom)" in error


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("Clear lungs.\n\nNo effusion.", {"findings": "Clear lungs.\n\nNo effusion."}),
        ("Technique: PA.\nClear lungs.", {"findings": "Technique: PA.\nClear lungs."}),
        ("  FINDINGS : Clear.\nConclusion: Normal.", {"findings": "Clear.", "impression": "Normal."}),
        ("Reason for exam: cough\nFINDINGS: Clear.", {"indication": "cough", "findings": "Clear."}),
        ("NDICATION: Pneumonia?\nFINDINGS: Clear.", {"indication": "Pneumonia?", "findings": "Clear."}),
        ("ndication: Cough\nImpression: Clear.", {"indication": "Cough", "impression": "Clear."}),
        ("Clinical details: cough\nFindings: Clear.", {"indication": "cough", "findings": "Clear."}),
        ("FINDINGS:\r\n- Clear  lungs \r\n\r\n\r\n- No effusion\r\n", {"findings": "- Clear lungs\n\n- No effusion"}),
        ("IMPRESSION:\nNote: stable.\nNormal.", {"impression": "Note: stable.\nNormal."}),
    ],
)
def test_reports_are_cut_as_people_write_them(text: str, sections: dict[str, str]) -> None:
    found = cut_report(text)
    assert {name: found[name] for name in ("indication", "findings", "impression") if found.get(name)} == sections


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ({"PatientName": "WANG^XIAODONG"}, "王晓东，双肺清晰。"),
        ({"PatientName": "IVANOV^IVAN"}, "Пациент Иванов И.И."),
        ({"PatientName": "M?ller^J?rgen"}, "Mller Jrgen: clear."),
        ({"PatientName": "Sch\ufffdfer^Bj\ufffdrn", "SpecificCharacterSet": "ISO_IR 192"}, "Schäfer, Björn: clear."),
    ],
)
def test_a_report_that_cannot_be_cleared_is_set_aside(
    images: Path, tmp_path: Path, header: dict[str, str], text: str
) -> None:
    write(images / "doubt.dcm", dicom_film(5, **{**PHI, "StudyInstanceUID": "1.2.3.9", "PatientID": "X-77", **header}))
    write(images / "doubt.txt", text)
    prepared(images, tmp_path / "out")
    assert any("cannot be searched" in line or "holds the name" in line for line in rejected(tmp_path / "out"))


def test_undeclared_bytes_of_a_name_are_in_doubt(images: Path, tmp_path: Path) -> None:
    film = dicom_film(5, **{**PHI, "StudyInstanceUID": "1.2.3.9", "PatientID": "X-77", "PatientName": "XXXXXX^YY"})
    assert b"XXXXXX^YY" in film
    write(images / "doubt.dcm", film.replace(b"XXXXXX^YY", "Дворжак"[:7].encode("koi8-r") + b"^Y"))
    write(images / "doubt.txt", NORMAL)
    prepared(images, tmp_path / "out")
    assert any("cannot be searched" in line for line in rejected(tmp_path / "out"))


def test_greek_letters_of_an_english_report_are_no_doubt(images: Path, tmp_path: Path) -> None:
    write(images / "Hollerbach_Annegret" / "visit-of-a" / "report.txt", f"{NORMAL} A film of 5 µm, β-blocker.")
    assert not any(
        "cannot be searched" in line for line in (prepared(images, tmp_path / "out"), rejected(tmp_path / "out"))[1]
    )
