"""Which model may draft into a database: the one that did last, or another that has shown enough."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from radscribe.core.errors import RadscribeError
from radscribe.drafting.acceptance import Acceptance
from radscribe.drafting.reporter import Reporter
from radscribe.drafting.scores import companions_hash, load_scores
from radscribe.serve.audit import DRAFTED, MODEL, append
from radscribe.serve.database import AuditRow, Database
from radscribe.serve.store import SYSTEM

SHORT = 12


def admit(database: Database, reporter: Reporter, acceptance: Acceptance, override: str | None = None) -> None:
    """Note in the audit log which model drafts from now on, where it is not the one of before.

    A model is another one where its fingerprint differs, or one of the files beside its weights (calibration, gate,
    index). It must keep the limits of ``acceptance``, unless ``override`` says why it need not; this is noted, too. The
    first model of a database is noted alone.

    Raises ``RadscribeError`` for a model that is not accepted; the database is then as it was.
    """
    assert reporter.folder is not None, "a reporter that is served was loaded from a folder"
    companions = companions_hash(reporter.folder)
    with database.writing() as session:
        before = _last(session, MODEL, DRAFTED)
        noted = _last(session, MODEL)
        change: dict[str, Any] = {"companions": companions, "before": before.fingerprint if before else None}
        if before is None or (noted is None and before.fingerprint == reporter.fingerprint):
            change["by"] = "first"
        elif noted and noted.fingerprint == before.fingerprint == reporter.fingerprint and _same(noted, companions):
            return
        else:
            misses = acceptance.misses(load_scores(reporter.folder), reporter.fingerprint, companions)
            if misses and override is None:
                raise RadscribeError(_refusal(reporter, before.fingerprint, misses))
            change |= {"by": "override", "reason": override, "misses": misses} if misses else {"by": "limits"}
        append(session, SYSTEM, MODEL, fingerprint=reporter.fingerprint, change=change)


def _last(session: Session, *actions: str) -> AuditRow | None:
    wanted = select(AuditRow).where(AuditRow.action.in_(actions)).order_by(AuditRow.number.desc()).limit(1)
    return session.scalar(wanted)


def _same(line: AuditRow, companions: str) -> bool:
    return bool(json.loads(line.change).get("companions") == companions)


def _refusal(reporter: Reporter, before: str, misses: list[str]) -> str:
    more = f" (and {len(misses) - 1} more)" if len(misses) > 1 else ""
    return (
        f"--checkpoint {Path(str(reporter.folder)).name}: it may not take the place of the model {before[:SHORT]}: "
        f"{misses[0]}{more}; keep that model, or give --accept-unscored with the reason, which the audit log keeps"
    )
