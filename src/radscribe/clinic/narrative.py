"""The draft as a DICOM report that one reads: Basic Diagnostic Imaging Report (DICOM PS3.16 TID 2000)."""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
from highdicom.sr import (
    ContainerContentItem,
    ContentSequence,
    ImageContentItem,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.sr.codedict import codes

from radscribe.clinic.case import Case
from radscribe.clinic.codes import COMMENT, REPORT
from radscribe.clinic.objects import coded, dated, film_of, series_attributes
from radscribe.clinic.observer import observation_context
from radscribe.clinic.remarks import HEDGED, remarks
from radscribe.clinic.source import SourceFilm
from radscribe.core.records import DraftSentence
from radscribe.drafting.text import statements
from radscribe.imaging.quiet import quiet

_CONTAINS = RelationshipTypeValues.CONTAINS


@quiet("highdicom")  # its warnings quote the patient's name
def narrative(case: Case) -> hd.sr.ComprehensiveSR:
    """The report of a case: PRELIMINARY, UNVERIFIED, COMPLETE (DICOM PS3.3 C.17.2).

    Its sections are the findings, a sentence each with its probabilities and the film it was read from; the summary,
    with the notice, the model, abstention, warnings, withheld sentences and what is not assessed; and the key images.
    """
    film = film_of(case)
    root = ContainerContentItem(coded(REPORT), is_content_continuous=False, template_id="2000")
    content = ContentSequence()
    content.extend(hd.sr.LanguageOfContentItemAndDescendants(hd.sr.CodedConcept("en", "RFC5646", "English")))
    content.extend(observation_context(case))
    if case.draft.sentences:
        content.append(_section(codes.LN.Findings, [_sentence(each, film) for each in case.draft.sentences]))
    summary = [TextContentItem(codes.DCM.Summary, line, _CONTAINS) for line in remarks(case)]
    content.append(_section(codes.LN.Summary, summary))
    content.append(_section(codes.LN.KeyImages, [_image(each, _CONTAINS) for each in (film, *case.others)]))
    root.ContentSequence = content
    report = hd.sr.ComprehensiveSR(
        evidence=[film.header, *(each.header for each in case.others)],
        content=root,
        is_complete=True,
        **series_attributes(case, "report"),
    )
    dated(report, case)
    return report


def _section(title: hd.sr.CodedConcept, items: Sequence[hd.sr.value_types.ContentItem]) -> ContainerContentItem:
    section = ContainerContentItem(title, is_content_continuous=False, relationship_type=_CONTAINS)
    section.ContentSequence = ContentSequence(items)
    return section


def _sentence(sentence: DraftSentence, film: SourceFilm) -> TextContentItem:
    """A finding in words, what it states with which probability, and the film it was inferred from (TID 2002)."""
    item = TextContentItem(codes.DCM.Finding, sentence.text, _CONTAINS)
    notes = [statements(sentence), HEDGED if sentence.hedged else "", sentence.unmapped or ""]
    item.ContentSequence = ContentSequence(
        [
            *(TextContentItem(coded(COMMENT), note, RelationshipTypeValues.HAS_PROPERTIES) for note in notes if note),
            _image(film, RelationshipTypeValues.INFERRED_FROM),
        ]
    )
    return item


def _image(film: SourceFilm, relationship: RelationshipTypeValues) -> ImageContentItem:
    return ImageContentItem(
        codes.DCM.SourceOfMeasurement,
        film.header.SOPClassUID,
        film.uid,
        relationship_type=relationship,
    )
