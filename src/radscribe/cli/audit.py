"""``radscribe audit``: whether the log of who did what to which draft is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.serve import require_extra
from radscribe.core.errors import RadscribeError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check the audit log of the service.")


@app.callback()
def _group() -> None:
    """Check the audit log of the service."""


@app.command()
def verify(
    db: Annotated[
        str | None, typer.Option(help="Database URL, as given to radscribe serve (default: SQLite in --data).")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of the service.")] = Path("radscribe-data"),
    contains: Annotated[
        str | None, typer.Option(help="A hash that an earlier check printed: finds lines cut off at the end.")
    ] = None,
) -> None:
    """Check that no line of the audit log was changed, and name the first that was.

    \b
    Example:
      radscribe audit verify --db sqlite:///radscribe-data/radscribe.db
    """
    require_extra()
    from radscribe.serve.audit import verify as check
    from radscribe.serve.database import open_database
    from radscribe.serve.settings import ServeConfig

    config = ServeConfig(data=data, database=db)
    database = open_database(config.database_url, create=False)
    try:
        with database.reading() as session:
            state = check(session, contains)
    finally:
        database.close()
    if state.broken is not None:
        raise RadscribeError(f"audit: line {state.broken} is broken: {state.reason}; compare it with a backup")
    typer.echo(f"sound: {state.lines:,} lines, the last with the hash {state.head}")
