"""The documents of a study in its folder, and ``radscribe generate --clinic``."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import BORN, CONFIG, DRAFT, IDENTIFIER, MADE, write_film
from PIL import Image
from pydicom import dcmread

from radscribe.clinic import extra, folder
from radscribe.clinic.folder import OBJECTS, PLAIN, StandardsFolder
from radscribe.core.errors import WrongUse
from radscribe.imaging.crop import centre_crop
from radscribe.imaging.film import fit, read_film
from radscribe.imaging.refusal import RefusedFilm

SECRETS = ("Sécret", "Patient^", "^Patient", BORN, IDENTIFIER)
Run = Callable[..., tuple[int, str, str]]


def written(target: Path, *paths: Path, **changes: Any) -> str:
    films = [read_film(path) for path in paths]
    view = centre_crop(fit(films[0].pixels, CONFIG.resize), CONFIG)
    return StandardsFolder(target, CONFIG, MADE).write(replace(DRAFT, **changes), paths, films, view)


def names(target: Path) -> set[str]:
    return {path.name for path in target.iterdir()}


@pytest.fixture
def png(tmp_path: Path) -> Path:
    levels = np.random.default_rng(2).integers(0, 255, (50, 40), dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "film.png")
    return tmp_path / "film.png"


def test_a_dicom_film_gives_all_six_files_in_one_study(tmp_path: Path) -> None:
    assert written(tmp_path / "out", write_film(tmp_path / "film.dcm")) == ""
    assert names(tmp_path / "out" / "film") == {*PLAIN, *OBJECTS}
    objects = [dcmread(tmp_path / "out" / "film" / name, stop_before_pixels=True) for name in OBJECTS]
    assert {each.StudyInstanceUID for each in objects} == {"1.2.3"}
    for keyword in ("SeriesInstanceUID", "SOPInstanceUID", "SeriesNumber"):
        assert len({each[keyword].value for each in objects}) == 4
    assert all("research use only" in each.SeriesDescription for each in objects)


def test_writing_again_replaces_each_file_by_the_same(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.dcm")
    written(tmp_path / "out", film)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out" / "film").iterdir()}
    written(tmp_path / "out", film)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out" / "film").iterdir()}


def test_a_png_gives_the_pdf_and_fhir_and_says_so(tmp_path: Path, png: Path) -> None:
    note = written(tmp_path / "out", png)
    assert note == "it has no DICOM header; only report.pdf and fhir.json are written"
    assert names(tmp_path / "out" / "film") == set(PLAIN)


def test_a_film_of_the_same_name_leaves_nothing_of_an_earlier_patient(tmp_path: Path, png: Path) -> None:
    written(tmp_path / "out", write_film(tmp_path / "film.dcm"))
    written(tmp_path / "out", png)
    assert names(tmp_path / "out" / "film") == set(PLAIN)


def test_a_dicom_film_without_a_study_is_written_as_a_png_is(tmp_path: Path) -> None:
    note = written(tmp_path / "out", write_film(tmp_path / "film.dcm", StudyInstanceUID=None))
    assert "no StudyInstanceUID" in note and note.endswith("only report.pdf and fhir.json are written")
    assert names(tmp_path / "out" / "film") == set(PLAIN)


def test_the_lateral_film_counts_where_it_is_of_the_study(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.dcm")
    own = write_film(tmp_path / "own.dcm", SOPInstanceUID="1.2.3.5")
    other = write_film(tmp_path / "other.dcm", SOPInstanceUID="1.2.9.5", StudyInstanceUID="1.2.9")
    for lateral, count in ((own, 2), (other, 1)):
        written(tmp_path / "out", film, lateral)
        report = dcmread(tmp_path / "out" / "film" / "report.sr.dcm")
        (study,) = report.CurrentRequestedProcedureEvidenceSequence
        assert len(study.ReferencedSeriesSequence[0].ReferencedSOPSequence) == count
        assert "PertinentOtherEvidenceSequence" not in report


def test_a_study_id_that_is_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no name of a folder"):
        StandardsFolder(tmp_path, CONFIG, MADE).outputs("../elsewhere")


def test_a_failing_library_is_one_line_without_the_patient_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "film.dcm")
    written(tmp_path / "out", film)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out" / "film").iterdir()}

    def fails(case: Any) -> None:
        raise ValueError(f"{case.source.header.PatientName} is no name")

    monkeypatch.setattr(folder, "narrative", fails)
    with pytest.raises(RefusedFilm, match=r"its reports cannot be made \(ValueError\)") as error:
        written(tmp_path / "out", film, warnings=("another",))
    assert not any(secret in str(error.value) for secret in SECRETS) and error.value.__cause__ is None
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out" / "film").iterdir()}


def test_generate_goes_on_where_the_reports_of_one_film_cannot_be_made(
    checkpoint: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = folder.narrative

    def fails_once(case: Any) -> Any:
        if case.draft.study_id == "first":
            raise ValueError(IDENTIFIER)
        return made(case)

    monkeypatch.setattr(folder, "narrative", fails_once)
    films = [write_film(tmp_path / f"{name}.dcm", rows=80, columns=70) for name in ("first", "second")]
    arguments = ("--checkpoint", str(checkpoint), "--anyway", "--clinic", str(tmp_path / "out"))
    code, out, err = run("generate", *map(str, films), *arguments)
    assert code == 1 and len(out.splitlines()) == 2 and IDENTIFIER not in err
    assert f"radscribe: {films[0]}: its reports cannot be made (ValueError)\n" in err
    assert names(tmp_path / "out" / "second") == {*PLAIN, *OBJECTS} and not names(tmp_path / "out" / "first")


@pytest.mark.filterwarnings("error::UserWarning")  # highdicom warns of a name of one part, and quotes it
def test_no_library_warns_of_the_patient_s_name(tmp_path: Path) -> None:
    assert written(tmp_path / "out", write_film(tmp_path / "film.dcm", PatientName="Sécret")) == ""


def test_generate_writes_the_folder_and_shows_no_patient(checkpoint: Path, tmp_path: Path, run: Run, png: Path) -> None:
    film = write_film(tmp_path / "chest.dcm", rows=80, columns=70)
    arguments = ("--checkpoint", str(checkpoint), "--anyway", "--clinic", str(tmp_path / "out"))
    code, out, err = run("generate", str(film), str(png), *arguments)
    assert code == 0
    assert names(tmp_path / "out") == {"chest", "film"}
    assert names(tmp_path / "out" / "chest") == {*PLAIN, *OBJECTS} and names(tmp_path / "out" / "film") == set(PLAIN)
    assert f"radscribe: {png}: it has no DICOM header; only report.pdf and fhir.json are written" in err
    assert not any(secret in out + err for secret in SECRETS)
    drafted = json.loads(out.splitlines()[0])
    assert dcmread(tmp_path / "out" / "chest" / "report.sr.dcm").DeviceSerialNumber == drafted["model"]["fingerprint"]


def test_generate_does_not_replace_a_film(checkpoint: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "overlay.sc").mkdir()
    film = write_film(tmp_path / "overlay.sc" / "overlay.sc.dcm")
    before = film.read_bytes()
    code, _, err = run("generate", str(film), "--checkpoint", str(checkpoint), "--clinic", str(tmp_path))
    assert code == 2 and "would replace the input" in err and film.read_bytes() == before


def test_without_the_extra_one_line_says_how_to_install_it(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "reportlab" else importlib.machinery)
    code, _, err = run("generate", str(tmp_path / "film.dcm"), "--clinic", str(tmp_path / "out"))
    assert code == 1 and err == "radscribe: reportlab: not installed; pip install 'radscribe[clinic]'\n"
    assert not (tmp_path / "out").exists()


def test_the_help_has_an_example(run: Run) -> None:
    assert "radscribe generate film.dcm --clinic reports" in run("generate", "--help")[1]


def test_drafting_alone_loads_no_package_of_the_extra() -> None:
    program = "import sys, radscribe.cli.main, radscribe.drafting.batch; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout.split()
    assert not {"highdicom", "fhir", "reportlab"} & set(loaded) and "radscribe.drafting.batch" in loaded
