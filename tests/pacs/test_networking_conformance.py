"""The networking in docs/trust/dicom-conformance.md is what goes over the network, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fake_archive import FakeArchive
from orthanc import free_port
from pydicom.datadict import tag_for_keyword
from pydicom.uid import UID
from pynetdicom import AE
from test_dicom_conformance import PAGE, rows, section

from radscribe.clinic.folder import OBJECTS
from radscribe.imaging import one_patient
from radscribe.imaging.dicom import RADIOGRAPH_CLASSES
from radscribe.pacs import dicomweb, film_queue, receiver, senders
from radscribe.pacs.dicomweb import DicomwebArchive
from radscribe.pacs.errors import ArchiveUnreachable
from radscribe.pacs.film_queue import FilmQueue
from radscribe.pacs.http_session import ANSWER_BYTES
from radscribe.pacs.receiver import Receiver, ReceiverConfig
from radscribe.pacs.senders import Peer
from radscribe.pacs.work import BackOff

STUDY = "1.2.826.1"
USER_AGENT, SCP, SCU = (
    " ".join(section("Networking", name).split()) for name in ("DICOMweb user agent", "Storage SCP", "Storage SCU")
)


def tables(name: str) -> list[list[list[str]]]:
    """The tables of a part of the networking."""
    blocks = re.findall(r"(?:^\|.*\n)+", section("Networking", name), re.MULTILINE)
    return [rows(block) for block in blocks]


class Recorded(AE):
    """An application entity that is remembered."""

    made: ClassVar[list[AE]] = []

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.made.append(self)


@pytest.fixture
def entities(monkeypatch: pytest.MonkeyPatch) -> list[AE]:
    """The application entities that are made, as they were set when the test looks."""
    monkeypatch.setattr(Recorded, "made", [])
    for module in (receiver, senders):
        monkeypatch.setattr(module, "AE", Recorded)
    return Recorded.made


def test_every_request_to_an_archive_is_in_the_table_and_no_other(
    fake: FakeArchive, archive: DicomwebArchive, film: Callable[..., bytes], documents: list[bytes], tmp_path: Path
) -> None:
    fake.put(film())
    for since in (None, date(2025, 1, 1)):
        assert archive.studies(since)
    assert archive.listing(STUDY) and archive.films(STUDY, tmp_path)
    archive.store(STUDY, documents)
    assert archive.holds_drafts(STUDY, "0123456789abcdef" * 4)
    found = set()
    for (name, head), (request, query) in zip(fake.heads, fake.queries, strict=True):
        path = request
        for kind, plain in (("studies", "study"), ("series", "series"), ("instances", "instance")):
            path = re.sub(rf"/{kind}/[0-9.]+", f"/{kind}/{{{plain}}}", path)
        service = {"store": "STOW-RS", "film": "WADO-RS", "metadata": "WADO-RS"}.get(name, "QIDO-RS")
        sent = head.get("Content-Type", "none").partition("; boundary")[0]
        found.add((service, path, ", ".join(sorted(query)) or "none", head["Accept"], sent))
    stated = [tuple(row) for row in tables("DICOMweb user agent")[0]]
    assert (
        len(stated) == len(set(stated))
        and {
            (service, request, ", ".join(sorted(query.split(", "))), *more) for service, request, query, *more in stated
        }
        == found
    )


def test_the_attributes_that_are_read_from_an_archive_are_stated() -> None:
    stated = {keyword for _, cell in tables("DICOMweb user agent")[1] for keyword in re.findall(r"[A-Z]\w+", cell)}
    names = ("CLASS", "INSTANCE", "STUDY", "SERIES", "COUNT", "MODALITY", "MAKER", "SERIAL", "SERIES_NUMBER", "NUMBER")
    assert {f"{tag_for_keyword(keyword):08X}" for keyword in stated} == {getattr(dicomweb, name) for name in names}


def test_the_limits_and_retries_of_dicomweb_are_the_code_s() -> None:
    back_off, (connect, silent) = BackOff(), dicomweb.TIMEOUT
    assert f"a page has {dicomweb.PAGE} studies" in USER_AGENT
    assert f"ModalitiesInStudy is {', then '.join(dicomweb.MODALITIES)};" in USER_AGENT
    assert f"; {dicomweb.MOST_FILMS} of a study at most." in USER_AGENT
    assert f"One answer has at most {ANSWER_BYTES // 2**20} MiB." in USER_AGENT
    assert f"rests {back_off.first:.0f} s, then twice" in USER_AGENT and f"up to {back_off.most:,.0f} s," in USER_AGENT
    assert f"given up after {back_off.tries} failures" in USER_AGENT
    assert f"{', '.join(str(int(each)) for each in dicomweb.UNREACHABLE)} and no answer" in USER_AGENT
    assert f"waited {connect:.0f} s for a connection, {silent:.0f} s between" in USER_AGENT


def test_what_is_accepted_of_peers_and_within_which_limits(entities: list[AE], tmp_path: Path) -> None:
    config = ReceiverConfig(port=0)
    with Receiver(config, FilmQueue(tmp_path)).listening():
        (entity,) = entities
        contexts = {each.abstract_syntax: each for each in entity.supported_contexts}
        assert set(contexts) == {receiver.VERIFICATION, *RADIOGRAPH_CLASSES}
        syntaxes, settings, _ = tables("Storage SCP")
        for kind in RADIOGRAPH_CLASSES:
            assert [[UID(each).name, each] for each in contexts[kind].transfer_syntax] == syntaxes
        assert not any(each.scu_role for each in contexts.values())
        limits = dict(settings)
        assert entity.require_called_aet
        assert limits["application entity title, which peers must call"].startswith(f"{entity.ae_title}, or ")
        assert limits["associations at the same time, connections that ask for none among them"] == str(
            entity.maximum_associations
        )
        assert limits["silence that ends an association"] == f"{entity.network_timeout:.0f} s"
        assert limits["largest protocol data unit"].startswith(f"{entity.maximum_pdu_size} bytes; ")
    assert limits["largest protocol data unit"].endswith(f"over {receiver.UNIT_BYTES} is closed")
    assert limits["largest film"].startswith(f"{config.film_bytes} bytes; ")
    assert limits["address, port"].startswith(f"{config.host}, {ReceiverConfig().port}; or ")


def test_the_statuses_are_those_that_are_answered_and_taken() -> None:
    answered = ("SUCCESS", "NOT_AUTHORIZED", "NO_RESOURCES", "OTHER_CLASS", "NOT_UNDERSTOOD")
    assert [status for status, _ in tables("Storage SCP")[2]] == [
        f"0x{getattr(receiver, name):04X}" for name in answered
    ]
    taken = [status for status, outcome in tables("Storage SCU")[0] if outcome == "stored"]
    assert taken == [f"0x{status:04X}" for status in senders.STORED]


def test_what_is_asked_of_a_peer_that_gets_documents(entities: list[AE], documents: list[bytes]) -> None:
    with pytest.raises(ArchiveUnreachable):
        Peer("ARCHIVE", "127.0.0.1", free_port()).store("study", documents)
    (entity,) = entities
    written: list[Any] = rows(section("SOP classes", "Written"))
    assert [each.abstract_syntax for each in entity.requested_contexts] == [uid for _, _, uid, _ in written]
    (syntax,) = (uid for _, uid in rows(section("Transfer syntaxes", "Written")))
    assert {each for context in entity.requested_contexts for each in context.transfer_syntax} == {syntax}
    assert "in Explicit VR Little Endian alone" in SCU and len(OBJECTS) == len(entity.requested_contexts)
    assert f"It waits {entity.dimse_timeout:.0f} s for each answer." in SCU and entity.ae_title == "RADSCRIBE"


def test_the_attributes_that_are_read_of_films_are_stated() -> None:
    for heading, expected in (
        ("Read to tell patients apart", one_patient.READ),
        ("Read of films that are received", dict.fromkeys((*film_queue.NEEDED, *film_queue.ORDERED))),
    ):
        text = section("Attributes", heading).strip().split("\n\n")[0]
        assert " ".join(text.split()).split(", ") == list(expected), heading


def test_what_is_missing_is_said() -> None:
    text = " ".join(PAGE.split())
    for words in ("**DIMSE has no TLS here**", "**Storage commitment is not asked for**", "Not offered and not used:"):
        assert words in text
