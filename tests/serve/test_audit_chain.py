"""The audit log: what is in it, that it takes no changes, and that each tampering is found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

Post = Callable[..., Any]
Run = Callable[..., tuple[int, str, str]]
Films = Callable[[int], bytes]


@pytest.fixture
def database(service: Callable[..., TestClient], post: Post, film: Films, tmp_path: Path) -> sqlite3.Connection:
    """The database after three drafts and two changes, five lines in all."""
    client = service()
    for number in range(3):
        record = post(client, film(number)).json()
    post(client, film(2))
    accepted = [{"index": index, "action": "accepted"} for index in range(len(record["draft"]["sentences"]))]
    for version, change in ((1, {"seconds": 2}), (2, {"sentences": accepted, "status": "final"})):
        assert client.patch(f"/v1/drafts/{record['id']}", json={"version": version, **change}).status_code == 200
    return sqlite3.connect(tmp_path / "data" / "radscribe.db", isolation_level=None)


def tampered(database: sqlite3.Connection, statement: str) -> None:
    """Change the log as somebody with the database at hand would."""
    for command in ("update", "delete"):
        database.execute(f"DROP TRIGGER IF EXISTS audit_no_{command}")
    assert database.execute(statement).rowcount > 0


def test_it_has_a_line_for_each_change_and_is_sound(
    database: sqlite3.Connection, run: Run, tmp_path: Path, film: Films, reporter: Any
) -> None:
    lines = database.execute(
        "SELECT who, action, study_hash, fingerprint, change FROM audit ORDER BY number"
    ).fetchall()
    assert [line[1] for line in lines] == ["drafted", "drafted", "drafted", "edited", "finalised"]
    assert {line[0] for line in lines} == {"local"} and {line[3] for line in lines} == {reporter.fingerprint}
    assert lines[0][2] == sha256(sha256(film(0)).digest()).hexdigest()
    assert json.loads(lines[4][4])["version"] == 3 and json.loads(lines[4][4])["accepted"] >= 1
    code, out, _ = run("audit", "verify", "--data", str(tmp_path / "data"))
    assert code == 0 and out.startswith("sound: 5 lines, the last with the hash ")


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit WHERE number = 5"])
def test_it_takes_no_changes(statement: str, database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)


TAMPERINGS = {
    "who": ("UPDATE audit SET who = 'x' WHERE number = 2", 2, "changed"),
    "when": ("UPDATE audit SET at = '2020' WHERE number = 5", 5, "changed"),
    "study": ("UPDATE audit SET study_hash = 'x' WHERE number = 1", 1, "changed"),
    "change": ("UPDATE audit SET change = '{}' WHERE number = 4", 4, "changed"),
    "removed": ("DELETE FROM audit WHERE number = 3", 3, "missing"),
    "first removed": ("DELETE FROM audit WHERE number = 1", 1, "missing"),
    "hash forged": ("UPDATE audit SET who = 'x', hash = 'ab' WHERE number = 2", 2, "changed"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_found_and_its_line_named(
    name: str, database: sqlite3.Connection, run: Run, tmp_path: Path
) -> None:
    statement, line, reason = TAMPERINGS[name]
    tampered(database, statement)
    code, out, err = run("audit", "verify", "--db", f"sqlite:///{tmp_path / 'data' / 'radscribe.db'}")
    assert code == 1 and not out and f"line {line} is broken" in err and reason in err


def test_a_line_removed_and_the_rest_numbered_anew_is_found(
    database: sqlite3.Connection, run: Run, tmp_path: Path
) -> None:
    tampered(database, "DELETE FROM audit WHERE number = 3")
    for number in (4, 5):
        database.execute("UPDATE audit SET number = ? WHERE number = ?", (number - 1, number))
    code, _, err = run("audit", "verify", "--data", str(tmp_path / "data"))
    assert code == 1 and "line 3 is broken: it does not follow" in err


def test_lines_cut_off_at_the_end_are_found_by_an_earlier_hash(
    database: sqlite3.Connection, run: Run, tmp_path: Path
) -> None:
    head = run("audit", "verify", "--data", str(tmp_path / "data"))[1].split()[-1]
    assert run("audit", "verify", "--data", str(tmp_path / "data"), "--contains", head)[0] == 0
    tampered(database, "DELETE FROM audit WHERE number = 5")
    assert (
        "line 4 is broken: its draft was changed since" in run("audit", "verify", "--data", str(tmp_path / "data"))[2]
    )
    tampered(database, "DELETE FROM audit WHERE number >= 3")
    tampered(database, "DELETE FROM drafts WHERE number = 3")
    assert run("audit", "verify", "--data", str(tmp_path / "data"))[0] == 0, "the log alone cannot know"
    code, _, err = run("audit", "verify", "--data", str(tmp_path / "data"), "--contains", head)
    assert code == 1 and "line 3 is broken" in err and "cut off" in err


OTHER_CHANGES = {
    "final text": ("UPDATE drafts SET final = 'All is well.' WHERE status = 'final'", 5, "changed since"),
    "draft": ("UPDATE drafts SET draft = replace(draft, 'are', 'is') WHERE number = 1", 1, "changed since"),
    "edits": ("UPDATE drafts SET edits = replace(edits, '2.0', '9.0') WHERE number = 3", 5, "changed since"),
    "draft removed": ("DELETE FROM drafts WHERE number = 2", 2, "its draft is gone"),
    "draft renamed": ("UPDATE drafts SET id = 'x' WHERE number = 1", 6, "there is none for the draft x"),
}


@pytest.mark.parametrize("name", OTHER_CHANGES)
def test_a_draft_that_was_changed_beside_the_service_is_found(
    name: str, database: sqlite3.Connection, run: Run, tmp_path: Path
) -> None:
    statement, line, reason = OTHER_CHANGES[name]
    assert database.execute(statement).rowcount == 1
    code, out, err = run("audit", "verify", "--data", str(tmp_path / "data"))
    assert code == 1 and not out and f"line {line} is broken" in err and reason in err


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite:///{}/none.db", "sqlite:///{}/other.db"])
def test_a_wrong_database_is_one_line(url: str, run: Run, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE other (number)")
    code, out, err = run("audit", "verify", "--db", url.format(tmp_path))
    assert code in (1, 2) and not out and err.count("\n") == 1 and "--db" in err
    assert not (tmp_path / "none.db").exists()
