"""Renders one visit of one patient into films, masks and a report."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radscribe.data.phantom.anatomy import Thorax, compose, plain_form, sample_thorax
from radscribe.data.phantom.cohort import AIRSPACE, Finding, PatientPlan
from radscribe.data.phantom.exposure import Frame, Mask, expose, sample_pose
from radscribe.data.phantom.grammar import write_report
from radscribe.data.phantom.lateral import lateral_attenuation
from radscribe.data.phantom.lesions import MARKS, reshape


@dataclass(frozen=True)
class PhantomStudy:
    """One generated study and its ground truth.

    ``severities``, ``sides`` and ``masks`` hold the conditions that are on the film, suspected ones included.
    """

    study_id: str
    patient_id: str
    films: tuple[tuple[str, NDArray[np.uint8]], ...]  # view and film (size x size), the frontal first
    findings: str
    impression: str
    labels: tuple[int, ...]  # 18 states, as the findings text states them
    severities: dict[str, int]  # 1 to 3
    sides: dict[str, str]
    masks: dict[str, Mask]  # size x size, on the frontal film


def render_study(
    plan: PatientPlan, visit: int, size: int = 256, lateral: bool = False, site: int = 0, sites: int = 1
) -> PhantomStudy:
    """The study of ``plan.visits[visit]``: the frontal film, then the lateral one if asked for; the report is in the
    house style of one of the ``sites``."""
    findings = plan.visits[visit]
    frontal, masks = _frontal(plan, visit, size)
    films = [("frontal", frontal)]
    if lateral:
        films.append(("lateral", _lateral(plan, visit, size)))
    prior = plan.visits[visit - 1] if visit else None
    random = np.random.default_rng((plan.seed, plan.number, 2, visit))
    report = write_report(findings, prior, random, site, sites)
    severities = {finding.condition: finding.severity for finding in findings}
    sides = {finding.condition: finding.side for finding in findings}
    airspace = [finding for finding in findings if finding.condition in (*AIRSPACE, "lung opacity")]
    if airspace:
        severities["lung opacity"] = max(finding.severity for finding in airspace)
        sides["lung opacity"] = _joint_side(airspace)
        masks["lung opacity"] = np.logical_or.reduce([masks[finding.condition] for finding in airspace])
    return PhantomStudy(
        study_id=f"{plan.patient_id}-{visit + 1}",
        patient_id=plan.patient_id,
        films=tuple(films),
        findings=report.findings,
        impression=report.impression,
        labels=report.labels,
        severities=severities,
        sides=sides,
        masks=masks,
    )


def _joint_side(findings: list[Finding]) -> str:
    sides = {finding.side for finding in findings}
    return sides.pop() if len(sides) == 1 else "bilateral"


def _thorax(plan: PatientPlan) -> Thorax:
    return sample_thorax(np.random.default_rng((plan.seed, plan.number, 1)))


def _film_random(plan: PatientPlan, visit: int) -> np.random.Generator:
    return np.random.default_rng((plan.seed, plan.number, 4, visit))


def _place_random(plan: PatientPlan, finding: Finding) -> np.random.Generator:
    """The generator that places a patient's condition, the same at every visit."""
    return np.random.default_rng((plan.seed, plan.number, 3, zlib.crc32(finding.condition.encode())))


def _frontal(plan: PatientPlan, visit: int, size: int) -> tuple[NDArray[np.uint8], dict[str, Mask]]:
    thorax = _thorax(plan)
    random = _film_random(plan, visit)
    pose = sample_pose(random)
    form = plain_form(thorax, pose)
    generators: dict[str, np.random.Generator] = {}
    for finding in plan.visits[visit]:
        generators[finding.condition] = _place_random(plan, finding)
        form = reshape(form, thorax, finding, generators[finding.condition])
    layers = compose(thorax, form, pose, Frame(pose, size))
    masks = {}
    for finding in plan.visits[visit]:
        masks[finding.condition] = MARKS[finding.condition](layers, finding, generators[finding.condition])
    tissue = layers.attenuation + layers.vessels
    # Muscle and fat are uneven: smooth shades unrelated to disease.
    body = np.minimum(tissue, 1.0)
    for cells in (5, 11):
        tissue += pose.unevenness * body * layers.frame.cloud(random, cells)
    return expose(tissue, pose, random), masks


def _lateral(plan: PatientPlan, visit: int, size: int) -> NDArray[np.uint8]:
    random = np.random.default_rng((plan.seed, plan.number, 5, visit))
    pose = sample_pose(random)
    place = np.random.default_rng((plan.seed, plan.number, 6))
    attenuation = lateral_attenuation(_thorax(plan), plan.visits[visit], pose, Frame(pose, size), place)
    return expose(attenuation, pose, random)


def midline(plan: PatientPlan, visit: int, size: int = 256) -> NDArray[np.float64]:
    """The column of the patient's midline in each row (size) of the frontal film."""
    pose = sample_pose(_film_random(plan, visit))
    x = Frame(pose, size).x
    # x grows evenly along a row.
    column: NDArray[np.float64] = -x[:, 0] / (x[:, 1] - x[:, 0])
    return column
