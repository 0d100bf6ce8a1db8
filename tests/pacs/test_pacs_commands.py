"""``radscribe worklist`` and ``radscribe receive`` as a user meets them."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fake_archive import FakeArchive, status
from pydicom import dcmread

from radscribe.cli import worklist as verb
from radscribe.core.errors import WrongUse
from radscribe.core.locks import try_lock
from radscribe.imaging.refusal import RefusedFilm
from radscribe.pacs import worklist
from radscribe.pacs.dicomweb import DicomwebArchive
from radscribe.pacs.drafting import StudyDocuments
from radscribe.pacs.state import opened_state
from radscribe.pacs.work import BackOff, StudyWork
from radscribe.pacs.worklist import Watch, WorklistConfig, read_day

Film = Callable[..., bytes]
Run = Callable[..., tuple[int, str, str]]


class Copies:
    """Drafts a study as ``documents``, under UIDs of its own, unless its first film is of a hand."""

    fingerprint = "0123456789abcdef" * 4

    def __init__(self, documents: list[bytes]) -> None:
        self._documents = documents

    def draft(self, paths: Sequence[Path]) -> StudyDocuments:
        film = dcmread(paths[-1])
        if film.BodyPartExamined == "HAND":
            raise RefusedFilm("film", "it shows HAND, not a chest")
        made = [dcmread(BytesIO(each)) for each in self._documents]
        contents = [BytesIO() for _ in made]
        for place, (each, content) in enumerate(zip(made, contents, strict=True)):
            each.StudyInstanceUID, uid = film.StudyInstanceUID, f"{film.StudyInstanceUID}.9.{place}"
            each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = uid
            each.save_as(content)
        return StudyDocuments(tuple(content.getvalue() for content in contents), "")


@pytest.fixture
def watch(
    fake: FakeArchive, archive: DicomwebArchive, documents: list[bytes], tmp_path: Path
) -> Callable[..., tuple[list[float], list[str]]]:
    """Watches ``fake`` with these settings until the program would sleep for the nth time; the sleeps and lines."""

    def run(monkeypatch: pytest.MonkeyPatch, sleeps: int, between: Callable[[], object] = str, **known: Any) -> Any:
        lines, slept = list[str](), list[float]()
        config = WorklistConfig(**({"url": fake.url, "since": "all", "settle": 0.0} | known))

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            between()
            if len(slept) == sleeps:
                raise KeyboardInterrupt

        with opened_state(tmp_path / "list.db") as state:
            work = StudyWork(state, Copies(documents), archive, config.back_off, tmp_path)  # type: ignore[arg-type]
            monkeypatch.setattr(worklist.time, "sleep", sleep)
            with pytest.raises(KeyboardInterrupt):
                Watch(config, work, archive, lines.append).run()
        return slept, lines

    return run


def test_new_studies_are_drafted_as_they_come(
    fake: FakeArchive, film: Film, watch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept, lines = watch(monkeypatch, 3, lambda: fake.put(film(len(fake.files) + 1)))
    assert slept == [30.0] * 3 and len(lines) == 2 and all(line.startswith("studies: 1 ") for line in lines)
    assert len(fake.files) == 3 + 2 * 4  # the third film came last


def test_an_archive_that_is_gone_is_asked_again_after_longer_and_longer(
    fake: FakeArchive, film: Film, watch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.put(film())
    fake.faults += [("studies", status(503))] * 3
    slept, lines = watch(monkeypatch, 4, back_off=BackOff(first=5.0))
    assert slept == [5.0, 10.0, 20.0, 30.0]
    assert lines[0] == f"{fake.url}: could not search for studies: it answers 503; it is asked again in 5 s"
    assert len(lines) == 4 and len(fake.files) == 5


def test_a_new_study_rests_for_its_last_films(
    fake: FakeArchive, film: Film, watch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.put(film())
    assert watch(monkeypatch, 2, settle=60.0)[1] == [] and len(fake.files) == 1
    now = time.time
    monkeypatch.setattr(worklist.time, "time", lambda: now() + 61)
    assert len(watch(monkeypatch, 2, settle=60.0)[1]) == 1 and len(fake.files) == 5


def test_a_study_that_is_refused_is_drafted_once_a_chest_film_comes(
    fake: FakeArchive, film: Film, watch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.put(film(number=1, BodyPartExamined="HAND"))
    assert watch(monkeypatch, 3)[1] == ["studies: 1 refused"]
    assert fake.asked["instances"] == 2  # not asked again for films while their number stays
    fake.put(film(number=2))
    lines = watch(monkeypatch, 3)[1]
    assert len(lines) == 1 and "refused" not in lines[0] and len(fake.files) == 6


def test_once_ends_with_an_error_where_the_archive_is_gone(checkpoint: Path, tmp_path: Path, run: Run) -> None:
    code, out, err = run(
        "worklist", "--dicomweb", "http://127.0.0.1:1/dicom-web", "--once", "--checkpoint", str(checkpoint),
        "--state", str(tmp_path / "list.db"),
    )  # fmt: skip
    assert code == 1 and not out
    assert err.splitlines()[-1] == (
        "radscribe: http://127.0.0.1:1/dicom-web: nobody answers; is it running, and is the address right?"
    )


def test_once_ends_with_an_error_where_a_study_failed_and_the_next_run_completes_it(
    fake: FakeArchive, film: Film, checkpoint: Path, tmp_path: Path, run: Run
) -> None:
    fake.put(film())
    fake.faults.append(("store", status(409)))
    arguments = ("worklist", "--dicomweb", fake.url, "--once", "--checkpoint", str(checkpoint), "--since", "all",
                 "--state", str(tmp_path / "list.db"), "--evidence", "none")  # fmt: skip
    code, _, err = run(*arguments)
    assert code == 1 and "it answers 409; it is tried again" in err and "1.2.826" not in err
    code, _, err = run(*arguments)
    assert code == 0 and len(fake.files) == 5
    assert oct(os.umask(os.umask(0o022))) == "0o22"  # as it was


def test_a_study_that_names_two_patients_is_refused_and_nothing_is_stored(
    fake: FakeArchive, film: Film, checkpoint: Path, tmp_path: Path, run: Run
) -> None:
    for number, patient in enumerate(("ID-1", "ID-2"), start=1):
        fake.put(film(number=number, PatientID=patient))
    fake.put(film(study=2))
    code, _, err = run(
        "worklist", "--dicomweb", fake.url, "--once", "--checkpoint", str(checkpoint), "--since", "all",
        "--state", str(tmp_path / "list.db"), "--evidence", "none",
    )  # fmt: skip
    assert code == 0 and "refused: its films name more than one patient; correct them in the archive\n" in err
    assert len(fake.files) == 3 + 4 and not any(secret in err for secret in ("ID-1", "ID-2", "1.2.826"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("worklist", "--dicomweb", "ftp://archive"), "it is no address"),
        (("worklist", "--dicomweb", "http://anna:secret@archive/dicom-web"), "a name goes into --user"),
        (("worklist", "--dicomweb", "http://archive", "--since", "monday"), "--since monday: give a day"),
        (("worklist", "--dicomweb", "http://archive", "--limit", "0"), "--limit 0: give 1 or more"),
        (("worklist", "--dicomweb", "http://archive", "--interval", "0"), "--interval must be above 0"),
        (("worklist", "--dicomweb", "http://archive", "--user", "anna"), "--user and --password-file go together"),
        (("receive",), "give either --send-to AET@HOST:PORT or --out FOLDER"),
        (("receive", "--out", "x", "--send-to", "A@b:1"), "give either --send-to AET@HOST:PORT or --out FOLDER"),
        (("receive", "--out", "x", "--host", "0.0.0.0"), "give --allow, or keep 127.0.0.1"),
        (("receive", "--out", "x", "--settle", "-1"), "--settle -1: give seconds"),
    ],
)
def test_wrong_use_is_one_line(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and not out and reason in err and err.count("\n") == 1 and "secret" not in err


def test_two_processes_do_not_share_a_list(checkpoint: Path, tmp_path: Path, run: Run) -> None:
    with try_lock(tmp_path / "list.db.lock"):
        code, _, err = run(
            "worklist", "--dicomweb", "http://127.0.0.1:1", "--once", "--checkpoint", str(checkpoint),
            "--state", str(tmp_path / "list.db"),
        )  # fmt: skip
    assert code == 1 and "another process works on this list" in err


@pytest.mark.parametrize("verb_name", ["worklist", "receive"])
def test_without_the_extra_one_line_says_how_to_install_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, verb_name: str
) -> None:
    monkeypatch.setattr(verb, "find_spec", lambda name: None if name == "pynetdicom" else importlib.machinery)
    options = {"worklist": ("--dicomweb", "http://archive"), "receive": ("--out", "x")}
    code, _, err = run(verb_name, *options[verb_name])
    assert code == 1 and err == "radscribe: pynetdicom is missing; pip install 'radscribe[pacs]'\n"


def test_days_are_read() -> None:
    assert read_day("2026-01-31") == date(2026, 1, 31)
    assert WorklistConfig("http://a", read_day("recent")).first_day() == date.today() - timedelta(days=1)
    assert WorklistConfig("http://a", read_day("all")).first_day() is None


@pytest.mark.parametrize(("content", "fails"), [("abc\n", False), ("", True), ("a\nb\n", True)])
def test_a_token_is_one_line_of_a_file(tmp_path: Path, content: str, fails: bool) -> None:
    from radscribe.pacs.http_session import read_login

    (tmp_path / "token").write_text(content)
    if fails:
        with pytest.raises(WrongUse, match="write the token into it, on one line"):
            read_login(tmp_path / "token", None, None)
    else:
        assert read_login(tmp_path / "token", None, None).token == "abc"
