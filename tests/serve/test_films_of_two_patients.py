"""A request with films of two patients or studies is refused, and tells nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from radiographs import RAMP, dicom
from starlette.testclient import TestClient

Post = Callable[..., Any]
KNOWN = {"PatientID": "ID-77123", "IssuerOfPatientID": "NORTH", "StudyInstanceUID": "1.2.826.1"}
SECRETS = ("ID-77", "NORTH", "SOUTH", "1.2.826")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"PatientID": "ID-77124"}, "patient"),
        ({"IssuerOfPatientID": "SOUTH"}, "patient"),
        ({"StudyInstanceUID": "1.2.826.2"}, "study"),
    ],
)
def test_it_is_refused_without_a_word_about_the_patients(
    service: Callable[..., TestClient], post: Post, capfd: pytest.CaptureFixture[str], change: dict[str, Any], kind: str
) -> None:
    client = service()
    lateral = dicom(np.flipud(RAMP).copy(), ViewPosition="LL", **(KNOWN | change))
    answer = post(client, dicom(**KNOWN), lateral)
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        f"film 2: its header names another {kind} than that of a film before it; give the films of one study alone"
    )
    printed = "".join(capfd.readouterr())
    assert not any(secret in answer.text + printed for secret in SECRETS)
    assert client.get("/v1/drafts").json()["drafts"] == []
    films = client.app.state.service.config.data / "films"  # type: ignore[attr-defined]
    assert list(films.iterdir()) == []


def test_films_of_one_patient_are_drafted_and_a_picture_without_a_header_beside_them(
    client: TestClient, post: Post, film: Callable[[int], bytes]
) -> None:
    lateral = dicom(np.flipud(RAMP).copy(), ViewPosition="LL", **KNOWN)
    assert post(client, dicom(**KNOWN), lateral, film(5)).status_code == 201
