"""Which model may draft into a database: the one that did last, or another that has shown enough."""

from __future__ import annotations

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from radscribe.drafting.acceptance import Acceptance
from radscribe.drafting.reporter import Reporter
from radscribe.drafting.succession import LastModel, change_of_model
from radscribe.serve.audit import DRAFTED, MODEL, append
from radscribe.serve.database import AuditRow, Database
from radscribe.serve.store import SYSTEM


def admit(database: Database, reporter: Reporter, acceptance: Acceptance, override: str | None = None) -> None:
    """Note in the audit log which model drafts from now on, where it is not the one of before (``change_of_model``).

    Raises ``RadscribeError`` for a model that is not accepted; the database is then as it was.
    """
    with database.writing() as session:
        change = change_of_model(reporter, _last(session), acceptance, override, "the audit log")
        if change:
            append(session, SYSTEM, MODEL, fingerprint=reporter.fingerprint, change=change)


def _last(session: Session) -> LastModel | None:
    drafted, noted = _line(session, MODEL, DRAFTED), _line(session, MODEL)
    if drafted is None or noted is None:
        return LastModel(drafted.fingerprint, None) if drafted else None
    own = noted.fingerprint == drafted.fingerprint
    return LastModel(drafted.fingerprint, str(json.loads(noted.change).get("companions")) if own else "")


def _line(session: Session, *actions: str) -> AuditRow | None:
    wanted = select(AuditRow).where(AuditRow.action.in_(actions)).order_by(AuditRow.number.desc()).limit(1)
    return session.scalar(wanted)
