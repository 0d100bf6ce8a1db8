"""Identifiers made of content: the same draft of the same film has the same, whenever it is written."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import asdict, replace

from radscribe.core.records import Draft
from radscribe.core.version import __version__


def draft_key(draft: Draft, film: str, reader: str | None = None) -> str:
    """What identifies a draft of a film: SHA-256 of all it says but its name and its files, of ``film`` and ``reader``.

    ``film`` is the film's SOP Instance UID or, where it has none, the SHA-256 of the file; ``reader`` as in ``Case``.
    """
    named = replace(draft, study_id="", sentences=tuple(replace(each, map=None) for each in draft.sentences))
    content = json.dumps([__version__, film, reader, asdict(named)], sort_keys=True)
    return hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()


def uuid_of(*parts: str) -> uuid.UUID:
    """The UUID that ``parts`` always give."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=5)


def uid_of(*parts: str) -> str:
    """The DICOM UID that ``parts`` always give: a UUID as a number under 2.25 (DICOM PS3.5 B.2)."""
    return f"2.25.{uuid_of(*parts).int}"
