"""The tables of the service, in SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from radscribe.core.errors import RadscribeError, WrongUse

# Of the one lock that all writers of a PostgreSQL database share: "radscrib" in ASCII.
WRITERS_LOCK = 0x7261647363726962
BUSY_MILLISECONDS = 30_000
# SQLite counts rows in its own integers only, PostgreSQL in its larger ones.
Number = BigInteger().with_variant(Integer, "sqlite")
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class Table(DeclarativeBase):
    """What all tables have in common."""


class DraftRow(Table):
    """One study: its draft, what became of it, and where its films lie."""

    __tablename__ = "drafts"
    __table_args__ = (UniqueConstraint("study_hash", "fingerprint"),)

    number: Mapped[int] = mapped_column(Number, primary_key=True)
    id: Mapped[str] = mapped_column(Text, unique=True)
    study_hash: Mapped[str] = mapped_column(Text)  # SHA-256 over the files as they were uploaded
    fingerprint: Mapped[str] = mapped_column(Text)  # of the model
    created: Mapped[str] = mapped_column(Text, index=True)  # UTC, ISO 8601
    changed: Mapped[str] = mapped_column(Text)  # as created
    status: Mapped[str] = mapped_column(Text)  # "draft" or "final"
    version: Mapped[int] = mapped_column(Integer)
    draft: Mapped[dict[str, Any]] = mapped_column(JSON)  # a line of ``radscribe generate``
    edits: Mapped[dict[str, Any]] = mapped_column(JSON)
    final: Mapped[str | None] = mapped_column(Text)
    films: Mapped[list[FilmRow]] = relationship(
        order_by="FilmRow.place", cascade="all, delete-orphan", lazy="selectin", passive_deletes=True
    )


class FilmRow(Table):
    """One film of a study; its file lies in the folder of films."""

    __tablename__ = "films"

    draft: Mapped[int] = mapped_column(ForeignKey("drafts.number", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    bits: Mapped[int] = mapped_column(Integer)


class AuditRow(Table):
    """One line of the audit log, chained to the one before by its hash."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    draft: Mapped[str] = mapped_column(Text)
    study_hash: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    change: Mapped[str] = mapped_column(Text)  # JSON, without any words of a report
    previous: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)


class CheckRow(Table):
    """When the database was last seen to be writable."""

    __tablename__ = "checks"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(Text)


APPEND_ONLY = {
    "sqlite": """
        CREATE TRIGGER audit_no_{command} BEFORE {command} ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
    """,
    "postgresql": """
        CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
        CREATE TRIGGER audit_no_{command} BEFORE {command} ON audit EXECUTE FUNCTION audit_append_only()
    """,
}


def _keep_audit(table: object, connection: Connection, **options: object) -> None:
    for command in ("UPDATE", "DELETE"):
        connection.exec_driver_sql(APPEND_ONLY[connection.dialect.name].format(command=command))


event.listen(AuditRow.__table__, "after_create", _keep_audit)


class Database:
    """The database behind a URL; ``open`` connects and makes the tables."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writing=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing."""
        with Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is the only one to write; committed when the block ends well, else nothing is changed."""
        with Session(self._writing, expire_on_commit=False) as session, session.begin():
            if self._engine.dialect.name == "postgresql":
                session.execute(text(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"))
            yield session

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def open_database(url: str, create: bool = True) -> Database:
    """Connect to the database of ``url`` and make its tables where they are missing, unless ``create`` is False.

    SQLite writes ahead of its log and waits for the disk at each commit, and overwrites what is deleted.

    Raises:
        WrongUse: no such kind of database, or its driver is not installed.
        RadscribeError: it cannot be reached or written, or it is not the service's and shall not become it.
    """
    engine = _engine(url)
    shown = engine.url.render_as_string(hide_password=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        if not create:
            if not _holds_tables(engine):
                raise RadscribeError(f"--db {shown}: it holds no drafts; name the database of radscribe serve")
            return Database(engine)
        with engine.execution_options(writing=True).begin() as connection:
            if engine.dialect.name == "postgresql":  # two services that start at once make one set of tables
                connection.execute(text(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"))
            Table.metadata.create_all(connection)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise RadscribeError(f"--db {shown}: {reason}; start the database, or correct the URL") from None
    return Database(engine)


def _holds_tables(engine: Engine) -> bool:
    file = engine.url.database
    if engine.dialect.name == "sqlite" and not (file and Path(file).exists()):  # connecting would make it
        return False
    return inspect(engine).has_table(AuditRow.__tablename__)


def _engine(url: str) -> Engine:
    fix = "give sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    try:
        parsed = make_url(url)
        parsed = parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise WrongUse(f"--db {parsed.drivername}: no such database here; {fix}")
        return create_engine(parsed, pool_pre_ping=True, pool_size=8, max_overflow=24)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise WrongUse(f"--db: it is not the URL of a database; {fix}") from None
    except ImportError as error:
        raise WrongUse(f"--db: its driver {error.name} is missing; pip install 'radscribe[serve]'") from None


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail beside another writer.
    writes = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
