"""Films by DIMSE: who may send what, what is on the disk when success is answered, and where documents go."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cases import BORN, IDENTIFIER
from orthanc import free_port
from pydicom import dcmread, uid
from pynetdicom import AE, evt
from pynetdicom.dimse import DIMSEServiceProvider
from receiving import send
from test_work import Drafter

from radscribe.clinic.folder import OBJECTS
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.imaging.refusal import RefusedFilm
from radscribe.pacs import film_queue, receive
from radscribe.pacs.errors import ArchiveError, ArchiveUnreachable
from radscribe.pacs.film_queue import FilmQueue
from radscribe.pacs.receive import Hospital, ReceiveConfig, Reception
from radscribe.pacs.receiver import Caller, Receiver, ReceiverConfig, read_caller
from radscribe.pacs.senders import Folder, Peer, read_peer
from radscribe.pacs.state import opened_state
from radscribe.pacs.work import BackOff, StudyWork

Film = Callable[..., bytes]
STUDY = "1.2.826.1"


@pytest.fixture
def queue(tmp_path: Path) -> FilmQueue:
    return FilmQueue(tmp_path / "films")


@pytest.fixture
def receiving(queue: FilmQueue) -> Iterator[Callable[..., int]]:
    """Starts a receiver with these settings; returns its port."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            Receiver(ReceiverConfig(**({"port": 0} | settings)), queue).listening()
        )


def kept(queue: FilmQueue) -> list[Path]:
    return [path for study in queue.studies() for path in queue.films(study)]


def test_films_are_on_the_disk_in_a_folder_of_their_study_before_success_is_answered(
    receiving: Callable[..., int], queue: FilmQueue, film: Film
) -> None:
    port = receiving()
    sent = [film(1, 2), film(1, 1), film(2, 1, SOPClassUID=uid.SecondaryCaptureImageStorage, Modality="CR")]
    for each in sent:
        assert send(port, [each]) == [0]
        assert dcmread(BytesIO(each)).SOPInstanceUID in [dcmread(path).SOPInstanceUID for path in kept(queue)]
    assert sorted(len(queue.films(study)) for study in queue.studies()) == [1, 2]
    (two,) = (queue.films(study) for study in queue.studies() if len(queue.films(study)) == 2)
    assert [dcmread(path).InstanceNumber for path in two] == [1, 2]
    assert dcmread(two[0]).PixelData == dcmread(BytesIO(sent[1])).PixelData
    assert send(port, sent) == [0, 0, 0] and len(kept(queue)) == 3
    assert not any(secret in str(path) for path in kept(queue) for secret in (STUDY, IDENTIFIER, BORN))


def test_nothing_is_answered_with_success_that_the_disk_did_not_take(
    receiving: Callable[..., int], queue: FilmQueue, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    port = receiving()
    monkeypatch.setattr(film_queue, "wait_for_disk", full)
    assert send(port, [film()]) == [0xA700]
    monkeypatch.undo()
    assert send(port, [film()]) == [0]


def test_what_is_no_film_gets_a_status_that_says_so(
    receiving: Callable[..., int], queue: FilmQueue, film: Film
) -> None:
    port = receiving(film_bytes=20_000)
    assert send(port, [film(rows=200)]) == [0xA700]
    assert send(port, [film(SOPInstanceUID="1.2.826.5", StudyInstanceUID=None)]) == [0xC000]
    assert send(port, [film(StudyInstanceUID="../../etc")]) == [0xC000]
    assert kept(queue) == []
    assert send(port, [film()]) == [0]


def test_a_film_that_is_called_another_than_it_is_is_not_taken(
    receiving: Callable[..., int], queue: FilmQueue, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = DIMSEServiceProvider.send_msg

    def lying(provider: DIMSEServiceProvider, primitive: Any, context: int) -> None:
        primitive.AffectedSOPInstanceUID = "1.2.3.4.5"
        real(provider, primitive, context)

    port = receiving()
    monkeypatch.setattr(DIMSEServiceProvider, "send_msg", lying)
    assert send(port, [film()]) == [0xA900] and kept(queue) == []


def test_other_kinds_of_objects_are_not_negotiated(
    receiving: Callable[..., int], documents: list[bytes], film: Film
) -> None:
    port = receiving()
    assert send(port, [film(SOPClassUID=uid.CTImageStorage), documents[0]]) == [-1, -1]


def test_who_is_not_known_is_rejected(receiving: Callable[..., int], queue: FilmQueue, film: Film) -> None:
    port = receiving(callers=(Caller("MODALITY1"), Caller("ELSEWHERE", "192.0.2.7"), Caller("HERE", "127.0.0.1")))
    assert send(port, [film()], calling="STRANGER") == [-1]
    assert send(port, [film()], called="OTHER") == [-1]
    assert send(port, [film()], calling="ELSEWHERE") == [0x0124]
    assert kept(queue) == []
    assert send(port, [film()], calling="HERE") == [0] == send(port, [film(2)])


def test_an_echo_is_answered(receiving: Callable[..., int]) -> None:
    entity = AE("MODALITY1")
    entity.add_requested_context("1.2.840.10008.1.1")
    association = entity.associate("127.0.0.1", receiving(), ae_title="RADSCRIBE")
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_dataset_without_end_is_cut_off_and_others_are_served(
    receiving: Callable[..., int], queue: FilmQueue, film: Film
) -> None:
    port = receiving(film_bytes=50_000, seconds=5.0)
    assert send(port, [film(rows=1000, columns=1000)]) == [None]
    assert send(port, [film()]) == [0] and len(kept(queue)) == 1


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", struct.pack(">BBL", 1, 0, 2**31), b"\4\0", b""])
def test_peers_that_speak_no_dicom_leave_it_alive(receiving: Callable[..., int], film: Film, noise: bytes) -> None:
    port = receiving(seconds=2.0)
    with socket.create_connection(("127.0.0.1", port)) as opened:
        opened.sendall(noise)
    assert send(port, [film()]) == [0]


def test_a_unit_of_gigabytes_is_not_read(receiving: Callable[..., int], film: Film) -> None:
    port = receiving()
    with socket.create_connection(("127.0.0.1", port)) as opened:
        opened.settimeout(10)
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            opened.sendall(struct.pack(">BBL", 1, 0, 2**31))
            for _ in range(200):
                opened.sendall(bytes(2**20))
    assert send(port, [film()]) == [0]


def test_a_port_that_is_taken_is_one_line(receiving: Callable[..., int], queue: FilmQueue) -> None:
    port = receiving()
    taken = Receiver(ReceiverConfig(port=port), queue).listening()
    with pytest.raises(RadscribeError, match=f"--port {port}: .*; stop what uses it or choose another"), taken:
        pass


@pytest.mark.parametrize(
    "settings",
    [{"host": "0.0.0.0"}, {"title": ""}, {"title": "A" * 17}, {"title": "A\\B"}, {"port": 70_000}, {"film_bytes": 0}],
)
def test_unsafe_settings_are_wrong_use(settings: dict[str, Any]) -> None:
    with pytest.raises(WrongUse):
        ReceiverConfig(**settings)


def test_callers_and_peers_are_read_or_refused() -> None:
    assert read_caller("CT1") == Caller("CT1") and read_caller("CT1@::1") == Caller("CT1", "::1")
    assert read_peer("ARCHIVE@[::1]:104", "ME") == Peer("ARCHIVE", "::1", 104, "ME")
    assert ReceiverConfig(host="0.0.0.0", callers=(Caller("CT1"),))
    for text in ("ARCHIVE", "ARCHIVE@host", "@host:104", "ARCHIVE@host:x", "ARCHIVE@host:0"):
        with pytest.raises(WrongUse, match="AET@HOST:PORT"):
            read_peer(text, "ME")
    with pytest.raises(WrongUse, match="after the @ goes an address"):
        read_caller("CT1@nowhere")


class Scp:
    """A peer that takes documents and answers each with the next of ``statuses``, then with success."""

    def __init__(self, kinds: Sequence[str] = (), statuses: Sequence[int] = ()) -> None:
        self.port, self.got, self._statuses = free_port(), list[str](), list(statuses)
        self._entity = AE("ARCHIVE")
        for kind in kinds:
            self._entity.add_supported_context(kind)
        handlers = [(evt.EVT_C_STORE, self._store)]
        self._entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)

    def _store(self, event: evt.Event) -> int:
        self.got.append(str(event.request.AffectedSOPInstanceUID))
        return self._statuses.pop(0) if self._statuses else 0

    def close(self) -> None:
        self._entity.shutdown()


def kinds(documents: list[bytes]) -> list[str]:
    return [str(dcmread(BytesIO(each)).SOPClassUID) for each in documents]


def test_a_peer_gets_each_document(documents: list[bytes]) -> None:
    peer = Scp(kinds(documents), [0xB000])
    Peer("ARCHIVE", "127.0.0.1", peer.port).store("study", documents)
    peer.close()
    assert peer.got == [str(dcmread(BytesIO(each)).SOPInstanceUID) for each in documents]


def test_a_peer_that_refuses_one_has_not_stored_the_study(documents: list[bytes]) -> None:
    refusing, picky = Scp(kinds(documents), [0, 0xA700]), Scp(kinds(documents)[:1])
    with pytest.raises(ArchiveError, match=r"did not store the Comprehensive 3D SR Storage \(status 0xa700\)"):
        Peer("ARCHIVE", "127.0.0.1", refusing.port).store("study", documents)
    with pytest.raises(ArchiveError, match="it takes no Comprehensive 3D SR Storage"):
        Peer("ARCHIVE", "127.0.0.1", picky.port).store("study", documents)
    refusing.close()
    picky.close()


def test_a_peer_that_is_gone_is_one_line(documents: list[bytes]) -> None:
    with pytest.raises(ArchiveUnreachable, match="nobody answers"):
        Peer("ARCHIVE", "127.0.0.1", free_port(), seconds=2.0).store("study", documents)


def test_a_folder_gets_all_documents_or_none(documents: list[bytes], tmp_path: Path) -> None:
    Folder(tmp_path / "out").store("study", documents)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "study").iterdir()} == dict(
        zip(OBJECTS, documents, strict=True)
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="file: "):
        Folder(tmp_path / "file").store("study", documents)


class Reads(Drafter):
    """Drafts the films of a study, whatever their folder is called, unless one is lateral."""

    def draft(self, paths: Sequence[Path]) -> Any:
        for path in paths:
            if dcmread(path).ViewPosition == "LL":
                raise RefusedFilm("film", "it is lateral")
        return super().draft([Path(",".join(str(dcmread(path).InstanceNumber) for path in paths))])


class Sent:
    """What was sent."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self.errors: list[Exception] = []

    def store(self, study: str, documents: Sequence[bytes]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.found.append(documents[0])


@pytest.fixture
def reception(queue: FilmQueue, tmp_path: Path) -> Iterator[tuple[Callable[[float], None], Sent, list[str]]]:
    """Works once on what has settled for so many seconds; what was sent; the lines."""
    sent, lines = Sent(), list[str]()
    with opened_state(tmp_path / "list.db") as state:
        work = StudyWork(state, Reads(), Hospital(queue, sent), BackOff(), tmp_path)  # type: ignore[arg-type]
        receptions = {settle: Reception(ReceiveConfig(settle), work, queue, lines.append) for settle in (0, 60)}
        yield lambda settle: receptions[int(settle)].one_pass(), sent, lines


def test_a_study_is_drafted_once_it_gets_no_more_films(
    queue: FilmQueue, film: Film, reception: tuple[Callable[[float], None], Sent, list[str]]
) -> None:
    one_pass, sent, lines = reception
    for number in (2, 1):
        queue.add(STUDY, f"1.{number}", film(1, number))
    one_pass(60)
    assert sent.found == [] and len(kept(queue)) == 2
    one_pass(0)
    assert sent.found == [b"1,2 1"] and kept(queue) == [] and lines == ["studies: 1 stored"]


def test_a_peer_that_is_gone_is_asked_again_later_and_films_are_kept(
    queue: FilmQueue, film: Film, reception: tuple[Callable[[float], None], Sent, list[str]],
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    one_pass, sent, lines = reception
    sent.errors = [ArchiveUnreachable("ARCHIVE@host:104: nobody answers")]
    for study in (1, 2):
        queue.add(f"{STUDY}{study}", "1.1", film(study))
    one_pass(0)
    one_pass(0)
    assert capsys.readouterr().err.count("nobody answers; it is tried again in 10 s") == 1 and len(kept(queue)) == 2
    now, later = time.monotonic, time.time() + 11
    monkeypatch.setattr(receive.time, "monotonic", lambda: now() + 11)
    monkeypatch.setattr(receive.time, "time", lambda: later)
    one_pass(0)
    assert len(sent.found) == 2 and kept(queue) == [] and lines == ["studies: 2 stored"]


def test_films_of_a_drafted_study_are_not_drafted_again(
    queue: FilmQueue, film: Film, reception: tuple[Callable[[float], None], Sent, list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    one_pass, sent, _ = reception
    for number in (1, 1, 2):
        queue.add(STUDY, f"1.{number}", film(1, number))
        one_pass(0)
    assert sent.found == [b"1 1"] and kept(queue) == []
    assert capsys.readouterr().err.count("it is drafted already") == 2


def test_the_film_that_follows_a_refused_one_is_drafted(
    queue: FilmQueue, film: Film, reception: tuple[Callable[[float], None], Sent, list[str]]
) -> None:
    one_pass, sent, lines = reception
    for number, view in ((1, "LL"), (1, "LL"), (2, "PA")):
        queue.add(STUDY, f"1.{number}", film(1, number, ViewPosition=view))
        one_pass(0)
        assert kept(queue) == []
    assert sent.found == [b"2 1"] and lines == ["studies: 1 refused", "studies: 1 stored"]


def test_films_that_come_while_others_are_removed_are_kept(queue: FilmQueue, film: Film) -> None:
    queue.add(STUDY, "1", film())
    (name,) = queue.studies()
    end = time.monotonic() + 0.5
    remover = threading.Thread(target=lambda: [queue.remove(name) for _ in iter(lambda: time.monotonic() < end, False)])
    remover.start()
    while time.monotonic() < end:
        queue.add(STUDY, "1", film())  # raises where its folder goes away under it
    remover.join()
    queue.add(STUDY, "1", film())
    assert len(kept(queue)) == 1
