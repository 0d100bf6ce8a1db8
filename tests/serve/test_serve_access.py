"""Who may ask, what every answer carries, and that nothing of a patient is written where it must not be."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from radiographs import PATIENT, RAMP, dataset_of, dicom, saved
from starlette.testclient import TestClient

from radscribe.core.errors import WrongUse
from radscribe.serve.settings import ServeConfig, read_tokens

Post = Callable[..., Any]
Service = Callable[..., TestClient]
ANNA, BEN = "anna-0123456789abcdef", "ben-fedcba9876543210"


@pytest.fixture
def tokens(tmp_path: Path) -> Any:
    path = tmp_path / "tokens"
    path.write_text(f"# who may draft\nanna {ANNA}\n\n{BEN}  # nobody knows who\n")
    return read_tokens(path)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_without_the_right_token_nothing_but_the_state_is_answered(service: Service, post: Post, tokens: Any) -> None:
    client = service(tokens=tokens, host="0.0.0.0")
    wrong = [
        {},
        bearer(""),
        bearer(ANNA[:-1]),
        bearer(f"{ANNA}a"),
        {"authorization": b"Bearer \xe9"},
        {"authorization": f"Basic {ANNA}"},
    ]
    for headers in wrong:
        for path in ("/v1/drafts", "/metrics", "/openapi.json", "/nothing"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert post(client, dicom(), headers=headers).status_code == 401
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    for token in (ANNA, BEN):
        assert client.get("/v1/drafts", headers=bearer(token) | {"host": "radscribe.hospital"}).status_code == 200


def test_the_audit_log_names_the_owner_of_the_token(service: Service, post: Post, tokens: Any) -> None:
    client = service(tokens=tokens)
    name = post(client, dicom(), headers=bearer(ANNA)).json()["id"]
    client.patch(f"/v1/drafts/{name}", json={"version": 1, "seconds": 1}, headers=bearer(BEN))
    with client.app.state.service._database.reading() as session:  # type: ignore[attr-defined]
        lines = session.connection().exec_driver_sql("SELECT who, action FROM audit ORDER BY number").all()
    assert [tuple(line) for line in lines] == [("anna", "drafted"), ("token 2", "edited")]


@pytest.mark.parametrize("content", ["", "# none\n", "short\n", f"one two {ANNA}\n"])
def test_a_token_file_without_good_tokens_is_wrong_use(content: str, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(content)
    with pytest.raises(WrongUse, match="tokens: "):
        read_tokens(tmp_path / "tokens")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "radscribe.hospital"])
def test_another_host_needs_a_token(host: str, tmp_path: Path, tokens: Any) -> None:
    with pytest.raises(WrongUse, match="--token-file"):
        ServeConfig(data=tmp_path, host=host)
    assert ServeConfig(data=tmp_path, host=host, tokens=tokens).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_none(host: str, tmp_path: Path) -> None:
    assert ServeConfig(data=tmp_path, host=host).tokens.owners == ()


@pytest.mark.parametrize("settings", [{"port": 70_000}, {"retain": 0.0}, {"queue": 0}, {"batch": -1}])
def test_settings_that_cannot_be_are_wrong_use(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="--"):
        ServeConfig(data=tmp_path, **settings)


def test_pages_of_other_sites_are_not_answered(client: TestClient, post: Post) -> None:
    other = [{"host": "evil.example"}, {"host": "127.0.0.1.evil.example"}, {"origin": "http://evil.example"}]
    for headers in [*other, {"origin": "null"}, {"origin": "http://127.0.0.1:9999"}]:
        assert client.get("/v1/drafts", headers=headers).status_code == 403
        assert post(client, dicom(), headers=headers).status_code == 403
    for headers in ({"host": "localhost:8080", "origin": "http://localhost:8080"}, {"host": "[::1]:8080"}):
        assert client.get("/v1/drafts", headers=headers).status_code == 200


def test_every_answer_carries_the_headers_that_browsers_obey(client: TestClient, post: Post) -> None:
    draft = post(client, dicom()).json()
    answers = [
        client.get("/healthz"),
        client.get("/v1/drafts"),
        client.get(draft["films"][0]["url"]),
        client.get("/nothing"),
        client.delete("/v1/drafts"),
        post(client, b"no film"),
        client.get("/v1/drafts", headers={"host": "evil.example"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 405, 422, 403]
    for answer in answers:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "Research use only" in answer.headers["x-radscribe-notice"]


def test_openapi_is_served_and_names_every_route(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.") and "Research use only" in described["info"]["description"]
    assert set(described["paths"]) >= {"/v1/drafts", "/v1/drafts/{name}", "/healthz", "/readyz", "/metrics"}
    files = described["paths"]["/v1/drafts"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert files["schema"]["required"] == ["files"]
    assert client.get("/docs").status_code == 404, "a page that loads scripts from elsewhere"


def test_nothing_of_the_patient_is_logged_answered_or_audited(
    service: Service, post: Post, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    client = service()
    dataset = dataset_of(RAMP)
    dataset.PatientID, dataset.StudyDescription = PATIENT, PATIENT
    upload = [("files", (f"{PATIENT}.dcm", saved(dataset)))]
    accepted = client.post("/v1/drafts", files=upload)
    dataset.Modality = "CT"
    refused = client.post("/v1/drafts", files=[("files", (f"{PATIENT}.dcm", saved(dataset)))])
    words = {"version": 1, "added": [{"text": f"{PATIENT} is well."}]}
    edited = client.patch(f"/v1/drafts/{accepted.json()['id']}", json=words)
    bad = client.patch(f"/v1/drafts/{accepted.json()['id']}", json={**words, "version": PATIENT})
    assert [each.status_code for each in (accepted, refused, edited, bad)] == [201, 422, 200, 422]
    captured = capfd.readouterr()
    with client.app.state.service._database.reading() as session:  # type: ignore[attr-defined]
        audit = str(session.connection().exec_driver_sql("SELECT * FROM audit").all())
    for place in (accepted.text, refused.text, bad.text, caplog.text, captured.out, captured.err, audit):
        assert "Secret" not in place
    assert "Secret" in edited.text, "the reader's own words come back"
    assert not [path for path in tmp_path.rglob("*") if "Secret" in path.name]


def test_the_preamble_of_a_kept_film_is_zeroed_and_nothing_else(service: Service, post: Post) -> None:
    client, film = service(), bytearray(dicom())
    film[:8] = b"#!/bin/s"
    name = post(client, bytes(film)).json()["id"]
    kept = client.app.state.service.films.file(name, 0)  # type: ignore[attr-defined]
    assert kept.read_bytes() == bytes(128) + bytes(film[128:]) and dcmread(kept).Modality == "CR"
    assert kept.stat().st_mode & 0o077 == 0 and kept.parent.stat().st_mode & 0o077 == 0
    assert re.fullmatch("[0-9a-f]{32}", kept.parent.name)


def test_a_fault_of_the_service_is_a_line_without_values(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = service()

    def fail(*arguments: Any) -> None:
        raise ValueError(PATIENT)

    monkeypatch.setattr(client.app.state.service.store, "page", fail)  # type: ignore[attr-defined]
    answer = client.get("/v1/drafts")
    assert answer.status_code == 500 and "log names the place" in answer.json()["detail"]
    assert "ValueError at" in caplog.text and "test_serve_access.py" in caplog.text
    assert PATIENT not in caplog.text + answer.text and "nosniff" in answer.headers["x-content-type-options"]
