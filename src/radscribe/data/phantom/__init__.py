"""Generates synthetic chest radiographs: films, masks, reports and true labels without patient data.

Each study depends only on the seed, the patient's number and the visit, so studies can be made in any order and by any
number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from radscribe.data.phantom.cohort import Finding, PatientPlan, patients
from radscribe.data.phantom.render import PhantomStudy, render_study

__all__ = ["Finding", "PatientPlan", "PhantomStudy", "generate", "has_lateral", "patients", "render_study"]


def has_lateral(plan: PatientPlan, visit: int, share: float) -> bool:
    """Whether a visit has a second, lateral view, when ``share`` of all visits have one."""
    return bool(np.random.default_rng((plan.seed, plan.number, 7, visit)).random() < share)


def generate(studies: int, seed: int, lateral_share: float = 0.25) -> Iterator[PhantomStudy]:
    """Yield exactly ``studies`` studies, patient by patient and visit by visit."""
    for plan in patients(studies, seed):
        for visit in range(len(plan.visits)):
            yield render_study(plan, visit, lateral=has_lateral(plan, visit, lateral_share))
