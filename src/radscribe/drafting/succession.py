"""Which model may draft where one drafted before: that one, or another that has shown enough."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radscribe.core.errors import RadscribeError
from radscribe.drafting.acceptance import Acceptance
from radscribe.drafting.reporter import Reporter
from radscribe.drafting.scores import companions_hash, load_scores

SHORT = 12


@dataclass(frozen=True)
class LastModel:
    """The model that drafted last: its fingerprint, and the hash of the files beside its weights.

    The hash is None where a version drafted that noted no models, and "" where it is not that of this fingerprint.
    """

    fingerprint: str
    companions: str | None


def change_of_model(
    reporter: Reporter, last: LastModel | None, acceptance: Acceptance, override: str | None, keeper: str
) -> dict[str, Any] | None:
    """What is to be noted before ``reporter`` drafts where ``last`` did; None where it is the same model.

    A model is another one where its fingerprint differs, or one of the files beside its weights (calibration, gate,
    index). It must keep the limits of ``acceptance``, unless ``override`` says why it need not; this is in the note,
    too. The first model is noted alone.

    Raises ``RadscribeError`` for a model that is not accepted; its line says that ``keeper`` keeps the reason.
    """
    assert reporter.folder is not None, "a reporter that drafts for others was loaded from a folder"
    companions = companions_hash(reporter.folder)
    change: dict[str, Any] = {"companions": companions, "before": last.fingerprint if last else None}
    if last is None or last == LastModel(reporter.fingerprint, None):
        return change | {"by": "first"}
    if last == LastModel(reporter.fingerprint, companions):
        return None
    misses = acceptance.misses(load_scores(reporter.folder), reporter.fingerprint, companions)
    if not misses:
        return change | {"by": "limits"}
    if override is None:
        raise RadscribeError(
            f"--checkpoint {Path(str(reporter.folder)).name}: it may not take the place of the model "
            f"{last.fingerprint[:SHORT]}: {missed(misses)}; keep that model, or give --accept-unscored with the "
            f"reason, which {keeper} keeps"
        )
    return change | {"by": "override", "reason": override, "misses": misses}


def missed(misses: list[str]) -> str:
    """The first of ``misses``, and how many more there are."""
    return f"{misses[0]} (and {len(misses) - 1} more)" if len(misses) > 1 else misses[0]
