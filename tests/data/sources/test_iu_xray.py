"""IU X-Ray in each of the forms in which people have it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from dicom_films import dicom_film
from numpy.typing import NDArray
from PIL import Image

from makers import NORMAL, report_xml, write_archive, write_film, write_reports, write_table
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.iu_reports import read_reports
from radscribe.data.sources.iu_xray import iu_xray_source

FIRST, SECOND, THIRD = "CXR1_IM-0001-3001", "CXR1_IM-0001-4001", "CXR20_IM-0653-1001"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return write_reports(
        tmp_path / "NLMCXR_reports.tgz",
        [
            report_xml(20, NORMAL, [THIRD]),
            report_xml(1, f"{NORMAL} Old   rib\nfracture.", [FIRST, SECOND]),
            report_xml(3, "", ["CXR3_IM-1384-1001"]),
            report_xml(4, NORMAL, []),
        ],
    )


def prepared(tmp_path: Path, reports: Path, images: Path, **options: Path) -> dict[str, Study]:
    prepare(iu_xray_source(reports, images, **options), tmp_path / "out", workers=1)
    return {study.study_id: study for study in PreparedDataset.open(tmp_path / "out").studies}


def rejected(tmp_path: Path) -> list[str]:
    return (tmp_path / "out" / "rejected.csv").read_text().splitlines()[1:]


def folder(tmp_path: Path, names: Mapping[str, int]) -> Path:
    for name, seed in names.items():
        write_film(tmp_path / "images" / name, seed)
    return tmp_path / "images"


def test_reports_are_read_by_number_with_their_sections(reports: Path) -> None:
    read = read_reports(reports)
    assert [report.report_id for report in read] == ["CXR1", "CXR3", "CXR4", "CXR20"]
    assert read[0].findings == f"{NORMAL} Old rib fracture."
    assert read[0].indication == "Chest < pain"
    assert read[0].images == (FIRST, SECOND)
    assert read[0].section("both").endswith("Old rib fracture. No acute disease.")


def test_without_projections_the_first_image_is_read_and_views_are_unknown(tmp_path: Path, reports: Path) -> None:
    images = folder(tmp_path, {f"deep/{SECOND}.png": 1, f"{FIRST}.png": 2, f"{THIRD}.png": 3})
    studies = prepared(tmp_path, reports, images)
    assert set(studies) == {"CXR1", "CXR20"}
    assert studies["CXR1"].patient_id == "CXR1"
    assert studies["CXR1"].frontal.source == FIRST
    assert {view.view for view in studies["CXR1"].views} == {"unknown"}
    assert rejected(tmp_path) == ["CXR3,no image file found", "CXR4,no image file found"]


def test_a_report_without_the_section_is_set_aside(tmp_path: Path, reports: Path) -> None:
    images = folder(tmp_path, {f"{THIRD}.png": 3, "CXR3_IM-1384-1001.png": 4})
    assert set(prepared(tmp_path, reports, images)) == {"CXR20"}
    assert "CXR3,no findings section" in rejected(tmp_path)


def test_a_table_of_sizes_undoes_what_made_squares_of_films(tmp_path: Path, reports: Path) -> None:
    tall = np.zeros((120, 90), np.uint8)
    tall[30:90, 15:75] = np.random.default_rng(0).integers(100, 256, (60, 60))
    for name in (FIRST, THIRD):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(tall).resize((256, 256)).save(tmp_path / "images" / f"{name}.png")
    rows = [{"image": FIRST, "rows": "2000", "columns": "1500"}]
    shapes = write_table(tmp_path / "dicom_views.csv", rows)
    studies = prepared(tmp_path, reports, tmp_path / "images", shapes=shapes)
    pixels = PreparedDataset.open(tmp_path / "out").pixels
    first, third = (pixels[studies[name].frontal.image_index] for name in ("CXR1", "CXR20"))

    def sides(film: NDArray[np.uint8]) -> tuple[int, int]:
        return tuple(np.ptp(np.flatnonzero((film > 50).any(axis))) + 1 for axis in (1, 0))  # type: ignore[return-value]

    assert sides(third)[1] > 1.25 * sides(third)[0]  # squashed
    assert sides(first)[0] == pytest.approx(128, abs=3) and sides(first)[1] == pytest.approx(128, abs=3)
    assert not first[:, :30].any() and not first[:, -30:].any()  # three quarters as wide as high, on black
    write_table(tmp_path / "dicom_views.csv", [{**rows[0], "rows": "0"}])
    with pytest.raises(WrongUse, match="row 2: rows and columns must be whole numbers"):
        iu_xray_source(reports, tmp_path / "images", shapes=shapes)


def test_projections_name_the_views(tmp_path: Path, reports: Path) -> None:
    images = folder(tmp_path, {f"{FIRST}.png": 1, f"{SECOND}.png": 2})
    rows = [
        {"uid": "1", "filename": "1_IM-0001-3001.dcm.png", "projection": "Lateral"},
        {"uid": "1", "filename": "1_IM-0001-4001.dcm.png", "projection": "Frontal"},
    ]
    studies = prepared(tmp_path, reports, images, projections=write_table(tmp_path / "projections.csv", rows))
    assert studies["CXR1"].frontal.source == SECOND


def test_the_annotation_gives_the_split_and_numbers_the_folders(tmp_path: Path, reports: Path) -> None:
    images = folder(tmp_path, {"CXR1_IM-0001/0.png": 1, "CXR1_IM-0001/1.png": 2, "CXR4_IM-0009/0.png": 3})
    annotation = tmp_path / "annotation.json"
    lists = {"train": [], "val": [{"id": "CXR1_IM-0001"}], "test": [{"id": "CXR20_IM-0653"}]}
    annotation.write_text(json.dumps(lists))
    studies = prepared(tmp_path, reports, images, annotation=annotation)
    assert studies["CXR1"].split == "validate"
    assert [view.source for view in studies["CXR1"].views] == ["CXR1/0", "CXR1/1"]
    assert rejected(tmp_path) == [
        "CXR3,it is not in the annotation file",
        "CXR4,it is not in the annotation file",
        "CXR20,no image file found",
    ]


def test_reports_of_no_study_are_texts_unless_a_scored_study_has_them_too(tmp_path: Path) -> None:
    other = "The heart is enlarged."
    texts = [report_xml(1, NORMAL, [FIRST]), report_xml(2, NORMAL.upper(), []), report_xml(3, other, [])]
    texts += [report_xml(4, "", []), report_xml(5, "Clear lungs.", []), report_xml(20, "Clear  lungs.", [THIRD])]
    archive = write_reports(tmp_path / "NLMCXR_reports.tgz", texts)
    images = folder(tmp_path, {f"{FIRST}.png": 1, f"{THIRD}.png": 2})
    annotation = tmp_path / "annotation.json"
    annotation.write_text(json.dumps({"train": [{"id": "CXR1"}], "val": [], "test": [{"id": "CXR20"}]}))
    prepared(tmp_path, archive, images, annotation=annotation)
    dataset = PreparedDataset.open(tmp_path / "out")
    assert dataset.texts == [NORMAL.upper(), other]  # one that only a training study has may be learned again
    (tmp_path / "out" / "texts.json").unlink()
    with pytest.raises(RadscribeError, match=r"texts\.json: missing or damaged"):
        _ = PreparedDataset.open(tmp_path / "out").texts
    prepare(iu_xray_source(archive, images), tmp_path / "whole", workers=1)
    assert PreparedDataset.open(tmp_path / "whole").texts == []


def test_an_archive_gives_the_same_films_as_its_folder(tmp_path: Path, reports: Path) -> None:
    images = folder(tmp_path, {f"{FIRST}.png": 1, f"{SECOND}.png": 2})
    files = {f"NLMCXR_png/{path.name}": path.read_bytes() for path in sorted(images.iterdir())}
    archive = write_archive(tmp_path / "NLMCXR_png.tgz", {**files, f"{THIRD}.png": b"broken"})
    prepare(iu_xray_source(reports, images), tmp_path / "folder", workers=1)
    prepare(iu_xray_source(reports, archive), tmp_path / "out", workers=1)
    assert (tmp_path / "out" / "pixels.npy").read_bytes() == (tmp_path / "folder" / "pixels.npy").read_bytes()
    assert f'{THIRD},"it is no DICOM, PNG or JPEG file"' in rejected(tmp_path)


def test_the_archive_of_dicom_files_is_read_by_its_names(tmp_path: Path, reports: Path) -> None:
    files = {
        "NLMCXR_dcm/1/1_IM-0001-3001.dcm": dicom_film(1),
        "NLMCXR_dcm/1/1_IM-0001-4001.dcm": dicom_film(2, ViewPosition="LL"),
        "NLMCXR_dcm/20/20_IM-0653-1001.dcm": dicom_film(3, Modality="CT"),
    }
    studies = prepared(tmp_path, reports, write_archive(tmp_path / "NLMCXR_dcm.tgz", files))
    assert [view.source for view in studies["CXR1"].views] == [FIRST, SECOND]
    # Their headers call many lateral films PA, and are not believed.
    assert {view.view for view in studies["CXR1"].views} == {"unknown"}
    assert f'{THIRD},"it is a CT, not a radiograph"' in rejected(tmp_path)


def test_files_of_another_kind_are_one_line(tmp_path: Path, reports: Path) -> None:
    other = tmp_path / "other.tgz"
    other.write_bytes(b"garbage" * 100)
    images = folder(tmp_path, {f"{FIRST}.png": 1})
    with pytest.raises(RadscribeError, match="cannot be read as NLMCXR_reports"):
        read_reports(other)
    with pytest.raises(RadscribeError, match="it holds no report"):
        read_reports(write_archive(tmp_path / "empty.tgz", {"a.txt": b""}))
    with pytest.raises(RadscribeError, match="the archive is damaged"):
        prepare(iu_xray_source(reports, other), tmp_path / "out", workers=1)
    with pytest.raises(WrongUse, match="not an annotation of R2Gen"):
        iu_xray_source(reports, images, annotation=other)


def test_the_whole_collection_is_read(shared_data: Path) -> None:
    read = read_reports(shared_data / "iu_xray" / "NLMCXR_reports.tgz")
    assert len(read) == 3955
    sections = Counter((bool(report.findings), bool(report.impression)) for report in read)
    assert sections == {(True, True): 3419, (True, False): 6, (False, True): 502, (False, False): 28}
    assert sum(len(report.images) for report in read) == 7470
