"""A user's own table: what is read, and each mistake a newcomer makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from makers import NORMAL, OPACITY, write_film, write_table
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.data.dataset import PreparedDataset
from radscribe.data.prepare import prepare
from radscribe.data.sources.table import table_source
from radscribe.labels.conditions import CONDITIONS, POSITIVE

ROW = {"image": "0.png", "report": NORMAL, "patient_id": "a"}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    for number in range(4):
        write_film(tmp_path / "films" / f"{number}.png", number)
    return tmp_path / "films"


def test_rows_of_one_study_are_its_views(tmp_path: Path, films: Path) -> None:
    rows = [
        {**ROW, "study_id": "s1", "split": "val", "view": "PA"},
        {**ROW, "image": "1.png", "study_id": "s1", "split": "val", "view": "Lateral"},
        {**ROW, "image": "2.png", "study_id": "s2", "patient_id": "b", "split": "train", "view": ""},
        {**ROW, "image": "3.png", "study_id": "s3", "patient_id": "b", "split": "", "view": "AP", "report": OPACITY},
    ]
    prepare(table_source(write_table(tmp_path / "table.csv", rows), films), tmp_path / "out", workers=1)
    studies = {study.study_id: study for study in PreparedDataset.open(tmp_path / "out").studies}
    assert [view.view for view in studies["s1"].views] == ["frontal", "lateral"]
    assert studies["s2"].views[0].view == "unknown"
    # A study without a split goes where its patient is.
    assert {study_id: study.split for study_id, study in studies.items()} == {
        "s1": "validate",
        "s2": "train",
        "s3": "train",
    }


def test_a_report_keeps_its_lines_and_each_is_labelled_by_itself(tmp_path: Path, films: Path) -> None:
    report = "No pneumothorax \r\nPleural  effusion on the right\n\n\n\nOld clips\n"
    prepare(
        table_source(write_table(tmp_path / "table.csv", [{**ROW, "report": report}]), films),
        tmp_path / "out",
        workers=1,
    )
    (study,) = PreparedDataset.open(tmp_path / "out").studies
    assert study.findings == "No pneumothorax\nPleural effusion on the right\n\nOld clips"
    assert study.labels[CONDITIONS.index("pleural effusion")] == POSITIVE


def test_an_empty_report_or_a_missing_image_sets_aside_that_study_alone(tmp_path: Path, films: Path) -> None:
    rows = [ROW, {**ROW, "image": "1.png", "report": " "}, {**ROW, "image": "none.png"}]
    prepare(table_source(write_table(tmp_path / "table.csv", rows), films), tmp_path / "out", workers=1)
    assert [study.study_id for study in PreparedDataset.open(tmp_path / "out").studies] == ["0"]
    rejected = (tmp_path / "out" / "rejected.csv").read_text().splitlines()
    assert rejected[1:] == [
        "1,its report is empty",
        "none.png,no image file found",
        "none,no film of it could be read",
    ]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"image": "0.png", "text": "x"}], "column report, patient_id is missing"),
        ([ROW, ROW], "0.png is listed twice"),
        ([ROW, {**ROW, "image": "./0.png"}], "0.png is listed twice"),
        ([{**ROW, "patient_id": ""}], "row 1 has no patient_id"),
        ([{**ROW, "image": ""}], "row 1 has no image"),
        (
            [{**ROW, "split": "train"}, {**ROW, "image": "1.png", "split": "test"}],
            r"1 patient\(s\) are in two splits",
        ),
        ([{**ROW, "split": "holdout"}], '"holdout" of 0.png is not known'),
        (
            [{**ROW, "study_id": "s"}, {**ROW, "image": "1.png", "study_id": "s", "report": OPACITY}],
            "study_id s is on rows with a different report",
        ),
        (
            [{**ROW, "study_id": "s"}, {**ROW, "image": "1.png", "study_id": "s", "patient_id": "b"}],
            "study_id s is on rows with a different patient_id",
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_wrong_use(
    tmp_path: Path, films: Path, rows: list[dict[str, str]], reason: str
) -> None:
    with pytest.raises(WrongUse, match=reason) as error:
        table_source(write_table(tmp_path / "table.csv", rows), films)
    assert str(error.value).startswith(str(tmp_path / "table.csv"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"image,report,patient_id\n", "a header and no rows"),
        ("image,report,patient_id\n0.png,Épanchement,a\n".encode("latin-1"), "not UTF-8"),
        (
            b"image,report,patient_id\n0.png,clear, no effusion,a\n",
            "line 2 does not have 3 fields as the header does but 4",
        ),
        (b"image,report,patient_id\n0.png,clear,a\n1.png,clear\n", "line 3 does not have 3 fields"),
    ],
)
def test_a_file_that_is_no_table_is_wrong_use(tmp_path: Path, films: Path, content: bytes, reason: str) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(WrongUse, match=reason):
        table_source(tmp_path / "table.csv", films)


def test_a_byte_order_mark_and_spaces_in_the_header_are_forgiven(tmp_path: Path, films: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xef\xbb\xbfimage, report ,patient_id\n0.png,Clear lungs.,a\n")
    assert len(table_source(tmp_path / "table.csv", films).studies(tmp_path)) == 1


def test_a_missing_table_or_folder_is_wrong_use(tmp_path: Path, films: Path) -> None:
    with pytest.raises(WrongUse, match="cannot be opened"):
        table_source(tmp_path / "none.csv", films)
    with pytest.raises(WrongUse, match="no such folder"):
        table_source(write_table(tmp_path / "table.csv", [ROW]), tmp_path / "none")


@pytest.mark.parametrize("image", [".", "./", "/"])
def test_a_folder_for_an_image_sets_aside_its_row(tmp_path: Path, films: Path, image: str) -> None:
    table = write_table(tmp_path / "table.csv", [ROW, {**ROW, "image": image, "patient_id": "b"}])
    prepare(table_source(table, films), tmp_path / "out", workers=1)
    assert len(PreparedDataset.open(tmp_path / "out").studies) == 1


def test_a_corrected_table_may_be_prepared_where_no_study_was_left(tmp_path: Path, films: Path) -> None:
    table = write_table(tmp_path / "table.csv", [{**ROW, "image": "none.png"}])
    with pytest.raises(RadscribeError, match="no study is left"):
        prepare(table_source(table, films), tmp_path / "out", workers=1)
    prepare(table_source(write_table(table, [ROW]), films), tmp_path / "out", workers=1)
    assert len(PreparedDataset.open(tmp_path / "out").studies) == 1
