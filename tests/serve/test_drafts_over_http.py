"""Each route, asked rightly and wrongly."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from radiographs import RAMP, dicom
from stand_in import StandIn
from starlette.testclient import TestClient

from radscribe.core.records import NOTICE
from radscribe.drafting.batch import draft_line
from radscribe.drafting.reporter import Reporter

Films = Callable[[int], bytes]
Post = Callable[..., Any]
NOBODY = "0" * 32


def changed(client: TestClient, name: str, version: int, **change: Any) -> Any:
    return client.patch(f"/v1/drafts/{name}", json={"version": version, **change})


def test_a_draft_is_what_generate_writes(
    client: TestClient, post: Post, film: Films, reporter: Reporter, tmp_path: Path
) -> None:
    answer = post(client, film(1))
    record = answer.json()
    (tmp_path / f"{record['id']}.png").write_bytes(film(1))
    expected = draft_line(reporter.draft(tmp_path / f"{record['id']}.png"))
    assert answer.status_code == 201 and answer.headers["location"] == f"/v1/drafts/{record['id']}"
    assert record["draft"].pop("read_films") == [0]
    cut = reporter.system.config.film
    assert record["draft"].pop("view") == {"resize": cut.resize, "crop": cut.crop}
    assert record["draft"] == json.loads(json.dumps(expected)) and record["draft"]["sentences"]
    assert record["notice"] == record["draft"]["notice"] == NOTICE == answer.headers["x-radscribe-notice"]
    assert (record["status"], record["version"], record["final"]) == ("draft", 1, None)
    assert client.get(f"/v1/drafts/{record['id']}").json()["draft"]["report"] == expected["report"]


def test_the_same_files_give_the_same_draft_and_others_another(client: TestClient, post: Post, film: Films) -> None:
    first, again, other, both = (
        post(client, *films) for films in ([film(2)], [film(2)], [film(3)], [film(2), film(3)])
    )
    assert [each.status_code for each in (first, again, other, both)] == [201, 200, 201, 201]
    assert first.json() == again.json()
    assert len({each.json()["id"] for each in (first, other, both)}) == 3


def test_the_frontal_film_of_a_study_is_read_wherever_it_stands(client: TestClient, post: Post) -> None:
    frontal, lateral = dicom(RAMP), dicom(RAMP, ViewPosition="LL")
    study, alone = post(client, lateral, frontal).json(), post(client, frontal).json()
    assert study["draft"]["read_films"] == [1] and len(study["films"]) == 2
    assert study["draft"]["findings"] == alone["draft"]["findings"]
    assert any("1 more were not read" in warning for warning in study["draft"]["warnings"])


def test_a_deep_film_comes_back_with_all_its_levels(client: TestClient, post: Post, film: Films) -> None:
    deep, flat = (
        post(client, content).json()["films"][0] for content in (dicom(WindowCenter=2000, WindowWidth=3000), film(4))
    )
    assert (deep["width"], deep["height"], deep["bits"]) == (64, 48, 16)
    answer = client.get(deep["url"])
    assert answer.headers["content-type"] == "image/png" and answer.headers["film-window"] == "494 3505"
    assert (np.asarray(Image.open(BytesIO(answer.content))) == RAMP).all()
    assert flat["bits"] == 8 and client.get(flat["url"]).headers["film-window"] == "0 255"
    assert Image.open(BytesIO(client.get(flat["url"]).content)).mode == "L"


def test_the_list_is_newest_first_and_paged(service: Callable[..., TestClient], post: Post, film: Films) -> None:
    client = service()
    names = [post(client, film(number)).json()["id"] for number in range(5)]
    seen, cursor = [], None
    while True:
        page = client.get("/v1/drafts", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert page["notice"] == NOTICE and len(page["drafts"]) <= 2
        seen += [line["id"] for line in page["drafts"]]
        cursor = page["next"]
        if cursor is None:
            break
        post(client, film(10 + len(seen)))  # what comes meanwhile moves no page
    assert seen == names[::-1]


def test_edits_are_merged_and_the_final_text_is_kept(client: TestClient, post: Post, film: Films) -> None:
    record = post(client, film(20)).json()
    name, sentences = record["id"], record["draft"]["sentences"]
    assert sentences, "the phantom must have a sentence to edit"
    edits = [{"index": index, "action": "rejected"} for index in range(1, len(sentences))]
    first = changed(
        client, name, 1, sentences=[{"index": 0, "action": "edited", "text": " Clear  lungs. "}], seconds=2.5
    )
    assert first.status_code == 200 and first.json()["version"] == 2
    assert first.json()["edits"]["sentences"] == [{"index": 0, "action": "edited", "text": "Clear lungs."}]
    added = [{"text": "First.", "after": -1}, {"text": "Last."}]
    second = changed(client, name, 2, sentences=edits, added=added, seconds=1, status="final").json()
    assert second["final"] == "First. Clear lungs. Last." and second["status"] == "final"
    assert second["edits"]["seconds"] == 3.5
    assert second["draft"] == record["draft"]
    assert [line["id"] for line in client.get("/v1/drafts", params={"status": "final"}).json()["drafts"]] == [name]
    assert changed(client, name, 3, seconds=1).status_code == 409
    opened = changed(client, name, 3, status="draft", sentences=[{"index": 0, "action": "open"}]).json()
    assert opened["final"] == "First. Clear lungs. Last." and opened["status"] == "draft"
    assert 0 not in {edit["index"] for edit in opened["edits"]["sentences"]}


def test_a_stale_version_changes_nothing(client: TestClient, post: Post, film: Films) -> None:
    name = post(client, film(21)).json()["id"]
    assert changed(client, name, 1, seconds=1).status_code == 200
    stale = changed(client, name, 1, seconds=9)
    assert stale.status_code == 409 and "version 2" in stale.json()["detail"]
    assert client.get(f"/v1/drafts/{name}").json()["edits"]["seconds"] == 1


WRONG_CHANGES = {
    "no version": {},
    "no such sentence": {"version": 1, "sentences": [{"index": 900, "action": "accepted"}]},
    "edited without words": {"version": 1, "sentences": [{"index": 0, "action": "edited"}]},
    "accepted with words": {"version": 1, "sentences": [{"index": 0, "action": "accepted", "text": "Secret."}]},
    "blank words": {"version": 1, "added": [{"text": " \n "}]},
    "control characters": {"version": 1, "added": [{"text": "Secret\u0000."}]},
    "added after no sentence": {"version": 1, "added": [{"text": "Secret.", "after": 900}]},
    "unknown key": {"version": 1, "Secret": 1},
    "unknown action": {"version": 1, "sentences": [{"index": 0, "action": "Secret"}]},
    "negative time": {"version": 1, "seconds": -1},
    "open sentences made final": {"version": 1, "status": "final"},
    "nothing left": {"version": 1, "status": "final", "sentences": "all rejected"},
    "no object": "Secret",
}


@pytest.mark.parametrize("case", WRONG_CHANGES)
def test_a_wrong_change_is_refused_with_its_reason_and_without_its_words(
    case: str, client: TestClient, post: Post, film: Films
) -> None:
    record, change = post(client, film(22)).json(), WRONG_CHANGES[case]
    if case == "nothing left":
        rejected = [{"index": index, "action": "rejected"} for index in range(len(record["draft"]["sentences"]))]
        change = {**change, "sentences": rejected}
    answer = client.patch(f"/v1/drafts/{record['id']}", json=change)
    assert answer.status_code == 422 and len(answer.json()["detail"]) > 10
    assert "Secret" not in answer.json()["detail"] or case == "unknown key"
    assert client.get(f"/v1/drafts/{record['id']}").json() == record


@pytest.mark.parametrize("name", [NOBODY, "..%2f..%2fetc", "%00", "x" * 5000])
def test_what_is_not_there_is_not_found(name: str, client: TestClient) -> None:
    for answer in (
        client.get(f"/v1/drafts/{name}"),
        client.get(f"/v1/drafts/{name}/films/0.png"),
        client.patch(f"/v1/drafts/{name}", json={"version": 1}),
    ):
        assert answer.status_code == 404 and answer.json()["detail"]


def test_a_film_that_a_study_does_not_have_is_not_found(client: TestClient, post: Post, film: Films) -> None:
    url = f"/v1/drafts/{post(client, film(23)).json()['id']}/films"
    assert client.get(f"{url}/0.png").status_code == 200
    assert [client.get(f"{url}/{place}.png").status_code for place in (1, -1, 10**30)] == [404, 404, 404]
    assert client.get(f"{url}/x.png").status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=1000", "cursor=x", "cursor=99999999999999999999", "status=x"])
def test_a_wrong_page_is_refused(query: str, client: TestClient) -> None:
    assert client.get(f"/v1/drafts?{query}").status_code == 422


def test_an_abstention_comes_with_its_reasons_instead_of_a_draft(
    service: Callable[..., TestClient], post: Post, film: Films, reporter: Reporter
) -> None:
    client = service(model=StandIn(reporter, abstain=True))
    record = post(client, film(1)).json()
    assert record["abstain"] is True and record["reasons"] == ["It is turned."] and record["notice"] == NOTICE


def test_the_state_of_the_service_and_its_figures(
    service: Callable[..., TestClient], post: Post, film: Films, reporter: Reporter
) -> None:
    client = service(StandIn(reporter))
    assert client.get("/healthz").json() == {"status": "ok"} and client.get("/readyz").json() == {"status": "ready"}
    name = post(client, film(1)).json()["id"]
    post(client, film(1))
    decided = [{"index": 0, "action": "edited", "text": "Small left effusion."}, {"index": 1, "action": "accepted"}]
    assert changed(client, name, 1, sentences=decided[:1]).status_code == 200
    assert not [line for line in client.get("/metrics").text.splitlines() if line.startswith("radscribe_edits_total")]
    assert changed(client, name, 2, sentences=decided, status="final").status_code == 200
    answer = client.get("/metrics")
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert answer.headers["content-type"].startswith("text/plain")
    expected = {
        "radscribe_drafts_total": "1.0",
        "radscribe_abstentions_total": "0.0",
        "radscribe_queue_length": "0.0",
        'radscribe_findings_total{finding="pleural effusion"}': "1.0",
        'radscribe_edits_total{action="edited",finding="pleural effusion"}': "1.0",
        'radscribe_edits_total{action="accepted",finding="pneumothorax"}': "1.0",
        'radscribe_requests_total{method="POST",route="/v1/drafts",status="201"}': "1.0",
        'radscribe_requests_total{method="POST",route="/v1/drafts",status="200"}': "1.0",
        'radscribe_request_seconds_count{method="POST",route="/v1/drafts"}': "2.0",
    }
    assert {name: lines.get(name) for name in expected} == expected


def test_a_service_without_model_or_database_is_not_ready(service: Callable[..., TestClient]) -> None:
    client = service()
    made = client.app.state.service  # type: ignore[attr-defined]
    with made._database.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE checks")
    assert client.get("/readyz").status_code == 503 and client.get("/healthz").status_code == 200
    made.drafter.stop()
    assert "model" in client.get("/readyz").json()["detail"]
