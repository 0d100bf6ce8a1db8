"""``radscribe generate``: films in, drafts out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radscribe.cli.shared import Checkpoint, Device, checkpoint_files, exit_if_refused

if TYPE_CHECKING:
    from radscribe.clinic.folder import StandardsFolder
    from radscribe.imaging.crop import FilmConfig


def generate(
    files: Annotated[list[Path], typer.Argument(help="Films: DICOM, PNG or JPEG; a folder stands for its films.")],
    checkpoint: Checkpoint = None,
    out: Annotated[Path | None, typer.Option(help="File for the drafts, one JSON object a line.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Folder for a picture of each draft.")] = None,
    lateral: Annotated[
        Path | None, typer.Option(help="Lateral film of the one study in FILES, for a model that reads two views.")
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Draft films, too, that look like none that the model reads.")
    ] = False,
    evidence: Annotated[
        str,
        typer.Option(
            help="The map of a sentence that states a finding: best, counterfactual (how much less likely the sentence "
            "is without each place; slow), activation (of the condition), attention, or none."
        ),
    ] = "best",
    clinic: Annotated[
        Path | None,
        typer.Option(
            help="Folder for reports by the standards of hospitals, a folder a study: DICOM structured reports, PDF, "
            "overlay and FHIR; needs the extra clinic."
        ),
    ] = None,
    device: Device = "cpu",
) -> None:
    """Draft a report for each film, with the evidence for each sentence.

    \b
    On a terminal the reports are printed as one reads them; a file or a pipe gets a JSON object a line.
    Exit code 1 means that a film was refused: its line gives the reason, and the other films are drafted.
    Examples:
      radscribe generate film.dcm
      radscribe generate films/ --out drafts.jsonl --picture pictures
      radscribe generate film.dcm --evidence counterfactual
      radscribe generate film.dcm --clinic reports
    """
    from radscribe.core.outputs import keep_inputs
    from radscribe.drafting.batch import generate_files
    from radscribe.drafting.session import drafting

    if clinic:
        from radscribe.clinic.extra import require_clinic

        require_clinic()
    keep_inputs([out], [*files, lateral, *checkpoint_files(checkpoint)])
    with drafting(checkpoint, device) as reporter:
        if anyway:
            reporter.gate = None
        documents = _documents(clinic, reporter.system.config.film) if clinic else None
        refused = generate_files(reporter, files, out, picture, lateral, evidence, documents)
    exit_if_refused(refused)


def _documents(folder: Path, film: FilmConfig) -> StandardsFolder:
    from datetime import datetime

    from radscribe.clinic.folder import StandardsFolder

    return StandardsFolder(folder, film, datetime.now().astimezone())
