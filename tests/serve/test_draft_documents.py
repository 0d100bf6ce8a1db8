"""A draft as hospital documents: each opens again, and a final draft says what its reader left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pypdf import PdfReader
from radiographs import PATIENT, RAMP, dataset_of, saved
from stand_in import StandIn
from starlette.testclient import TestClient

from radscribe.core.records import NOTICE, Finding
from radscribe.drafting.batch import draft_line
from radscribe.drafting.reporter import Reporter
from radscribe.serve.documents import DOCUMENTS, draft_of, final_draft
from radscribe.serve.messages import AddedSentence, Edits, SentenceEdit
from radscribe.serve.settings import read_tokens

Post = Callable[..., Any]
UNREAD = "Drafted by software, verified by nobody."
TOKENS = {"anna": "0123456789abcdef", "": "fedcba9876543210"}
IDENTIFIED = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "SOPInstanceUID": "1.2.3.1.1"}


def film(**fields: Any) -> bytes:
    dataset = dataset_of(RAMP, **(IDENTIFIED | fields))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return saved(dataset)


def texts(item: Dataset) -> list[str]:
    """All words of a structured report."""
    own = [str(item.TextValue)] if "TextValue" in item else []
    return own + [text for each in item.get("ContentSequence", []) for text in texts(each)]


@pytest.fixture(scope="module")
def record(client: TestClient, post: Post) -> dict[str, Any]:
    answer = post(client, film())
    assert answer.status_code == 201
    return answer.json()  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_opens_again_and_carries_the_notice(
    name: str, client: TestClient, record: dict[str, Any]
) -> None:
    answer = client.get(f"/v1/drafts/{record['id']}/{name}")
    assert answer.status_code == 200 and answer.headers["content-type"] == DOCUMENTS[name], answer.text[:300]
    if name == "fhir":
        bundle = answer.json()
        assert bundle["resourceType"] == "Bundle" and NOTICE in answer.text
    elif name == "report.pdf":
        assert answer.content.startswith(b"%PDF")
    else:
        opened = dcmread(BytesIO(answer.content))
        assert answer.content[:128] == bytes(128) and opened.StudyInstanceUID == "1.2.3"
        assert str(opened.PatientName) == PATIENT
    if name.endswith("sr.dcm"):
        assert NOTICE in texts(opened)
    assert client.get(f"/v1/drafts/{record['id']}/{name}").content == answer.content, "the same again"


def test_a_film_without_a_header_has_two_documents(client: TestClient, post: Post) -> None:
    from pictures import GRADIENT, encoded
    from PIL import Image

    name = post(client, encoded(Image.fromarray(GRADIENT))).json()["id"]
    answers = {each: client.get(f"/v1/drafts/{name}/{each}") for each in DOCUMENTS}
    assert {each for each, answer in answers.items() if answer.status_code == 200} == {"report.pdf", "fhir"}
    assert all("film" in answer.json()["detail"] for answer in answers.values() if answer.status_code == 422)


def test_what_is_not_there_has_no_document(client: TestClient, record: dict[str, Any]) -> None:
    assert client.get(f"/v1/drafts/{'0' * 32}/report.pdf").status_code == 404
    assert client.get(f"/v1/drafts/{record['id']}/other.pdf").status_code == 404


def test_a_final_draft_says_what_its_reader_left(
    service: Callable[..., TestClient], post: Post, reporter: Reporter
) -> None:
    client = service(StandIn(reporter))
    name = post(client, film()).json()["id"]
    before = texts(dcmread(BytesIO(client.get(f"/v1/drafts/{name}/report.sr.dcm").content)))
    assert "There is a left pleural effusion." in before and UNREAD in before
    edits = [{"index": 0, "action": "rejected"}, {"index": 1, "action": "accepted"}]
    change = {"version": 1, "sentences": edits, "added": [{"text": "The heart is enlarged."}], "status": "final"}
    assert client.patch(f"/v1/drafts/{name}", json=change).status_code == 200
    after = texts(dcmread(BytesIO(client.get(f"/v1/drafts/{name}/report.sr.dcm").content)))
    assert {"No pneumothorax.", "The heart is enlarged."} <= set(after) and UNREAD not in after
    assert not any("effusion" in text for text in after)
    bundle = client.get(f"/v1/drafts/{name}/fhir").json()
    stated = {
        entry["resource"]["code"]["text"]: entry["resource"]["interpretation"][0]["coding"][0]["code"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Observation" and "interpretation" in entry["resource"]
    }
    assert stated["cardiomegaly"] == "POS" and stated["pneumothorax"] == "NEG" and "pleural effusion" not in stated


def words(document: str, content: bytes) -> str:
    """What a document says, on one line."""
    if document == "fhir":
        return content.decode()
    if document == "report.pdf":
        return " ".join("".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages).split())
    return " ".join(texts(dcmread(BytesIO(content))))


@pytest.mark.parametrize(("owner", "named"), [("anna", "anna"), ("", "a reader")])
def test_a_final_draft_names_who_finished_it_and_is_no_signed_report(
    owner: str, named: str, service: Callable[..., TestClient], post: Post, reporter: Reporter, tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text("".join(f"{name} {token}\n" for name, token in TOKENS.items()))
    client = service(StandIn(reporter), tokens=read_tokens(tmp_path / "tokens"))
    asks = {name: {"authorization": f"Bearer {token}"} for name, token in TOKENS.items()}
    other = next(name for name in TOKENS if name != owner)
    address = f"/v1/drafts/{post(client, film(), headers=asks[other]).json()['id']}"
    decided = [{"index": index, "action": "accepted"} for index in (0, 1)]
    for version, (who, status) in enumerate([(other, "final"), (other, "draft"), (owner, "final")], start=1):
        change = {"version": version, "sentences": decided if status == "final" else [], "status": status}
        assert client.patch(address, json=change, headers=asks[who]).status_code == 200
    for document in ("report.pdf", "report.sr.dcm", "findings.sr.dcm", "fhir"):
        content = client.get(f"{address}/{document}", headers=asks[owner]).content
        said = words(document, content)
        assert f"{named} accepted, edited or rejected every sentence. Not signed." in said, (document, said)
        assert NOTICE in said and UNREAD not in said
        if document.endswith("sr.dcm"):
            assert dcmread(BytesIO(content)).VerificationFlag == "UNVERIFIED"


def test_an_undecided_draft_is_verified_by_nobody_in_each_document(client: TestClient, record: dict[str, Any]) -> None:
    for document in ("report.pdf", "report.sr.dcm", "findings.sr.dcm", "fhir"):
        assert UNREAD in words(document, client.get(f"/v1/drafts/{record['id']}/{document}").content)


def test_documents_of_a_draft_show_the_film_as_its_own_model_saw_it(
    unstarted: Callable[..., TestClient], post: Post, reporter: Reporter
) -> None:
    later, config = StandIn(reporter), reporter.system.config
    later.fingerprint = "f" * 64
    later.system = SimpleNamespace(config=replace(config, film=replace(config.film, crop=32)))  # type: ignore[assignment]
    made = []
    for model in (StandIn(reporter), later):
        with unstarted(model) as client:
            address = "/v1/drafts"
            if not made:
                post(client, film())
            (draft,) = client.get(address).json()["drafts"]
            made.append([client.get(f"{address}/{draft['id']}/{each}").content for each in DOCUMENTS])
    assert made[0] == made[1] and made[0][2].startswith(b"%PDF")


def test_a_draft_comes_back_from_its_line(reporter: Reporter) -> None:
    (draft,) = StandIn(reporter).drafts([RAMP.astype("uint8")], ["x"], "best")
    assert draft_of(json.loads(json.dumps({**draft_line(draft), "read_films": [0]}))) == draft


def test_the_findings_of_a_final_draft_are_those_of_its_words(reporter: Reporter) -> None:
    (draft,) = StandIn(reporter).drafts([RAMP.astype("uint8")], ["x"], "best")
    edits = Edits(
        sentences=[
            SentenceEdit(index=0, action="edited", text="No pleural effusion."),
            SentenceEdit(index=1, action="accepted"),
        ],
        added=[AddedSentence(text="Mild cardiomegaly.", after=-1), AddedSentence(text="A nodule.", after=0)],
    )
    final = final_draft(draft, edits)
    assert final.report == "Mild cardiomegaly. No pleural effusion. A nodule. No pneumothorax."
    found = {finding.condition: (finding.state, finding.probability) for finding in final.findings}
    assert found["pneumothorax"] == ("negative", 0.9), "the model's own stays with its probability"
    assert found["pleural effusion"] == ("negative", None) and found["cardiomegaly"] == ("positive", None)
    assert found["fracture"] == ("blank", None)
    assert final.sentences[3] == draft.sentences[1] and final.sentences[0].probabilities == {}
    assert final.model == draft.model


def test_a_finding_stays_as_the_model_meant_it_while_its_sentence_stands(reporter: Reporter) -> None:
    (draft,) = StandIn(reporter).drafts([RAMP.astype("uint8")], ["x"], "best")
    lines = replace(draft.sentences[0], text="Possibly left picc line.", conditions={"support devices": "uncertain"})
    draft = replace(
        draft,
        sentences=(lines, draft.sentences[1]),
        findings=(Finding("support devices", "uncertain", 0.4), Finding("pneumothorax", "negative", 0.9)),
    )
    accepted = [SentenceEdit(index=index, action="accepted") for index in (0, 1)]

    def state(*more: str, sentences: list[SentenceEdit] = accepted) -> tuple[str, float | None]:
        edits = Edits(sentences=sentences, added=[AddedSentence(text=text) for text in more])
        (found,) = (each for each in final_draft(draft, edits).findings if each.condition == "support devices")
        return found.state, found.probability

    assert state() == state("The heart is enlarged.") == ("uncertain", 0.4)
    assert state("A chest tube is seen.") == ("positive", None)
    assert state(sentences=[SentenceEdit(index=0, action="rejected"), accepted[1]]) == ("blank", None)
