"""The command line: the table of verbs, errors in one line, exit codes 0 (done), 1 (failed), 2 (wrong use)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from radscribe.cli.ablate import ablate
from radscribe.cli.audit import app as audit_app
from radscribe.cli.bench import app as bench_app
from radscribe.cli.boxes import boxes
from radscribe.cli.calibrate import calibrate
from radscribe.cli.compare import compare
from radscribe.cli.evaluate import evaluate
from radscribe.cli.export import app as export_app
from radscribe.cli.generate import generate
from radscribe.cli.import_weights import import_file
from radscribe.cli.index import app as index_app
from radscribe.cli.inspect import inspect
from radscribe.cli.maps import maps
from radscribe.cli.prepare import app as prepare_app
from radscribe.cli.receive import receive
from radscribe.cli.rexrank import rexrank
from radscribe.cli.score import score
from radscribe.cli.serve import serve
from radscribe.cli.train import train
from radscribe.cli.worklist import worklist
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.records import NOTICE
from radscribe.core.version import __version__

app = typer.Typer(
    name="radscribe",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=f"Drafts chest X-ray reports with the evidence for each sentence. {NOTICE}",
)
for verb in (
    inspect,
    train,
    calibrate,
    generate,
    rexrank,
    evaluate,
    boxes,
    maps,
    score,
    compare,
    ablate,
    serve,
    worklist,
    receive,
):
    app.command()(verb)
app.command("import")(import_file)
app.add_typer(prepare_app, name="prepare")
app.add_typer(export_app, name="export")
app.add_typer(index_app, name="index")
app.add_typer(bench_app, name="bench")
app.add_typer(audit_app, name="audit")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"radscribe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Drafts chest X-ray reports with the evidence for each sentence."""


def main() -> None:
    """Run the command line."""
    reported(app)


def reported(run: Callable[[], None]) -> None:
    """Run a command; an error that the user can fix is one line on the error stream, never a traceback."""
    try:
        run()  # wrong options leave here with exit code 2
    except WrongUse as error:
        _fail(str(error), 2)
    except RadscribeError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped; finished work is kept", 1)
    except OSError as error:
        _fail(f"{error.filename or 'file system'}: {error.strerror or error}", 1)


def _fail(message: str, code: int) -> None:
    typer.echo(f"radscribe: {' '.join(message.split())}", err=True)
    sys.exit(code)
