"""The draft as a PDF, and the PDF as a DICOM object of the study (Encapsulated PDF, DICOM PS3.3 A.45.1)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import highdicom as hd
from matplotlib import get_data_path
from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Image, Paragraph, SimpleDocTemplate, Spacer

from radscribe.clinic.case import Case
from radscribe.clinic.codes import REPORT
from radscribe.clinic.objects import coded, film_of, new_object
from radscribe.clinic.remarks import HEDGED, model_line, remarks
from radscribe.clinic.source import SourceFilm, iso_date
from radscribe.core.records import DraftSentence
from radscribe.drafting.picture import draft_picture
from radscribe.drafting.text import statements

TITLE = "Draft chest radiograph report"
FONT, FONT_FILE = "DejaVuSans", "fonts/ttf/DejaVuSans.ttf"  # comes with matplotlib; Helvetica lacks most names' letters
MARGIN, FOOT = 48, 36  # points
# The film's attributes on the first page, and what they are called there.
IDENTITY = {
    "PatientName": "Patient",
    "PatientID": "ID",
    "PatientBirthDate": "born",
    "PatientSex": "sex",
    "StudyDate": "study of",
    "AccessionNumber": "accession",
}


def report_pdf(case: Case) -> bytes:
    """The bytes of the PDF: whose film, the sentences with probabilities, the remarks, and the draft's picture.

    The notice and the model stand at the foot of every page. The same case gives the same bytes.
    """
    pdfmetrics.registerFont(TTFont(FONT, str(Path(get_data_path()) / FONT_FILE)))
    plain = ParagraphStyle("plain", fontName=FONT, fontSize=9.5, leading=13)
    small = ParagraphStyle("small", plain, fontSize=8, leading=11, leftIndent=12, spaceAfter=4)
    title = ParagraphStyle("title", plain, fontSize=14, leading=20)

    def written(text: str, style: ParagraphStyle) -> Paragraph:
        return Paragraph(escape(text), style)

    content: list[Flowable] = [written(TITLE, title), written(case.draft.notice, plain), Spacer(1, 6)]
    content += [written(_identity(case.source) if case.source else f"Film {case.draft.study_id}", plain), Spacer(1, 8)]
    for sentence in case.draft.sentences:
        content += [written(sentence.text, plain), *(written(note, small) for note in _notes(sentence))]
    content += [Spacer(1, 8), *(written(line, small) for line in remarks(case)), Spacer(1, 8), _picture(case)]

    def draw_foot(canvas: Any, document: Any) -> None:
        canvas.setFont(FONT, 6)
        canvas.drawString(MARGIN, FOOT, case.draft.notice)
        canvas.drawRightString(A4[0] - MARGIN, FOOT, f"page {document.page}, {case.made:%Y-%m-%d %H:%M}")
        canvas.drawString(MARGIN, FOOT - 9, model_line(case.draft))

    file = BytesIO()
    margins = {f"{side}Margin": MARGIN for side in ("left", "right", "top")}
    document = SimpleDocTemplate(file, pagesize=A4, title=TITLE, bottomMargin=FOOT + 18, invariant=1, **margins)
    document.build(content, onFirstPage=draw_foot, onLaterPages=draw_foot)
    return file.getvalue()


def pdf_object(case: Case, pdf: bytes) -> hd.base.SOPClass:
    """``pdf`` as an object of the film's study (DICOM PS3.3 C.24.1 and C.24.2)."""
    film = film_of(case)
    instance = new_object(case, "pdf", EncapsulatedPDFStorage, "DOC")
    instance.ConversionType = "WSD"
    instance.AcquisitionDateTime = None
    instance.BurnedInAnnotation = "YES"
    instance.SourceInstanceSequence = [_reference(each) for each in (film, *case.others)]
    instance.DocumentTitle = TITLE
    instance.ConceptNameCodeSequence = [coded(REPORT)]
    instance.VerificationFlag = "UNVERIFIED"
    instance.MIMETypeOfEncapsulatedDocument = "application/pdf"
    instance.EncapsulatedDocumentLength = len(pdf)
    instance.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return instance


def _reference(film: SourceFilm) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = film.header.SOPClassUID, film.uid
    return item


def _identity(film: SourceFilm) -> str:
    known = [f"{name} {shown}" for keyword, name in IDENTITY.items() if (shown := _shown(film, keyword))]
    return ", ".join(known) or "The film's header names no patient."


def _shown(film: SourceFilm, keyword: str) -> str:
    text = str(film.header[keyword].value).replace("^", " ").strip()
    return iso_date(text) if keyword.endswith("Date") else text


def _notes(sentence: DraftSentence) -> Sequence[str]:
    confidence = "" if sentence.probabilities else f"confidence {sentence.confidence:.2f}"
    notes = (statements(sentence), confidence, HEDGED if sentence.hedged else "", sentence.unmapped)
    return [note for note in notes if note]


def _picture(case: Case) -> Image:
    data = BytesIO(draft_picture(case.draft, case.view))
    width, height = A4[0] - 2 * MARGIN, A4[1] - 2 * MARGIN - FOOT
    return Image(data, width, height, kind="proportional")
