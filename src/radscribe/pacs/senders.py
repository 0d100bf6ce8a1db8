"""Where documents go without DICOMweb: to a peer by C-STORE, or into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Protocol

from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.association import Association

from radscribe.clinic.folder import OBJECTS
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.files import replaced_together, wait_for_disk
from radscribe.pacs.errors import ArchiveError, ArchiveUnreachable
from radscribe.pacs.receiver import require_title

# Success, and the warnings with which an object is stored all the same (DICOM PS3.4 B.2.3).
STORED = (0x0000, 0xB000, 0xB006, 0xB007)


class Sender(Protocol):
    """A place for documents."""

    def store(self, study: str, documents: Sequence[bytes]) -> None:
        """Store all documents of the study of this name; raises ``ArchiveError``."""


@dataclass(frozen=True)
class Peer:
    """A peer that takes documents by C-STORE, as ``AET@HOST:PORT``, and who sends; raises ``WrongUse``."""

    title: str
    host: str
    port: int
    # Application entity title of this side.
    own: str = "RADSCRIBE"
    # Seconds that the peer may be silent.
    seconds: float = 60.0

    def __post_init__(self) -> None:
        require_title(self.title, "--send-to")

    def store(self, study: str, documents: Sequence[bytes]) -> None:
        """Send all documents; returns once the peer has said of each that it is stored. Raises ``ArchiveError``."""
        objects = [dcmread(BytesIO(content)) for content in documents]
        entity = AE(self.own)
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = self.seconds
        for each in objects:
            entity.add_requested_context(each.SOPClassUID, each.file_meta.TransferSyntaxUID)
        association = entity.associate(self.host, self.port, ae_title=self.title)
        if not association.is_established:
            if association.is_rejected:
                raise ArchiveUnreachable(f"{self}: it rejects us; does it know the title {self.own}, and its own?")
            raise ArchiveUnreachable(f"{self}: nobody answers; is it running, and is the address right?")
        try:
            for each in objects:
                self._send(association, each)
        finally:
            association.release()

    def _send(self, association: Association, instance: Dataset) -> None:
        name = instance.SOPClassUID.name
        try:
            status = association.send_c_store(instance).get("Status")
        except (ValueError, RuntimeError):  # no context for this kind, or the association is gone
            raise ArchiveError(f"{self}: it takes no {name}, or ended early") from None
        if status is None:
            raise ArchiveError(f"{self}: it ended before it had stored all documents")
        if status not in STORED:
            raise ArchiveError(f"{self}: it did not store the {name} (status {status:#06x})")

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


def read_peer(text: str, own: str) -> Peer:
    """The peer in ``AET@HOST:PORT``; raises ``WrongUse``."""
    title, _, place = text.partition("@")
    host, _, port = place.rpartition(":")
    if not title.strip() or not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise WrongUse("--send-to: give AET@HOST:PORT, as in ARCHIVE@192.0.2.5:104")
    return Peer(title.strip(), host.strip("[]"), int(port), own)


@dataclass(frozen=True)
class Folder:
    """A folder that takes the documents of each study in a folder of its own."""

    path: Path

    def store(self, study: str, documents: Sequence[bytes]) -> None:
        """Write all documents or none; raises ``ArchiveError`` where the disk refuses."""
        target = self.path / study
        try:
            with replaced_together(target) as staging:
                for name, content in zip(OBJECTS, documents, strict=True):
                    (staging / name).write_bytes(content)
            wait_for_disk(target)
        except (RadscribeError, OSError) as error:
            raise ArchiveError(f"{self.path}: {error}") from None
