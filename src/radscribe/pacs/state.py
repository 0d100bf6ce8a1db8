"""What became of each study, in one SQLite file: the list of work, and documents until they are stored."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from radscribe.core.errors import RadscribeError
from radscribe.drafting.succession import LastModel

# Of one study; "drafted" until its documents are stored, "given up" after many failures.
Status = Literal["waiting", "drafted", "stored", "abstained", "refused", "given up"]
End = Literal["stored", "abstained", "refused", "given up"]
BUSY_SECONDS = 30.0
TABLES = """
CREATE TABLE IF NOT EXISTS studies (
    study TEXT NOT NULL, model TEXT NOT NULL, status TEXT NOT NULL, tries INTEGER NOT NULL, due REAL NOT NULL,
    films TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (study, model)
);
CREATE TABLE IF NOT EXISTS documents (
    study TEXT NOT NULL, model TEXT NOT NULL, place INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (study, model, place),
    FOREIGN KEY (study, model) REFERENCES studies (study, model) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS models (
    number INTEGER PRIMARY KEY AUTOINCREMENT, noted REAL NOT NULL, fingerprint TEXT NOT NULL, change TEXT NOT NULL
);
"""
LATEST = (
    "SELECT fingerprint, change FROM models ORDER BY number DESC LIMIT 1",
    "SELECT model, '{}' FROM studies ORDER BY rowid DESC LIMIT 1",
)


@dataclass(frozen=True)
class StudyState:
    """One study of the list for one model."""

    study: str  # Study Instance UID, or the name of its folder
    model: str  # fingerprint
    status: Status
    tries: int  # that failed since the last that did not
    due: float  # not to be tried before, in seconds since 1970
    films: str  # what identifies the films that were read; "" before
    note: str  # why it is refused or its draft abstains


class WorkState:
    """The list of studies in the database ``connection``; every change is on the disk when its method returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, study: str, model: str, due: float) -> None:
        """Put a study on the list of a model; nothing happens where it was there before."""
        with self._writing():
            self._connection.execute(
                "INSERT OR IGNORE INTO studies VALUES (?, ?, 'waiting', 0, ?, '', '')", (study, model, due)
            )

    def get(self, study: str, model: str) -> StudyState | None:
        """The state of a study, None where it is not on the list."""
        found = self._connection.execute("SELECT * FROM studies WHERE study = ? AND model = ?", (study, model))
        row = found.fetchone()
        return StudyState(*row) if row else None

    def due(self, model: str, now: float, limit: int | None = None) -> list[StudyState]:
        """Up to ``limit`` studies that can be worked on now, the longest waiting first.

        Drafts that another model wrote and that are not stored yet are among them.
        """
        found = self._connection.execute(
            "SELECT * FROM studies WHERE due <= ? AND (status = 'drafted' OR status = 'waiting' AND model = ?) "
            "ORDER BY due, rowid LIMIT ?",
            (now, model, -1 if limit is None else limit),
        )
        return [StudyState(*row) for row in found]

    def reopen(self, row: StudyState, due: float) -> None:
        """Put a study on the list again, as it has other films now; what was read before stays noted."""
        with self._writing():
            self._set(row, "waiting", 0, due, row.films, row.note)

    def keep_documents(self, row: StudyState, documents: Sequence[bytes], films: str, note: str) -> None:
        """Note that a study is drafted of these ``films``, and keep the ``documents`` until they are stored."""
        with self._writing():
            self._set(row, "drafted", 0, 0.0, films, note)
            self._connection.executemany(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?)",
                [(row.study, row.model, place, content) for place, content in enumerate(documents)],
            )

    def documents(self, row: StudyState) -> list[bytes]:
        """The documents of a study that is drafted and not stored."""
        found = self._connection.execute(
            "SELECT content FROM documents WHERE study = ? AND model = ? ORDER BY place", (row.study, row.model)
        )
        return [content for (content,) in found]

    def finish(self, row: StudyState, status: End, films: str, note: str) -> None:
        """Take a study off the list, with what became of it; its documents are deleted unless it was given up."""
        with self._writing():
            self._set(row, status, row.tries, 0.0, films, note)
            if status != "given up":
                self._connection.execute("DELETE FROM documents WHERE study = ? AND model = ?", (row.study, row.model))

    def postpone(self, row: StudyState, due: float) -> None:
        """Count a try of a study that failed, and let it rest until ``due``."""
        with self._writing():
            self._connection.execute(
                "UPDATE studies SET tries = tries + 1, due = ? WHERE study = ? AND model = ?",
                (due, row.study, row.model),
            )

    def take_up_again(self, model: str) -> None:
        """Put the studies of a model that were given up on the list again."""
        with self._writing():
            self._connection.execute(
                "UPDATE studies SET tries = 0, due = 0, status = CASE WHEN EXISTS (SELECT 1 FROM documents "
                "WHERE documents.study = studies.study AND documents.model = studies.model) "
                "THEN 'drafted' ELSE 'waiting' END WHERE status = 'given up' AND model = ?",
                (model,),
            )

    def last_model(self) -> LastModel | None:
        """The model that was noted last; in a list that noted none, that of the latest study."""
        for query in LATEST:
            if row := self._connection.execute(query).fetchone():
                return LastModel(row[0], json.loads(row[1]).get("companions"))
        return None

    def note_model(self, fingerprint: str, change: Mapping[str, Any]) -> None:
        """Note that a model drafts from now on, with what ``change_of_model`` says of it."""
        with self._writing():
            self._connection.execute(
                "INSERT INTO models (noted, fingerprint, change) VALUES (?, ?, ?)",
                (time.time(), fingerprint, json.dumps(change)),
            )

    def count(self, *status: Status) -> int:
        """How many studies have one of these states."""
        marks = ", ".join("?" * len(status))
        found = self._connection.execute(f"SELECT count(*) FROM studies WHERE status IN ({marks})", status)
        return int(found.fetchone()[0])

    def _set(self, row: StudyState, status: Status, tries: int, due: float, films: str, note: str) -> None:
        self._connection.execute(
            "UPDATE studies SET status = ?, tries = ?, due = ?, films = ?, note = ? WHERE study = ? AND model = ?",
            (status, tries, due, films, note, row.study, row.model),
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


@contextmanager
def opened_state(path: Path) -> Iterator[WorkState]:
    """The list in the file ``path``, which nobody else on this machine can read; it is made where it is missing.

    Raises ``RadscribeError`` for a file that is no such list, and for a place that cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise RadscribeError(f"{path}: {_reason(error)}; name another file for the list of studies") from None
    with closing(connection):
        try:
            # Ahead of its log and to the disk at each commit; what is deleted is overwritten: it is patient data.
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}").close()
            connection.executescript(TABLES)
        except sqlite3.Error as error:
            raise RadscribeError(f"{path}: {_reason(error)}; name another file for the list of studies") from None
        try:
            yield WorkState(connection)
        except sqlite3.Error as error:
            raise RadscribeError(f"{path}: {_reason(error)}; free some space, then start again") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
