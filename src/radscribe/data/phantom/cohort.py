"""Samples patients: which conditions they have, how severe, on which side, and how these change between visits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from radscribe.labels.conditions import CONDITIONS

SEVERITY_SHARES = (0.22, 0.45, 0.33)
# Conditions that never resolve.
LASTING = (
    "cardiomegaly",
    "enlarged cardiomediastinum",
    "lung lesion",
    "pleural other",
    "fracture",
    "aorta",
    "bone/spine",
    "hemidiaphragm",
)
# Conditions whose mildest form a report may only suspect, and how often it does.
HEDGED = {
    "pneumonia": 0.7,
    "consolidation": 0.25,
    "atelectasis": 0.2,
    "edema": 0.25,
    "pleural effusion": 0.2,
    "pneumothorax": 0.25,
    "fracture": 0.3,
    "lung lesion": 0.25,
}
DEVICE_SHARES = {
    "pacemaker": 0.24,
    "central line": 0.26,
    "endotracheal tube": 0.13,
    "feeding tube": 0.12,
    "chest tube": 0.10,
    "sternal wires": 0.15,
}
SIDED_DEVICES = ("pacemaker", "central line", "chest tube")
AIRSPACE = ("pneumonia", "consolidation")
# More conditions than this would not fit into the report of a film.
MOST_FINDINGS = 5

# Each setting: its share of patients, and how often each condition appears in it.
SETTINGS: dict[str, tuple[float, dict[str, float]]] = {
    "well": (0.280, {}),
    "heart failure": (
        0.175,
        {
            "cardiomegaly": 0.80,
            "edema": 0.66,
            "pleural effusion": 0.60,
            "support devices": 0.34,
            "atelectasis": 0.15,
            "enlarged cardiomediastinum": 0.06,
        },
    ),
    "infection": (
        0.165,
        {
            "pneumonia": 0.62,
            "consolidation": 0.42,
            "pleural effusion": 0.24,
            "atelectasis": 0.12,
            "support devices": 0.18,
            "cardiomegaly": 0.10,
        },
    ),
    "surgery": (
        0.165,
        {
            "support devices": 0.84,
            "atelectasis": 0.62,
            "pleural effusion": 0.42,
            "pneumothorax": 0.18,
            "enlarged cardiomediastinum": 0.20,
            "cardiomegaly": 0.18,
            "edema": 0.08,
        },
    ),
    "vague": (0.080, {"lung opacity": 0.90, "atelectasis": 0.20, "cardiomegaly": 0.12}),
    "tumour": (0.062, {"lung lesion": 0.92, "pleural effusion": 0.20, "enlarged cardiomediastinum": 0.14}),
    "injury": (0.038, {"fracture": 0.60, "pneumothorax": 0.40, "atelectasis": 0.20, "pleural effusion": 0.15}),
    "exposure": (0.010, {"pleural other": 0.95, "lung volume abnormal": 0.3, "atelectasis": 0.15}),
    "heart": (0.025, {"cardiomegaly": 0.85, "enlarged cardiomediastinum": 0.40, "support devices": 0.25}),
}
ANYWHERE = {
    "support devices": 0.04,
    "aorta": 0.07,
    "bone/spine": 0.10,
    "hemidiaphragm": 0.03,
    "lung volume abnormal": 0.07,
}


@dataclass(frozen=True)
class Finding:
    """One condition on one film; ``hedged`` when the report only suspects it."""

    condition: str
    severity: int
    side: str
    zone: str = "lower"
    kind: str = ""
    hedged: bool = False


@dataclass(frozen=True)
class PatientPlan:
    """One patient: the findings of each visit, in the order of CONDITIONS; the seed and number determine the rest."""

    seed: int
    number: int
    visits: tuple[tuple[Finding, ...], ...]

    @property
    def patient_id(self) -> str:
        return f"phantom-{self.number:05d}"


def patients(studies: int, seed: int) -> list[PatientPlan]:
    """Patients whose visits sum to exactly ``studies``; each depends only on the seed and its own number."""
    plans: list[PatientPlan] = []
    left = studies
    while left > 0:
        plan = _patient(len(plans), seed)
        plans.append(replace(plan, visits=plan.visits[:left]))
        left -= len(plans[-1].visits)
    return plans


def _patient(number: int, seed: int) -> PatientPlan:
    random = np.random.default_rng((seed, number, 0))
    count = int(random.choice([1, 2, 3], p=[0.70, 0.20, 0.10]))
    findings = _first_visit(random)
    visits = [findings]
    for _ in range(count - 1):
        findings = _next_visit(findings, random)
        visits.append(findings)
    return PatientPlan(seed, number, tuple(visits))


def _first_visit(random: np.random.Generator) -> tuple[Finding, ...]:
    names = list(SETTINGS)
    setting = names[random.choice(len(names), p=[SETTINGS[name][0] for name in names])]
    chances = {**ANYWHERE, **SETTINGS[setting][1]}
    chosen = [condition for condition in CONDITIONS if random.random() < chances.get(condition, 0.0)]
    while len(chosen) > MOST_FINDINGS:
        chosen.pop(int(random.integers(len(chosen))))
    if "lung volume abnormal" in chosen and "hemidiaphragm" in chosen:
        chosen.remove("hemidiaphragm")
    return tuple(_finding(condition, random) for condition in chosen)


def _finding(condition: str, random: np.random.Generator) -> Finding:
    severity = int(random.choice([1, 2, 3], p=SEVERITY_SHARES))
    finding = Finding(
        condition=condition,
        severity=severity,
        side=_side(condition, random),
        zone=str(random.choice(["upper", "mid", "lower"], p=[0.25, 0.25, 0.5])),
        hedged=_hedged(condition, severity, random),
    )
    if condition == "lung volume abnormal":
        return replace(finding, kind="low" if random.random() < 0.6 else "hyperinflated")
    if condition == "support devices":
        return _devices(finding, random)
    return finding


def _hedged(condition: str, severity: int, random: np.random.Generator) -> bool:
    return severity == 1 and random.random() < HEDGED.get(condition, 0.0)


def _side(condition: str, random: np.random.Generator) -> str:
    if condition in ("enlarged cardiomediastinum", "cardiomegaly", "aorta", "bone/spine"):
        return "midline"
    if condition in ("edema", "lung volume abnormal"):
        return "bilateral"
    if condition in ("pneumothorax", "fracture", "hemidiaphragm", "lung lesion", "support devices"):
        return str(random.choice(["left", "right"]))
    return str(random.choice(["left", "right", "bilateral"], p=[0.38, 0.38, 0.24]))


def _devices(finding: Finding, random: np.random.Generator) -> Finding:
    """Severity is the number of devices; the side is kept only where a device has one."""
    names = list(DEVICE_SHARES)
    kinds = random.choice(names, size=finding.severity, replace=False, p=list(DEVICE_SHARES.values()))
    sided = any(kind in SIDED_DEVICES for kind in kinds)
    kind = ", ".join(name for name in names if name in kinds)
    return replace(finding, kind=kind, side=finding.side if sided else "midline")


def _next_visit(findings: Sequence[Finding], random: np.random.Generator) -> tuple[Finding, ...]:
    """Lasting conditions stay; each other one resolves, improves, stays or worsens; a new one may appear."""
    kept = []
    for finding in findings:
        if finding.condition in LASTING:
            kept.append(finding)
            continue
        change = int(random.choice([-9, -1, 0, 1], p=[0.22, 0.22, 0.34, 0.22]))
        if finding.condition == "support devices":
            change = -9 if change == -9 else 0
        severity = min(finding.severity + change, 3)
        if severity < 1:
            continue
        hedged = finding.hedged and severity == 1
        kept.append(replace(finding, severity=severity, hedged=hedged))
    held = {finding.condition for finding in kept}
    if random.random() < 0.15 and len(kept) < MOST_FINDINGS:
        fresh = str(random.choice(["pleural effusion", "atelectasis", "support devices", "pneumonia"]))
        if fresh not in held:
            kept.append(_finding(fresh, random))
    return tuple(sorted(kept, key=lambda finding: CONDITIONS.index(finding.condition)))
