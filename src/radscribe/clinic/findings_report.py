"""The findings of a draft for machines: Measurement Report (DICOM PS3.16 TID 1500), as IHE AI Results asks for it."""

from __future__ import annotations

from typing import Any

import highdicom as hd
import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)

from radscribe.clinic.case import Case
from radscribe.clinic.codes import (
    CERTAINTY,
    COMMENT,
    CONDITION_CODES,
    NO_DRAFT,
    NOTHING_STATED,
    PERCENT,
    PRESENCE,
    PROCEDURE,
    STATES,
    Code,
)
from radscribe.clinic.geometry import Box
from radscribe.clinic.identity import uid_of
from radscribe.clinic.objects import MANUFACTURER, coded, coding_scheme, dated, film_of, series_attributes
from radscribe.clinic.observer import observation_context
from radscribe.clinic.remarks import remarks
from radscribe.core.records import Finding
from radscribe.core.version import __version__
from radscribe.imaging.quiet import quiet

Group = MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations


@quiet("highdicom")  # its warnings quote the patient's name
def findings_report(case: Case) -> hd.sr.Comprehensive3DSR:
    """The findings of a case, a measurement group each: PRELIMINARY, UNVERIFIED, COMPLETE.

    A finding that the draft states is present, absent or undetermined with its probability in percent; it has a group
    for each box of its evidence (TID 1410) or one without a region (TID 1501). A condition that is not assessed says
    so; one that the draft does not speak of has no group. A group of its own says that the model abstains, or that the
    draft states no condition, as a report needs one. The remarks of ``remarks`` stand as comments.
    """
    film = film_of(case)
    groups = [group for finding in case.draft.findings if finding.state in STATES for group in _groups(case, finding)]
    if case.draft.abstain or not groups:
        said = ("no draft", NO_DRAFT) if case.draft.abstain else ("nothing stated", NOTHING_STATED)
        groups.append(_group(case, *said, STATES["positive"]))
    content = MeasurementReport(
        observation_context=observation_context(case),
        procedure_reported=coded(PROCEDURE),
        imaging_measurements=groups,
        referenced_images=None,
        title=hd.sr.CodedConcept("126000", "DCM", "Imaging Measurement Report"),
    )
    for line in remarks(case):
        content[0].ContentSequence.append(
            TextContentItem(coded(COMMENT), line, relationship_type=RelationshipTypeValues.CONTAINS)
        )
    report = hd.sr.Comprehensive3DSR(
        evidence=[film.header, *(each.header for each in case.others)],
        content=content[0],
        is_complete=True,
        coding_schemes=[coding_scheme()],
        **series_attributes(case, "findings"),
    )
    dated(report, case)
    return report


def boxes_of(case: Case, finding: Finding) -> list[Box]:
    """Where the sentences that state ``finding`` have their evidence, in pixels of the film as it is stored."""
    sentences = [each for each in case.draft.sentences if each.conditions.get(finding.condition) == finding.state]
    boxes = [sentence.evidence.box for sentence in sentences if sentence.evidence and sentence.evidence.box]
    return [placed for box in boxes if (placed := case.geometry.on_film(box))]


def _groups(case: Case, finding: Finding) -> list[Group]:
    codes = CONDITION_CODES[finding.condition]
    boxes: list[Box | None] = [*boxes_of(case, finding)] or [None]
    return [
        _group(
            case,
            finding.condition if number == 1 else f"{finding.condition} {number}",
            codes.primary,
            STATES[finding.state],
            codes.site,
            finding.probability,
            box,
        )
        for number, box in enumerate(boxes, 1)
    ]


def _group(
    case: Case,
    name: str,
    finding: Code,
    state: Code,
    site: Code | None = None,
    probability: float | None = None,
    box: Box | None = None,
) -> Group:
    model, film = case.draft.model, film_of(case)
    algorithm = AlgorithmIdentification(
        name=model["name"],
        version=__version__,
        parameters=[f"fingerprint {model['fingerprint']}"],
        manufacturer=MANUFACTURER,
    )
    shared: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(uid_of("tracking", name, case.key), name),
        "finding_type": coded(finding),
        "algorithm_id": algorithm,
        "finding_sites": [hd.sr.FindingSite(coded(site))] if site else None,
        "qualitative_evaluations": [QualitativeEvaluation(coded(PRESENCE), coded(state))],
        "measurements": None
        if probability is None
        else [Measurement(coded(CERTAINTY), round(100 * probability, 2), coded(PERCENT))],
    }
    if box is None:
        source = SourceImageForMeasurementGroup(film.header.SOPClassUID, film.uid)
        return MeasurementsAndQualitativeEvaluations(**shared, source_images=[source])
    left, top, right, bottom = box
    outline = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    region = ImageRegion(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=outline,
        source_image=SourceImageForRegion(film.header.SOPClassUID, film.uid),
    )
    return PlanarROIMeasurementsAndQualitativeEvaluations(**shared, referenced_region=region)
