"""Receives films by DIMSE (C-STORE, C-ECHO) into a queue on the disk."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from ipaddress import ip_address
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, evt

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.imaging.dicom import RADIOGRAPH_CLASSES
from radscribe.imaging.film import MAXIMUM_FILE_BYTES
from radscribe.imaging.refusal import RefusedFilm
from radscribe.pacs.film_queue import FilmQueue, identifiers
from radscribe.serve.settings import is_loopback

# Statuses of C-STORE (DICOM PS3.4 B.2.3) and of any service (PS3.7 annex C).
SUCCESS, NOT_AUTHORIZED, NO_RESOURCES, OTHER_CLASS, NOT_UNDERSTOOD = 0x0000, 0x0124, 0xA700, 0xA900, 0xC000
# What film readers understand; a peer chooses one of them.
SYNTAXES = (
    "1.2.840.10008.1.2.1",  # explicit VR little endian
    "1.2.840.10008.1.2",  # implicit VR little endian
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first order
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE
)
VERIFICATION = "1.2.840.10008.1.1"
TITLE = re.compile(r"[ -\[\]-~]{1,16}")
LAST_FRAGMENT = 0x02
# A unit has at most as many bytes as this side says (16 kB), one that asks for an association hardly more.
UNIT_BYTES = 2**20


@dataclass(frozen=True)
class Caller:
    """Who may send: an application entity title and, where it is given, the one address that it may come from."""

    title: str
    address: str | None = None


@dataclass(frozen=True)
class ReceiverConfig:
    """Where films are received, and from whom; raises ``WrongUse`` for settings that are unsafe or invalid."""

    # Application entity title that peers must call.
    title: str = "RADSCRIBE"
    host: str = "127.0.0.1"
    port: int = 11112
    # Who may send; anyone where it is empty, which is for this machine alone.
    callers: tuple[Caller, ...] = ()
    # Bytes of one film.
    film_bytes: int = MAXIMUM_FILE_BYTES
    # Peers that may send at the same time.
    associations: int = 8
    # Seconds that a peer may be silent.
    seconds: float = 60.0

    def __post_init__(self) -> None:
        require_title(self.title, "--aet")
        for caller in self.callers:
            require_title(caller.title, "--allow")
        if not self.callers and not is_loopback(self.host):
            raise WrongUse(f"--host {self.host}: anyone could send films; give --allow, or keep 127.0.0.1")
        if not 0 <= self.port < 2**16:
            raise WrongUse(f"--port {self.port}: no such port; choose one between 0 and 65535")
        if min(self.film_bytes, self.associations, self.seconds) <= 0:
            raise WrongUse("the limits of bytes, associations and seconds must be above 0")


def require_title(title: str, option: str) -> None:
    """Raises ``WrongUse`` for what is no application entity title (DICOM PS3.5 6.2, AE)."""
    if not TITLE.fullmatch(title) or not title.strip():
        raise WrongUse(f"{option}: an application entity title has 1 to 16 letters, digits or signs; correct it")


def read_caller(text: str) -> Caller:
    """The caller in ``AET`` or ``AET@ADDRESS``; raises ``WrongUse``."""
    title, _, address = text.partition("@")
    if "@" not in text:
        return Caller(title.strip())
    try:
        return Caller(title.strip(), str(ip_address(address)))
    except ValueError:
        raise WrongUse("--allow: after the @ goes an address, as in MODALITY@192.0.2.7; correct it") from None


class Receiver:
    """Answers peers by ``config`` and keeps what they send in ``queue``; ``listening`` for as long as a block runs."""

    def __init__(self, config: ReceiverConfig, queue: FilmQueue) -> None:
        self._config, self._queue = config, queue
        self._received: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Receive films within the block, which gets the port; raises ``RadscribeError`` where it is taken."""
        config = self._config
        entity = AE(config.title)
        entity.maximum_associations = config.associations
        entity.require_called_aet = True
        entity.require_calling_aet = sorted({caller.title for caller in config.callers})
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = config.seconds
        entity.add_supported_context(VERIFICATION)
        for kind in RADIOGRAPH_CLASSES:
            entity.add_supported_context(kind, list(SYNTAXES))
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, _bound, [config.seconds]),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_PDU_RECV, self._count),
        ]
        try:
            server = entity.start_server((config.host, config.port), block=False, evt_handlers=handlers)
        except OSError as error:
            reason = error.strerror or error
            raise RadscribeError(
                f"--host {config.host} --port {config.port}: {reason}; stop what uses it or choose another"
            ) from None
        if server is None:
            raise RadscribeError(f"--port {config.port}: it cannot be opened; choose another")
        try:
            yield int(server.server_address[1])
        finally:
            entity.shutdown()

    def _echo(self, event: evt.Event) -> int:
        return SUCCESS if self._may_send(event) else NOT_AUTHORIZED

    def _store(self, event: evt.Event) -> int:
        """Keep one film; returns the status, success only once it is on the disk."""
        if not self._may_send(event):
            return NOT_AUTHORIZED
        content = event.encoded_dataset()
        if len(content) > self._config.film_bytes:
            return NO_RESOURCES
        try:
            found = identifiers(BytesIO(content))
        except RefusedFilm:
            return NOT_UNDERSTOOD
        asked: Any = event.request
        named = (asked.AffectedSOPClassUID, asked.AffectedSOPInstanceUID)
        if (UID(found["SOPClassUID"]), UID(found["SOPInstanceUID"])) != named:
            return OTHER_CLASS
        try:
            self._queue.add(found["StudyInstanceUID"], found["SOPInstanceUID"], content)
        except OSError:
            return NO_RESOURCES
        return SUCCESS

    def _may_send(self, event: evt.Event) -> bool:
        if not self._config.callers:
            return True
        peer = event.assoc.requestor
        return any(
            caller.title == peer.ae_title.strip() and caller.address in (None, peer.address)
            for caller in self._config.callers
        )

    def _count(self, event: evt.Event) -> None:
        """End the association of a peer whose dataset has twice the bytes of a film and goes on: it is in memory."""
        for fragment in getattr(event.pdu, "presentation_data_value_items", ()):
            data = fragment.presentation_data_value
            received = self._received.get(event.assoc, 0) + len(data)
            self._received[event.assoc] = 0 if data[:1] and data[0] & LAST_FRAGMENT else received
            if received > 2 * self._config.film_bytes:
                event.assoc.abort()
                return


def _bound(event: evt.Event, seconds: float) -> None:
    """End the connection of a peer that announces a unit of more than ``UNIT_BYTES``, or is silent within a unit.

    pynetdicom would read the whole unit, and wait for its rest without end.
    """
    opened: Any = event.assoc.dul.socket
    opened.socket.settimeout(seconds)
    plain: Callable[[int], bytearray] = opened.recv

    def recv(count: int) -> bytearray:
        if count > UNIT_BYTES:
            opened.close()
            raise OSError("the peer announces too large a unit")
        return plain(count)

    opened.recv = recv
