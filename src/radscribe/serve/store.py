"""Drafts in the database: each change is one transaction together with its line in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from radscribe.core.errors import RadscribeError
from radscribe.serve.audit import DELETED, DRAFTED, FINALISED, now, record
from radscribe.serve.database import AuditRow, CheckRow, Database, DraftRow, FilmRow
from radscribe.serve.editing import changed, decisions, final_text, summary
from radscribe.serve.messages import DraftChange, Edits

SYSTEM = "service"


class NoSuchDraft(RadscribeError):
    """No draft of this id; it may have been deleted."""


class StaleVersion(RadscribeError):
    """A change of a draft that was changed by somebody else meanwhile, or that is final."""


@dataclass(frozen=True)
class NewDraft:
    """A draft to be kept, and the sizes (width, height, bits) of its films."""

    id: str
    study_hash: str
    fingerprint: str
    draft: Mapping[str, Any]
    films: Sequence[tuple[int, int, int]]


class DraftStore:
    """The drafts in ``database``; rows that it returns are detached from it and may be read by any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewDraft, who: str) -> tuple[DraftRow, bool]:
        """Keep a new draft; where the study has one by the same model, that one and False."""
        at = now()
        row = DraftRow(
            id=new.id,
            study_hash=new.study_hash,
            fingerprint=new.fingerprint,
            created=at,
            changed=at,
            status="draft",
            version=1,
            draft=dict(new.draft),
            edits=Edits().model_dump(),
            final=None,
            films=[FilmRow(place=place, width=w, height=h, bits=b) for place, (w, h, b) in enumerate(new.films)],
        )
        try:
            with self._database.writing() as session:
                session.add(row)
                session.flush()
                record(session, who, DRAFTED, row, {"films": len(new.films), "abstain": new.draft["abstain"]})
        except IntegrityError:
            found = self.find(new.study_hash, new.fingerprint)
            if found is None:
                raise
            return found, False
        return row, True

    def find(self, study_hash: str, fingerprint: str) -> DraftRow | None:
        """The draft of a study by a model."""
        wanted = select(DraftRow).where(DraftRow.study_hash == study_hash, DraftRow.fingerprint == fingerprint)
        with self._database.reading() as session:
            return session.scalar(wanted)

    def get(self, name: str) -> DraftRow:
        """The draft of this id; raises ``NoSuchDraft``."""
        with self._database.reading() as session:
            return _row(session, name)

    def page(self, limit: int, before: int | None, status: str | None) -> list[DraftRow]:
        """Up to ``limit`` drafts, the newest first, of rows with a lower number than ``before``."""
        wanted = select(DraftRow).order_by(DraftRow.number.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(DraftRow.number < before)
        if status is not None:
            wanted = wanted.where(DraftRow.status == status)
        with self._database.reading() as session:
            return list(session.scalars(wanted))

    def change(self, name: str, change: DraftChange, who: str) -> tuple[DraftRow, list[tuple[str, str]]]:
        """A draft after ``change``, and the decisions on its conditions where it became final.

        Raises:
            NoSuchDraft: no draft of this id.
            StaleVersion: it was changed meanwhile, or it is final and the change does not open it again.
            WrongEdit: the change does not fit the draft.
        """
        with self._database.writing() as session:
            row = _row(session, name)
            if row.version != change.version:
                raise StaleVersion(f"version {change.version} is stale: the draft has version {row.version}")
            if row.status == "final" and change.status != "draft":
                raise StaleVersion("the draft is final: set its status to draft to change it again")
            edits = changed(Edits.model_validate(row.edits), change, row.draft)
            made_final = change.status == "final"
            if made_final:
                row.final = final_text(edits, row.draft)
            row.edits, row.status = edits.model_dump(), change.status or row.status
            row.version, row.changed = row.version + 1, now()
            noted = {**summary(change), "version": row.version, "status": row.status}
            record(session, who, FINALISED if made_final else "edited", row, noted)
            return row, list(decisions(edits, row.draft)) if made_final else []

    def finisher(self, name: str) -> str:
        """Who made the final draft of this id final, as the audit log has it."""
        final = select(AuditRow.who).where(AuditRow.draft == name, AuditRow.action == FINALISED)
        with self._database.reading() as session:
            return session.scalars(final.order_by(AuditRow.number.desc()).limit(1)).one()

    def older(self, days: float) -> list[str]:
        """The ids of the drafts that are older than ``days``."""
        limit = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
        with self._database.reading() as session:
            return list(session.scalars(select(DraftRow.id).where(DraftRow.created < limit)))

    def remove(self, names: Sequence[str], days: float) -> None:
        """Delete the drafts of these ids, which were kept for ``days``; the audit log says so."""
        for name in names:  # one at a time, so that other writers need not wait for all
            with self._database.writing() as session:
                row = _row(session, name)
                record(session, SYSTEM, DELETED, row, {"retain": days})
                session.delete(row)

    def ids(self) -> set[str]:
        """The ids of all drafts."""
        with self._database.reading() as session:
            return set(session.scalars(select(DraftRow.id)))

    def check(self) -> None:
        """Write a line, to see that the database can be written; raises what SQLAlchemy does."""
        with self._database.writing() as session:
            session.merge(CheckRow(number=1, at=now()))


def _row(session: Session, name: str) -> DraftRow:
    row = session.scalar(select(DraftRow).where(DraftRow.id == name))
    if row is None:
        raise NoSuchDraft("there is no draft of this id; it may have been deleted")
    return row
