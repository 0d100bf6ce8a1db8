"""What is too old is deleted with its films, the audit log says so, and a killed service leaves no films behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from radscribe.serve.audit import verify
from radscribe.serve.database import DraftRow

Post = Callable[..., Any]
Films = Callable[[int], bytes]


def folders(path: Path) -> set[str]:
    return {each.name for each in (path / "films").iterdir()}


def test_old_drafts_go_and_young_ones_stay(
    unstarted: Callable[..., TestClient],
    service: Callable[..., TestClient],
    post: Post,
    film: Films,
    tmp_path: Path,
) -> None:
    data = tmp_path / "kept"
    data.mkdir()
    with unstarted(data=data) as client:
        old, young = (post(client, film(number)).json()["id"] for number in (1, 2))
        with client.app.state.service._database.writing() as session:  # type: ignore[attr-defined]
            row = session.query(DraftRow).filter_by(id=old).one()
            row.created = (datetime.now(UTC) - timedelta(days=3)).isoformat(timespec="microseconds")
    assert folders(data) == {old, young}
    left, other = ("f" * 32, "e" * 32)  # by a killed service, and of a database that is not at hand
    for name in (left, other):
        (data / "films" / name).mkdir()
    for name in (left, young):
        (data / "films" / name / "unkept").touch()
    client = service(data=data, retain=2.5)
    end = time.monotonic() + 20
    while old in folders(data) and time.monotonic() < end:
        time.sleep(0.02)
    assert folders(data) == {young, other}
    assert not list((data / "films").rglob("unkept"))
    assert client.get(f"/v1/drafts/{old}").status_code == 404 and client.get(f"/v1/drafts/{young}").status_code == 200
    with client.app.state.service._database.reading() as session:  # type: ignore[attr-defined]
        lines = session.connection().exec_driver_sql("SELECT who, action, draft FROM audit ORDER BY number").all()
        films = session.connection().exec_driver_sql("SELECT count(*) FROM films").scalar_one()
        assert verify(session).broken is None
    assert [tuple(line) for line in lines][2:] == [("service", "deleted", old)] and films == 1
    assert post(client, film(1)).status_code == 201, "what was deleted can be drafted again"


def test_deleted_words_are_overwritten_in_the_file(
    unstarted: Callable[..., TestClient], post: Post, film: Films, tmp_path: Path
) -> None:
    words = "Quokka-shaped opacity of the left lung."
    with unstarted() as client:
        name = post(client, film(1)).json()["id"]
        client.patch(f"/v1/drafts/{name}", json={"version": 1, "added": [{"text": words}]})
    files = list((tmp_path / "data").glob("radscribe.db*"))
    assert any(words.encode() in path.read_bytes() for path in files)
    with unstarted(retain=1e-9) as client:
        end = time.monotonic() + 20
        while client.get(f"/v1/drafts/{name}").status_code == 200 and time.monotonic() < end:
            time.sleep(0.02)
    assert not any(words.encode() in path.read_bytes() for path in (tmp_path / "data").glob("radscribe.db*"))
