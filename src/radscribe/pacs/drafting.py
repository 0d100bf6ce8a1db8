"""The films of one study become the DICOM documents of its draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from radscribe.clinic.folder import OBJECTS
from radscribe.drafting.reporter import Reporter
from radscribe.imaging.one_patient import stranger
from radscribe.imaging.refusal import RefusedFilm
from radscribe.serve.decoding import DecodedFilm, DecodingPool
from radscribe.serve.documents import document_request, view_of
from radscribe.serve.reading import frontal_first, with_warnings

DRAFT_NAME = "study"


@dataclass(frozen=True, eq=False)
class StudyDocuments:
    """The documents of a study's draft, in the order of ``clinic.folder.OBJECTS``, and what is to be noted of it."""

    contents: tuple[bytes, ...]
    note: str  # why the draft abstains; "" where it does not


class StudyDrafter:
    """Drafts studies with ``reporter``; films are decoded, and documents made, by the processes of ``pool``."""

    def __init__(self, reporter: Reporter, pool: DecodingPool, evidence: str) -> None:
        self._reporter, self._pool, self._evidence = reporter, pool, evidence

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint."""
        return self._reporter.fingerprint

    def draft(self, paths: Sequence[Path]) -> StudyDocuments:
        """The documents of a study whose films lie in ``paths``; films that cannot be read are left out.

        Raises ``RefusedFilm`` where no film can be read, where they are of two patients, or no document can be made.
        """
        films, files, reasons = self._decoded(paths)
        if not films:
            raise RefusedFilm("study", "; ".join(dict.fromkeys(reasons)) or "it has no film")
        if found := stranger([film.owner for film in films]):
            raise RefusedFilm("study", f"its films name more than one {found[1]}; correct them in the archive")
        config = self._reporter.system.config
        read = frontal_first(films)[: config.views]
        views = np.stack([films[place].pixels for place in read])
        draft = with_warnings(self._reporter.drafts([views], [DRAFT_NAME], self._evidence)[0], films, len(read))
        if reasons:
            refused = f"{len(reasons)} film(s) of the study could not be read."
            draft = replace(draft, warnings=(*draft.warnings, refused))
        made, chosen = datetime.now().astimezone().isoformat(), [files[place] for place in read]
        view = view_of(config.film)
        contents = [self._pool.document(document_request(name, draft, made, chosen, view)) for name in OBJECTS]
        return StudyDocuments(tuple(contents), "; ".join(draft.reasons) if draft.abstain else "")

    def _decoded(self, paths: Sequence[Path]) -> tuple[list[DecodedFilm], list[Path], list[str]]:
        films: list[DecodedFilm] = []
        files: list[Path] = []
        reasons: list[str] = []
        for path in paths:
            try:
                films.append(self._pool.decode(path))
                files.append(path)
            except RefusedFilm as refusal:
                reasons.append(refusal.reason)
        return films, files, reasons
