"""The service on PostgreSQL, where it is installed: drafts, edits, the audit log, writers at the same time."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError
from starlette.testclient import TestClient

from radscribe.serve.audit import verify
from radscribe.serve.database import open_database
from radscribe.serve.store import DraftStore, NewDraft

Run = Callable[..., tuple[int, str, str]]


def server() -> Path | None:
    """The folder of the server's programs."""
    found = shutil.which("pg_ctl") or max(map(str, Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")), default=None)
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a database of a new server, which listens on a socket in its own folder only."""
    programs = server()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    user = pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:  # the server refuses to run as root
        user = "postgres"
        if user not in {entry.pw_name for entry in pwd.getpwall()}:
            pytest.skip("PostgreSQL cannot run as root, and there is no user postgres")
    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, user)

        def call(program: str, *arguments: str) -> None:
            command = [str(programs / program), *arguments]
            subprocess.run(command, check=True, user=user if os.getuid() == 0 else None, cwd=folder, timeout=120,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

        call("initdb", "-D", f"{folder}/data", "-U", "radscribe", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c max_connections=50"
        call("pg_ctl", "start", "-w", "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log")
        try:
            yield f"postgresql://radscribe@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-w", "-m", "fast", "-D", f"{folder}/data")


def test_drafts_are_kept_changed_and_audited(
    postgresql: str,
    service: Callable[..., TestClient],
    post: Callable[..., Any],
    film: Callable[[int], bytes],
    run: Run,
) -> None:
    client = service(database=postgresql)
    assert client.get("/readyz").status_code == 200
    record = post(client, film(1)).json()
    assert post(client, film(1)).json() == record and post(client, film(2)).status_code == 201
    accepted = [{"index": index, "action": "accepted"} for index in range(len(record["draft"]["sentences"]))]
    change = {"version": 1, "sentences": accepted, "added": [{"text": "Größe normal, 心臓."}], "status": "final"}
    final = client.patch(f"/v1/drafts/{record['id']}", json=change).json()
    assert final["final"].endswith("Größe normal, 心臓.") and final["version"] == 2
    assert client.patch(f"/v1/drafts/{record['id']}", json=change).status_code == 409
    assert client.get(f"/v1/drafts/{record['id']}").json() == final
    assert [line["status"] for line in client.get("/v1/drafts").json()["drafts"]] == ["draft", "final"]
    assert client.get("/v1/drafts/%00").status_code == 404
    code, out, _ = run("audit", "verify", "--db", postgresql)
    assert code == 0 and out.startswith("sound: 3 lines")


def test_the_log_takes_no_changes_and_a_tampering_is_found(postgresql: str, run: Run) -> None:
    database = open_database(postgresql)
    for statement in ("UPDATE audit SET who = 'x' WHERE number = 2", "DELETE FROM audit WHERE number = 2"):
        with pytest.raises(SQLAlchemyError, match="append-only"), database.writing() as session:
            session.connection().exec_driver_sql(statement)
    with database.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE audit DISABLE TRIGGER ALL")
        session.connection().exec_driver_sql("UPDATE audit SET who = 'x' WHERE number = 2")
    database.close()
    code, _, err = run("audit", "verify", "--db", postgresql)
    assert code == 1 and "line 2 is broken" in err
    database = open_database(postgresql)
    with database.writing() as session:
        session.connection().exec_driver_sql("UPDATE audit SET who = 'local' WHERE number = 2")
    database.close()


def test_many_writers_keep_one_chain_and_one_draft_of_a_study(postgresql: str) -> None:
    database = open_database(postgresql)
    store, line = DraftStore(database), {"abstain": False, "sentences": [], "findings": [], "reasons": []}

    def add(number: int) -> bool:
        return store.add(NewDraft(f"{number:032x}", f"study {number % 5}", "model", line, [(1, 1, 8)]), "test")[1]

    with ThreadPoolExecutor(10) as pool:
        new = list(pool.map(add, range(20)))
    assert sum(new) == 5
    with database.reading() as session:
        state = verify(session)
    database.close()
    assert state.broken is None and state.lines == 8


def test_a_server_that_does_not_answer_is_one_line(run: Run) -> None:
    code, out, err = run("audit", "verify", "--db", "postgresql://user:hidden@127.0.0.1:1/none")
    assert code == 1 and not out and err.count("\n") == 1 and "hidden" not in err
