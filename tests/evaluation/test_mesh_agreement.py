"""The labeler beside the tags of people."""

from __future__ import annotations

from pathlib import Path

import pytest

from radscribe.data.sources.iu_reports import IuReport
from radscribe.evaluation.mesh_agreement import agreement_table, is_sealed, page, tagged_conditions
from radscribe.labels.conditions import CONDITIONS


def names(*tags: str) -> set[str]:
    return {CONDITIONS[index] for index in tagged_conditions(tags)}


def test_tags_follow_the_labelers_conventions() -> None:
    assert names("normal") == names("Catheters, Indwelling/left") - {"support devices"} == {"no finding"}
    assert names("Calcified Granuloma/lung/lower lobe/left") == names("Scoliosis") - {"bone/spine"} == set()
    assert names("Cicatrix/lung/apex/left") == {"lung opacity"}
    assert names("Cicatrix/pleura/right") == {"pleural other"}
    assert names("Nodule/lung/left", "Calcinosis/lung/left") == set()
    assert names("Nodule/lung/left", "Calcinosis/lung/right") == {"lung lesion"}
    assert names("Hydropneumothorax/left") == {"pneumothorax", "pleural effusion"}
    assert names("Catheters, Indwelling/left", "Spine/degenerative/mild") == {"support devices", "bone/spine"}


def test_the_halves_are_fixed_and_about_equal() -> None:
    sealed = [is_sealed(f"CXR{number}") for number in range(1, 1001)]
    assert sealed == [is_sealed(f"CXR{number}") for number in range(1, 1001)]
    assert 440 < sum(sealed) < 560


def test_counts_of_a_table_by_hand() -> None:
    reports = [
        IuReport("CXR1", "Mild cardiomegaly.", "", "", "", (), ("Cardiomegaly/mild",)),
        IuReport("CXR2", "Possible cardiomegaly.", "", "", "", (), ("normal",)),
        IuReport("CXR3", "The lungs are clear.", "", "", "", (), ("Cardiomegaly",)),
    ]
    row = next(line for line in agreement_table(reports).splitlines() if line.startswith("| cardiomegaly"))
    assert [cell.strip() for cell in row.split("|")[2:5]] == ["2", "0.500", "0.500"]


def test_the_published_page_is_what_the_code_says(shared_data: Path) -> None:
    found = page(shared_data / "iu_xray" / "NLMCXR_reports.tgz")
    published = Path(__file__).parents[2] / "docs" / "results" / "labeler.md"
    assert found in published.read_text(encoding="utf-8")


def test_a_file_that_is_no_archive_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_text("nothing")
    with pytest.raises(Exception, match=r"cannot be read as NLMCXR_reports\.tgz"):
        page(tmp_path / "x.tgz")
