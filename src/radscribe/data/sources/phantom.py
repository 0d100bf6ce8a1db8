"""Provides phantoms as a source: synthetic films stored with true labels, severities, sides and lesion masks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from radscribe.core.errors import WrongUse
from radscribe.data.phantom import PatientPlan, has_lateral, patients, render_study
from radscribe.data.raw import FilmPixels, RawFilm, RawStudy
from radscribe.data.source import Source

Mask = npt.NDArray[np.bool_]

MASK_SIDE = 32
EXTRA_FIELDS = {
    "severities": pa.string(),
    "sides": pa.string(),
    "masks": pa.list_(pa.struct([("condition", pa.string()), ("bits", pa.binary())])),
}


@dataclass(frozen=True)
class PhantomTask:
    """One visit of one phantom patient, rendered in the process that reads it."""

    plan: PatientPlan
    visit: int
    lateral: bool
    # Whose house style the report is in, of how many.
    site: int = 0
    sites: int = 1

    def resolve(self) -> RawStudy:
        """The rendered study; its labels are the phantom's true ones, not what rules read from its report."""
        study = render_study(self.plan, self.visit, lateral=self.lateral, site=self.site, sites=self.sites)
        return RawStudy(
            study_id=study.study_id,
            patient_id=study.patient_id,
            films=tuple(
                RawFilm(FilmPixels(pixels, name), name, view)
                for view, pixels in study.films
                for name in [f"{study.study_id}-{view}"]
            ),
            findings=study.findings,
            impression=study.impression,
            labels=study.labels,
            extra={
                "severities": json.dumps(study.severities),
                "sides": json.dumps(study.sides),
                "masks": pack_masks(study.masks),
                **({"image_source": f"site {self.site}"} if self.sites > 1 else {}),
            },
        )


def phantom_source(
    studies: int, seed: int, lateral_share: float = 0.25, sites: int = 1, site: int | None = None
) -> Source:
    """Exactly ``studies`` phantom studies; ``lateral_share`` of them have a lateral film too.

    With several ``sites`` patients take turns at them, and each site words its reports in its own way; with ``site``
    all reports are as this one would word them. Films do not show the site. Raises ``WrongUse`` for a site that is none
    of them.
    """
    if site is not None and not 0 <= site < sites:
        raise WrongUse(f"--site {site}: there are {sites} sites, 0 to {sites - 1}; choose one of them")
    tasks = [
        PhantomTask(
            plan,
            visit,
            has_lateral(plan, visit, lateral_share),
            plan.number % sites if site is None else site,
            sites,
        )
        for plan in patients(studies, seed)
        for visit in range(len(plan.visits))
    ]
    return Source(
        name="phantom",
        studies=lambda scratch: tasks,
        settings={
            "studies": studies,
            "seed": seed,
            "lateral_share": lateral_share,
            **({"sites": sites, "site": site} if sites > 1 else {}),
        },
        extra_fields={**EXTRA_FIELDS, "image_source": pa.string()} if sites > 1 else EXTRA_FIELDS,
    )


def pack_masks(masks: Mapping[str, Mask]) -> list[dict[str, Any]]:
    """Lesion masks (side x side on the frontal film) as ``MASK_SIDE`` x ``MASK_SIDE`` bits for each condition.

    A cell is set when any of its pixels is: the smallest lesion still leaves a mark.
    """
    packed = []
    for condition, mask in masks.items():
        cell = mask.shape[0] // MASK_SIDE
        cells = mask.reshape(MASK_SIDE, cell, MASK_SIDE, cell).any(axis=(1, 3))
        packed.append({"condition": condition, "bits": np.packbits(cells).tobytes()})
    return packed


def unpack_masks(packed: Sequence[Mapping[str, Any]]) -> dict[str, Mask]:
    """The masks (``MASK_SIDE`` x ``MASK_SIDE``) of one study's ``masks`` column, by condition."""
    return {
        entry["condition"]: np.unpackbits(np.frombuffer(entry["bits"], np.uint8))
        .reshape(MASK_SIDE, MASK_SIDE)
        .astype(np.bool_)
        for entry in packed
    }
