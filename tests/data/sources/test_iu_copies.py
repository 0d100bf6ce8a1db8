"""IU X-Ray as Kaggle and R2Gen give it out, and what is said when their files do not belong together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from makers import NORMAL, write_film, write_table
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.source import Source
from radscribe.data.sources.iu_copies import annotation_splits, film_key, r2gen_reports
from radscribe.data.sources.iu_reports import read_reports
from radscribe.data.sources.iu_xray import kaggle_source, r2gen_source

Run = Callable[..., tuple[int, str, str]]
REPORT = {
    "uid": "1",
    "MeSH": "Opacity/lung/base/left;Cardiomegaly/mild",
    "Problems": "Opacity;Cardiomegaly",
    "image": "Xray Chest PA and Lateral",
    "indication": "Chest pain, XXXX-year-old",
    "comparison": "None.",
    "findings": NORMAL,
    "impression": "No acute disease.",
}
PROJECTIONS = [
    {"uid": "1", "filename": "1_IM-0001-3001.dcm.png", "projection": "Lateral"},
    {"uid": "1", "filename": "1_IM-0001-4001.dcm.png", "projection": "Frontal"},
    {"uid": "2", "filename": "2_IM-0652-1001.dcm.png", "projection": "Frontal"},
    {"uid": "3", "filename": "3_IM-1384-1001.dcm.png", "projection": "Frontal"},
]
LISTS = {
    "train": [
        {
            "id": "CXR2384_IM-0942",
            "report": NORMAL,
            "image_path": ["CXR2384_IM-0942/0.png", "CXR2384_IM-0942/1.png"],
            "split": "train",
        }
    ],
    "val": [
        {"id": "CXR9_IM-0001-1001", "report": f"{NORMAL} 9.", "image_path": ["CXR9_IM-0001-1001/0.png"], "split": "val"}
    ],
    "test": [{"id": "CXR7_IM-0002", "report": f"{NORMAL} 7.", "image_path": ["CXR7_IM-0002/0.png"], "split": "test"}],
}


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    folder = tmp_path / "kaggle"
    for number, row in enumerate(PROJECTIONS[:3]):
        write_film(folder / "images" / "images_normalized" / row["filename"], number)
    write_table(folder / "indiana_projections.csv", PROJECTIONS)
    others = [{**REPORT, "uid": "2", "findings": ""}, {**REPORT, "uid": "3"}, {**REPORT, "uid": "4"}]
    write_table(folder / "indiana_reports.csv", [REPORT, *others])
    return folder


@pytest.fixture
def r2gen(tmp_path: Path) -> Path:
    folder = tmp_path / "iu_xray"
    for number, image in enumerate(("CXR2384_IM-0942/0", "CXR2384_IM-0942/1", "CXR9_IM-0001-1001/0")):
        write_film(folder / "images" / f"{image}.png", number)
    (folder / "annotation.json").write_text(json.dumps(LISTS))
    return folder


def prepared(source: Source, out: Path, section: str = "findings") -> PreparedDataset:
    prepare(source, out, size=32, section=section, workers=1)
    return PreparedDataset.open(out)


def rejected(out: Path) -> list[str]:
    return (out / "rejected.csv").read_text().splitlines()[1:]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NLMCXR_png/CXR25_IM-1024-2001.png", "CXR25_IM-1024-2001"),
        ("images_normalized/25_IM-1024-2001.dcm.png", "CXR25_IM-1024-2001"),
        ("NLMCXR_dcm/25/25_IM-1024-2001.dcm", "CXR25_IM-1024-2001"),
        ("iu_xray/images/CXR2384_IM-0942/0.png", "CXR2384/0"),
    ],
)
def test_the_names_of_each_copy_have_one_key(name: str, key: str) -> None:
    assert film_key(name) == key == film_key(key)


def test_kaggles_copy_is_read_with_its_views(kaggle: Path, tmp_path: Path) -> None:
    (study,) = prepared(kaggle_source(kaggle), tmp_path / "out").studies
    assert (study.study_id, study.findings, study.impression) == ("CXR1", NORMAL, "No acute disease.")
    assert study.indication == "Chest pain, XXXX-year-old"
    assert [(view.source, view.view) for view in study.views] == [
        ("CXR1_IM-0001-3001", "lateral"),
        ("CXR1_IM-0001-4001", "frontal"),
    ]
    assert rejected(tmp_path / "out") == [
        "CXR2,no findings section",
        "CXR3,no image file found",
        "CXR4,no image file found",
    ]


def test_kaggles_copy_takes_r2gens_split(kaggle: Path, tmp_path: Path) -> None:
    annotation = tmp_path / "annotation.json"
    annotation.write_text(json.dumps({"train": [], "val": [{"id": "CXR1_IM-0001"}], "test": []}))
    (study,) = prepared(kaggle_source(kaggle, annotation), tmp_path / "out").studies
    assert study.split == "validate"
    assert "CXR2,it is not in the annotation file" in rejected(tmp_path / "out")


def test_r2gens_copy_stands_alone(r2gen: Path, tmp_path: Path) -> None:
    studies = {study.study_id: study for study in prepared(r2gen_source(r2gen), tmp_path / "out").studies}
    assert {study_id: study.split for study_id, study in studies.items()} == {"CXR2384": "train", "CXR9": "validate"}
    assert studies["CXR2384"].findings == NORMAL
    assert [view.source for view in studies["CXR2384"].views] == ["CXR2384/0", "CXR2384/1"]
    assert rejected(tmp_path / "out") == ["CXR7,no image file found"]


def test_r2gens_copy_has_no_impression(r2gen: Path, tmp_path: Path) -> None:
    with pytest.raises(RadscribeError, match=r"no study is left.*no impression section"):
        prepared(r2gen_source(r2gen), tmp_path / "out", "impression")


@pytest.mark.parametrize(
    ("name", "rows", "reason"),
    [
        ("indiana_reports.csv", [{"uid": "1", "findings": "x"}], "the column MeSH, indication, comparison, impression"),
        ("indiana_projections.csv", [{"uid": "1", "filename": "x"}], "the column projection is missing"),
        ("indiana_projections.csv", [{**PROJECTIONS[0], "uid": "77"}], "none of its uids is in indiana_reports.csv"),
    ],
)
def test_kaggles_tables_must_be_whole_and_belong_together(
    kaggle: Path, name: str, rows: list[dict[str, Any]], reason: str
) -> None:
    write_table(kaggle / name, rows)
    with pytest.raises(WrongUse, match=reason) as error:
        kaggle_source(kaggle)
    assert str(error.value).startswith(str(kaggle / name))


@pytest.mark.parametrize("name", ["indiana_reports.csv", "indiana_projections.csv"])
def test_a_missing_table_of_kaggles_is_named(kaggle: Path, name: str) -> None:
    (kaggle / name).unlink()
    with pytest.raises(WrongUse, match=rf"{name}: cannot be opened"):
        kaggle_source(kaggle)


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b"garbage", json.dumps({**LISTS, "val": [{"id": "CXR9", "image_path": []}]}).encode()],
)
def test_an_annotation_of_another_kind_is_one_line(r2gen: Path, content: bytes) -> None:
    (r2gen / "annotation.json").write_bytes(content)
    with pytest.raises(
        WrongUse, match=r"annotation\.json: (damaged, it is not JSON .*)?not an annotation of R2Gen"
    ) as error:
        r2gen_source(r2gen)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--kaggle", "KAGGLE", "--r2gen", "R2GEN"],
        ["--images", "KAGGLE"],
        ["--kaggle", "KAGGLE", "--images", "KAGGLE"],
        ["--r2gen", "R2GEN", "--annotation", "R2GEN/annotation.json"],
        ["--kaggle", "KAGGLE", "--projections", "KAGGLE/indiana_projections.csv"],
    ],
)
def test_options_that_contradict_each_other_are_wrong_use(
    kaggle: Path, r2gen: Path, run: Run, tmp_path: Path, options: list[str]
) -> None:
    named = [option.replace("KAGGLE", str(kaggle)).replace("R2GEN", str(r2gen)) for option in options]
    code, _, error = run("prepare", "iu-xray", "--out", str(tmp_path / "out"), *named)
    assert (code, len(error.splitlines())) == (2, 1)
    assert not (tmp_path / "out").exists()


def test_both_copies_on_the_command_line(kaggle: Path, r2gen: Path, run: Run, tmp_path: Path) -> None:
    for option, folder in (("--kaggle", kaggle), ("--r2gen", r2gen)):
        out = tmp_path / option
        code, output, error = run("prepare", "iu-xray", option, str(folder), "--out", str(out), "--workers", "1")
        assert code == 0, error
        assert str(out / "rejected.csv") in output
        assert PreparedDataset.open(out).studies


def test_every_study_of_r2gens_annotation_is_in_the_archive(shared_data: Path) -> None:
    archive = {report.report_id: report for report in read_reports(shared_data / "iu_xray" / "NLMCXR_reports.tgz")}
    annotation = shared_data / "iu_xray" / "annotation_r2gen.json"
    copies = r2gen_reports(annotation)
    assert len({copy.report_id for copy in copies}) == len(annotation_splits(annotation)) == 2955
    assert all(copy.findings.lower() == archive[copy.report_id].findings.lower() for copy in copies)
    assert all(len(copy.images) == 2 <= len(archive[copy.report_id].images) for copy in copies)
