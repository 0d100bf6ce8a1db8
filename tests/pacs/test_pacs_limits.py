"""What peers can take of the machine, and what is left of a study in the list once it is stored."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from pynetdicom import AE
from receiving import send
from test_work import Memory

from radscribe.pacs.drafting import StudyDocuments
from radscribe.pacs.film_queue import FilmQueue
from radscribe.pacs.receiver import VERIFICATION, Receiver, ReceiverConfig
from radscribe.pacs.state import opened_state
from radscribe.pacs.work import BackOff, StudyWork


def test_a_flood_of_associations_is_rejected_and_those_that_are_open_go_on(
    film: Callable[..., bytes], tmp_path: Path
) -> None:
    entity = AE("FLOOD")
    entity.add_requested_context(VERIFICATION)
    with Receiver(ReceiverConfig(port=0, associations=2), FilmQueue(tmp_path)).listening() as port:
        flood = [entity.associate("127.0.0.1", port, ae_title="RADSCRIBE") for _ in range(12)]
        held = [each for each in flood if each.is_established]
        assert len(held) == 2 and all(each.is_rejected for each in flood if each not in held)
        assert send(port, [film()]) == [-1] and all(each.send_c_echo().Status == 0 for each in held)
        for each in held:
            each.release()
        end = time.monotonic() + 20  # until their threads have ended
        while (status := send(port, [film()])) == [-1] and time.monotonic() < end:
            time.sleep(0.1)
        assert status == [0]


@pytest.mark.parametrize("first", [b"", b"\1\0\0\0"])
def test_a_peer_that_says_nothing_is_cut_off(film: Callable[..., bytes], tmp_path: Path, first: bytes) -> None:
    with (
        Receiver(ReceiverConfig(port=0, seconds=0.5), FilmQueue(tmp_path)).listening() as port,
        ExitStack() as stack,
    ):
        peers = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(20)]
        for each in peers:
            each.settimeout(20)
            each.sendall(first)
        began = time.monotonic()
        for each in peers:
            try:
                while each.recv(1024):
                    pass
            except ConnectionResetError:
                pass
        assert time.monotonic() - began < 15
        end = time.monotonic() + 20
        while (status := send(port, [film()])) == [-1] and time.monotonic() < end:
            time.sleep(0.1)
        assert status == [0]


def test_documents_of_a_study_that_is_stored_are_gone_from_the_disk(tmp_path: Path) -> None:
    words, folder = b"Quokka-shaped opacity of the left lung.", tmp_path / "state"

    class Says:
        fingerprint = "model"

        def draft(self, paths: list[Path]) -> StudyDocuments:
            return StudyDocuments((words * 200,), "")

    def kept() -> bool:
        return any(words in path.read_bytes() for path in folder.glob("list.db*"))

    archive = Memory()
    archive.errors["store"] = [KeyboardInterrupt()]  # type: ignore[list-item]
    for killed in (True, False):
        with opened_state(folder / "list.db") as state:
            work = StudyWork(state, Says(), archive, BackOff(), tmp_path)  # type: ignore[arg-type]
            state.add("study", "model", 0.0)
            if killed:
                with pytest.raises(KeyboardInterrupt):
                    work.run()
            else:
                assert work.run().outcomes == {"stored": 1}
        assert kept() == killed
