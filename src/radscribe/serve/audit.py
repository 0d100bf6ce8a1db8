"""The audit log: who did what to which draft, each line chained to the one before by its SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from radscribe.serve.database import AuditRow, DraftRow

# What the first line is chained to.
BEGINNING = "0" * 64
FINALISED, DELETED, DRAFTED, CONTENT = "finalised", "deleted", "drafted", "content"
# The action of a line that is on no draft: another model drafts from here on.
MODEL = "model"
FIELDS = ("number", "at", "who", "action", "draft", "study_hash", "fingerprint", "change", "previous")


@dataclass(frozen=True)
class AuditState:
    """What ``verify`` found: lines in order, the hash of the last, and the first broken line with what is wrong."""

    lines: int
    head: str
    broken: int | None = None
    reason: str = ""


def now() -> str:
    """The time as the service writes it: UTC, ISO 8601, microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def record(session: Session, who: str, action: str, row: DraftRow, change: Mapping[str, Any]) -> AuditRow:
    """Append a line on the draft ``row``, within the transaction of ``Database.writing`` that makes the change.

    The line holds the hash of all words of the draft after the change, so that ``verify`` finds other changes of them.
    ``change`` must hold no words of a report and nothing else of a patient.
    """
    return append(
        session,
        who,
        action,
        draft=row.id,
        study_hash=row.study_hash,
        fingerprint=row.fingerprint,
        change={**change, CONTENT: content_hash(row)},
    )


def append(
    session: Session,
    who: str,
    action: str,
    *,
    fingerprint: str,
    change: Mapping[str, Any],
    draft: str = "",
    study_hash: str = "",
) -> AuditRow:
    """Append a line, as ``record`` does; without ``draft`` and ``study_hash`` it is on the service as a whole."""
    last = session.scalar(select(AuditRow).order_by(AuditRow.number.desc()).limit(1))
    line = AuditRow(
        number=last.number + 1 if last else 1,
        at=now(),
        who=who,
        action=action,
        draft=draft,
        study_hash=study_hash,
        fingerprint=fingerprint,
        change=json.dumps(change, sort_keys=True),
        previous=last.hash if last else BEGINNING,
    )
    line.hash = line_hash(line)
    session.add(line)
    session.flush()
    return line


def line_hash(line: AuditRow) -> str:
    """The SHA-256 over all fields of a line, the hash of the line before included."""
    return hashlib.sha256(json.dumps([getattr(line, name) for name in FIELDS]).encode()).hexdigest()


def content_hash(row: DraftRow) -> str:
    """The SHA-256 over a draft, its edits and its final text."""
    content = json.dumps([row.draft, row.edits, row.final], sort_keys=True)
    return hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()


def verify(session: Session, contains: str | None = None) -> AuditState:
    """Check the chain from its first line, and that each draft is as its last line says.

    Lines that are cut off at the end leave a sound chain: a hash that was noted earlier (``contains``) must be in it.
    """
    if session.get_bind().dialect.name == "postgresql":  # log and drafts of one moment, as SQLite has them anyway
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    head, count, found = BEGINNING, 0, contains is None
    last: dict[str, tuple[int, str]] = {}
    for line in session.scalars(select(AuditRow).order_by(AuditRow.number).execution_options(yield_per=1000)):
        if line.number != count + 1:
            return AuditState(count, head, count + 1, "it is missing")
        if line.previous != head:
            return AuditState(count, head, line.number, "it does not follow from the line before")
        if line.hash != line_hash(line):
            return AuditState(count, head, line.number, "its content was changed")
        head, count = line.hash, line.number
        found = found or head == contains
        if line.action == MODEL:
            continue
        last[line.draft] = count, json.loads(line.change).get(CONTENT, "none")
        if line.action == DELETED:
            del last[line.draft]
    if not found:
        return AuditState(count, head, count + 1, "the chain does not hold the given hash: lines were cut off")
    for row in session.scalars(select(DraftRow).execution_options(yield_per=100)):
        number, content = last.pop(row.id, (count + 1, ""))
        if content != content_hash(row):
            reason = "its draft was changed since" if content else f"there is none for the draft {row.id}"
            return AuditState(count, head, number, reason)
    for number, _ in last.values():
        return AuditState(count, head, number, "its draft is gone, and no line says that it was deleted")
    return AuditState(count, head)
