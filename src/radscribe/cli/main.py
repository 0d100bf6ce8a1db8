"""The command line: one table of verbs, errors of one line, exit codes 0 (done), 1 (failed), 2 (wrong use)."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.ablate import ablate
from radscribe.cli.bench import app as bench_app
from radscribe.cli.compare import compare
from radscribe.cli.export import app as export_app
from radscribe.cli.import_weights import import_file
from radscribe.cli.index import app as index_app
from radscribe.cli.inspect import inspect
from radscribe.cli.prepare import app as prepare_app
from radscribe.cli.score import score
from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.records import NOTICE
from radscribe.core.version import __version__

app = typer.Typer(
    name="radscribe",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help=f"Drafts chest X-ray reports with the evidence for each sentence. {NOTICE}",
)
app.add_typer(prepare_app, name="prepare")
app.add_typer(export_app, name="export")
app.add_typer(index_app, name="index")
app.add_typer(bench_app, name="bench")
app.command()(inspect)
app.command()(score)
app.command()(compare)
app.command()(ablate)
app.command("import")(import_file)


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


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe, YAML.")],
    data: Annotated[Path, typer.Option(help="Prepared dataset, a folder made by `radscribe prepare`.")],
    out: Annotated[Path, typer.Option(help="Checkpoint folder to write.")],
    cache: Annotated[Path | None, typer.Option(help="Folder of cached steps (default: cache/ beside OUT).")] = None,
    weights: Annotated[Path, typer.Option(help="Folder of the weights files that the recipe names.")] = Path("weights"),
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run where it stopped.")] = False,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Bound every stage's training steps, to try a recipe.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than the recipe's.")] = None,
    accelerator: Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="How many devices.")] = 1,
) -> None:
    """Train a recipe on a prepared dataset; each finished step is cached by its content.

    \b
    Example:
      radscribe train recipes/revtaf-mini.yaml --data work/phantoms --out work/revtaf-mini
    """
    from radscribe.core.compute import keep_freed_memory
    from radscribe.data.dataset import PreparedDataset
    from radscribe.training.recipe import read_recipe
    from radscribe.training.train import Options
    from radscribe.training.train import train as run

    keep_freed_memory()
    plan = read_recipe(recipe)
    plan = plan if seed is None else replace(plan, seed=seed)
    options = Options(cache or out.parent / "cache", resume, max_steps, accelerator, devices, weights)
    run(plan, PreparedDataset.open(data), out, options)


@app.command()
def generate(
    files: Annotated[list[Path], typer.Argument(help="Films: DICOM, PNG or JPEG; a folder stands for its files.")],
    checkpoint: Annotated[
        str | None, typer.Option(help="Checkpoint folder or hub id (default: the packaged one).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Drafts, one JSON object a line (default: the screen).")] = None,
    picture: Annotated[Path | None, typer.Option(help="Folder for a picture of each draft.")] = None,
    lateral: Annotated[
        Path | None, typer.Option(help="The lateral film of the one study in FILES, for a model that reads two views.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or another torch device.")] = "cpu",
) -> None:
    """Draft a report for each film, with the evidence for each sentence.

    \b
    Exit code 1 tells that a file was refused; its line says why, and the rest is drafted.
    Example:
      radscribe generate film.dcm --out drafts.jsonl --picture pictures
    """
    from radscribe.core.compute import keep_freed_memory, threads
    from radscribe.drafting.batch import generate_files
    from radscribe.drafting.reporter import load_reporter

    keep_freed_memory()
    reporter = load_reporter(checkpoint, device)
    with threads(reporter.threads):
        refused = generate_files(reporter, files, out, picture, lateral)
    if refused:
        typer.echo(f"refused: {refused}", err=True)
        raise typer.Exit(1)


@app.command()
def rexrank(
    studies: Annotated[Path, typer.Argument(help="ReXrank's input file, JSON.")],
    out: Annotated[Path, typer.Argument(help="The same file with a model_prediction for each study.")],
    images: Annotated[Path, typer.Option(help="Folder that the image paths in the file start from.")],
    checkpoint: Annotated[
        str | None, typer.Option(help="Checkpoint folder or hub id (default: the packaged one).")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or another torch device.")] = "cpu",
) -> None:
    """Draft a report for each study of a ReXrank file, from its key image; a study that OUT has stays as it is.

    \b
    Exit code 1 tells that an image was refused; its study gets an empty report, and the rest is drafted.
    Example:
      radscribe rexrank ReXRank_IUXray_test.json predictions.json --images iu_xray/images
    """
    from radscribe.core.compute import keep_freed_memory, threads
    from radscribe.drafting.reporter import load_reporter
    from radscribe.drafting.rexrank import draft_studies, read_studies

    keep_freed_memory()
    asked = read_studies(studies)
    reporter = load_reporter(checkpoint, device)
    with threads(reporter.threads):
        refused = draft_studies(reporter, asked, images, out)
    if refused:
        typer.echo(f"refused: {refused}", err=True)
        raise typer.Exit(1)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Prepared dataset.")],
    out: Annotated[Path, typer.Option(help="Folder for scorecard.json, scores.parquet and reports.jsonl.")],
    checkpoint: Annotated[
        str | None, typer.Option(help="Checkpoint folder or hub id (default: the packaged one).")
    ] = None,
    split: Annotated[str, typer.Option(help="train, validate or test.")] = "test",
    limit: Annotated[int | None, typer.Option(min=2, help="Only the first studies.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or another torch device.")] = "cpu",
) -> None:
    """Score a checkpoint on a prepared split, beside controls that do not see the right film.

    \b
    The folders majority_report and nearest_neighbour in OUT hold the scorecards of these two, for `radscribe compare`.
    Example:
      radscribe evaluate --checkpoint work/revtaf-mini --data work/phantoms --out work/revtaf-mini-test
    """
    from radscribe.core.compute import keep_freed_memory, threads
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.reporter import load_reporter
    from radscribe.evaluation.controls.proof import proof_of
    from radscribe.evaluation.evaluate import evaluate as run
    from radscribe.evaluation.scorecard.tables import markdown

    keep_freed_memory()
    dataset = PreparedDataset.open(data)
    reporter = load_reporter(checkpoint, device)
    with threads(reporter.threads):
        found = run(reporter, dataset, split, limit)
        proof = proof_of(reporter, dataset, found)
    card = found.scorecard.to_dict()
    path = found.scorecard.save(out)
    for name, baseline in found.baselines.items():
        baseline.save(out / name)
    path.write_text(json.dumps({**card, **proof.to_dict()}, indent=2) + "\n", encoding="utf-8")
    lines = (json.dumps({"study_id": study_id, "report": report}) for study_id, report in found.reports.items())
    (out / "reports.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = markdown(found.scorecard) + proof.markdown()
    (out / "scorecard.md").write_text(table, encoding="utf-8")
    typer.echo(table)


def main() -> None:
    """Runs the command line; a fault the user can mend is one line on the error stream, never a traceback."""
    try:
        app()  # wrong options leave here with exit code 2
    except WrongUse as error:
        _fail(str(error), 2)
    except RadscribeError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped; what was finished is kept", 1)
    except OSError as error:
        _fail(f"{error.filename or 'file system'}: {error.strerror or error}", 1)


def _fail(message: str, code: int) -> None:
    typer.echo(f"radscribe: {' '.join(message.split())}", err=True)
    sys.exit(code)
