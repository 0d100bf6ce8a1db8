"""Whatever is uploaded gets an answer with a reason, and the service lives on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hostile import BODIES, END, FILMS, NAMES, TYPE, part
from radiographs import dicom
from starlette.testclient import TestClient

Films = Callable[[int], bytes]
Post = Callable[..., Any]


def refused(answer: Any) -> str:
    """The reason of a refusal: one line, without anything of the file."""
    reason = answer.json()["detail"]
    assert 400 <= answer.status_code < 500 and isinstance(reason, str), (answer.status_code, reason)
    assert 10 < len(reason) < 400 and "\n" not in reason and "Traceback" not in reason and "Secret" not in reason
    return reason


@pytest.fixture(autouse=True)
def alive(client: TestClient) -> Iterator[None]:
    """After each test the service is ready, and has kept nothing of what it refused."""
    yield
    service = client.app.state.service  # type: ignore[attr-defined]
    assert client.get("/readyz").status_code == 200 and service.drafter.held == 0
    kept = service.store.ids()
    assert {path.name for path in service.films._folder.iterdir()} == kept


@pytest.mark.parametrize("name", FILMS)
def test_a_hostile_film_is_refused_with_its_reason(name: str, client: TestClient, post: Post) -> None:
    reason = refused(post(client, FILMS[name]()))
    assert "film" in reason


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_request_is_refused_with_its_reason(name: str, client: TestClient) -> None:
    kind, make = BODIES[name]
    refused(client.post("/v1/drafts", content=make(), headers={"content-type": kind} if kind else {}))


@pytest.mark.parametrize("name", NAMES)
def test_a_film_is_drafted_whatever_its_name_and_kept_under_none_of_it(name: str, client: TestClient) -> None:
    film = dicom(WindowCenter=1000 + NAMES.index(name), WindowWidth=2000)
    disposition = f'form-data; name="files"; filename="{name}"'
    answer = client.post("/v1/drafts", content=part(film, disposition) + END, headers={"content-type": TYPE})
    assert answer.status_code == 201 and name[:20] not in answer.text
    service = client.app.state.service  # type: ignore[attr-defined]
    assert service.films.file(answer.json()["id"], 0).stat().st_size == len(film)


def test_there_are_enough_of_them_and_a_film_is_still_drafted(client: TestClient, post: Post, film: Films) -> None:
    assert len(FILMS) + len(BODIES) >= 60
    assert post(client, film(1)).status_code == 201


def test_more_bytes_than_are_allowed_are_not_read(service: Callable[..., TestClient], post: Post, film: Films) -> None:
    client, sent = service(request_bytes=100_000, film_bytes=20_000), 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield part(b"")[:-2]
        for _ in range(1000):
            sent += 10_000
            yield bytes(10_000)

    assert "100,000" in refused(client.post("/v1/drafts", content=endless(), headers={"content-type": TYPE}))
    assert "100,000" in refused(post(client, bytes(150_000)))
    assert "20,000" in refused(post(client, bytes(30_000)))
    name = post(client, film(1)).json()["id"]
    long = {"version": 1, "added": [{"text": "a" * 2**20}]}
    assert client.patch(f"/v1/drafts/{name}", json=long).status_code == 413


def test_a_study_of_several_films_names_the_one_that_is_refused(client: TestClient, post: Post, film: Films) -> None:
    answer = post(client, film(30), film(31), b"no film")
    assert answer.status_code == 422 and refused(answer).startswith("film 3: ")
