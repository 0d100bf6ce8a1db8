"""An archive that answers wrongly, late or not at all: what is stored is known, and nothing is asked twice in a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import fake_archive
import pytest
from cases import BORN, IDENTIFIER
from fake_archive import FakeArchive, Fault, cut, empty_answer, half_stored, nonsense, only_says_so, silent, status
from pydicom import dcmread

from radscribe.core.errors import WrongUse
from radscribe.pacs import dicomweb
from radscribe.pacs.dicomweb import DicomwebArchive
from radscribe.pacs.errors import ArchiveError, ArchiveUnreachable
from radscribe.pacs.http_session import ArchiveSession, Login

STUDY = "1.2.826.1"
Film = Callable[..., bytes]
SECRETS = ("Secret", "Sécret", STUDY, BORN, IDENTIFIER)


def uids(documents: list[bytes]) -> set[str]:
    return {str(dcmread(BytesIO(each)).SOPInstanceUID) for each in documents}


def test_documents_are_stored_and_not_sent_again(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, documents: list[bytes]
) -> None:
    archive.store(STUDY, documents)
    assert set(fake.files) == uids(documents) and fake.asked["store"] == 1
    archive.store(STUDY, documents)
    assert fake.asked["store"] == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (only_says_so, "it confirmed all documents, yet 4 of them are not there"),
        (empty_answer, "it confirmed 0 of 4 documents"),
        (half_stored, "it confirmed 2 of 4 documents"),
        (nonsense, "its answer cannot be read"),
        (status(409), "it answers 409"),
        (status(500), "it answers 500"),
        (cut, "its answer ended early"),
        (silent(1.0), "no answer in time"),
    ],
)
def test_what_is_not_there_is_not_called_stored_and_the_next_try_completes_it(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, documents: list[bytes], fault: Fault, reason: str
) -> None:
    fake.faults.append(("store", fault))
    with pytest.raises(ArchiveError, match=reason) as error:
        archive.store(STUDY, documents)
    assert fake.asked["store"] == 1  # whether it is tried again is not for the library to decide
    assert not any(secret in str(error.value) for secret in SECRETS) and "\n" not in str(error.value)
    archive.store(STUDY, documents)
    assert set(fake.files) == uids(documents) and len(fake.files) == 4


def test_a_body_of_over_a_megabyte_goes_with_its_size(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, documents: list[bytes]
) -> None:
    large = dcmread(BytesIO(documents[3]))
    large.Rows, large.Columns, large.PixelData = 1000, 1000, bytes(3_000_000)
    content = BytesIO()
    large.save_as(content)
    archive.store(STUDY, [*documents[:3], content.getvalue()])
    (head,) = (heads for name, heads in fake.heads if name == "store")
    assert int(head["Content-Length"]) > 3_000_000 and "Transfer-Encoding" not in head
    assert len(fake.files) == 4


@pytest.mark.parametrize("number", [401, 403, 429, 502, 503, 504])
def test_a_status_that_every_study_would_get_is_the_archive_s_and_is_asked_for_once(
    fake: FakeArchive, archive: DicomwebArchive, number: int
) -> None:
    fake.faults.append(("studies", status(number)))
    with pytest.raises(ArchiveUnreachable, match=f"it answers {number}"):
        archive.studies(None)
    assert fake.asked == {"studies": 1}


@pytest.mark.parametrize("fault", [cut, nonsense, silent(1.0), status(404), status(500)])
@pytest.mark.parametrize("route", ["instances", "film"])
def test_a_film_that_does_not_come_costs_its_study_alone(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, tmp_path: Path, route: str, fault: Fault
) -> None:
    fake.put(film())
    fake.faults.append((route, fault))
    with pytest.raises(ArchiveError) as error:
        archive.films(STUDY, tmp_path)
    assert not isinstance(error.value, ArchiveUnreachable) and fake.asked[route] == 1
    assert not any(secret in str(error.value) for secret in SECRETS) and error.value.__cause__ is None


def test_another_film_than_the_one_asked_for_is_not_taken(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, tmp_path: Path
) -> None:
    fake.put(film())
    fake.faults.append(("film", lambda handler: handler.send_film(film(study=2))))
    with pytest.raises(ArchiveError, match="another film than the one asked for"):
        archive.films(STUDY, tmp_path)


def test_films_come_in_the_order_of_their_numbers_and_our_own_documents_are_none(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, documents: list[bytes], tmp_path: Path
) -> None:
    for number in (10, 2):
        fake.put(film(number=number))
    for each in documents:
        fake.put(each)
    found = archive.films(STUDY, tmp_path)
    assert [dcmread(path).InstanceNumber for path in found] == [2, 10] and len(fake.files) == 6


def test_an_answer_larger_than_a_film_is_not_read(fake: FakeArchive) -> None:
    fake.faults.append(("studies", lambda handler: handler.send(bytes(3000), "application/dicom+json")))
    with pytest.raises(Exception, match="more than 2,000 bytes"):
        ArchiveSession(Login(), most=2000).get(f"{fake.url}/studies", timeout=5)


def test_pages_are_read_until_one_brings_nothing_new(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicomweb, "PAGE", 2)
    for study in range(1, 6):
        fake.put(film(study=study))
    assert sorted(archive.studies(date(2025, 1, 1))) == [f"1.2.826.{study}" for study in range(1, 6)]
    assert set(archive.studies(None).values()) == {"1"}


def test_a_study_of_both_modalities_hides_no_other(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicomweb, "PAGE", 1)
    fake.put(film())
    fake.put(film(number=2, Modality="CR"))
    fake.put(film(study=2))
    assert len(archive.studies(None)) == 2


def test_an_archive_that_does_not_count_from_the_offset_is_no_loop(
    fake: FakeArchive, archive: DicomwebArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = {"0020000D": {"vr": "UI", "Value": [STUDY]}}
    hostile = {"0020000D": {"vr": "UI", "Value": ["../../secret"]}}
    fake.faults += [("studies", lambda handler: handler.send_items([item, hostile]))] * 100
    assert list(archive.studies(None)) == [STUDY]
    assert fake.asked["studies"] == 4  # twice for each modality


def test_our_documents_are_known_by_all_their_kinds_and_the_fingerprint(
    fake: FakeArchive, archive: DicomwebArchive, film: Film, documents: list[bytes]
) -> None:
    fingerprint = "0123456789abcdef" * 4
    fake.put(film())
    for each in documents[:3]:
        fake.put(each)
    assert not archive.holds_drafts(STUDY, fingerprint)
    fake.put(documents[3])
    assert archive.holds_drafts(STUDY, fingerprint)
    assert not archive.holds_drafts(STUDY, "f" * 64)


def test_nobody_there_is_one_line(film: Film) -> None:
    with pytest.raises(ArchiveUnreachable, match="nobody answers; is it running"):
        DicomwebArchive("http://127.0.0.1:1/dicom-web/", Login()).studies(None)


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        (Login(token="abc"), "Bearer abc"),
        (Login(user="anna", password="päss"), "Basic YW5uYTpww6Rzcw=="),
        (Login(), None),
    ],
)
def test_the_login_is_sent_and_not_shown(
    fake: FakeArchive, login: Login, sent: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc") if sent else str(tmp_path / "none"))
    DicomwebArchive(fake.url, login).studies(None)
    assert fake.heads[0][1].get("Authorization") == sent
    assert "abc" not in repr(login) and "päss" not in repr(login)


def test_half_a_login_is_wrong_use() -> None:
    for fields in ({"user": "anna"}, {"password": "x"}, {"token": "x", "user": "anna", "password": "x"}):
        with pytest.raises(WrongUse):
            Login(**fields)


def test_the_fake_archive_reads_what_the_library_sends(film: Film) -> None:
    body = b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n" + film() + b"\r\n--b--"
    (uid,) = (each["00081155"]["Value"][0] for each in json.loads(json.dumps(confirmed(body))))
    assert uid == "1.2.826.1.1.1"


def confirmed(body: bytes) -> Any:
    return fake_archive.confirmation(body)["00081199"]["Value"]
