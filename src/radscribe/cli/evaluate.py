"""``radscribe evaluate``: a checkpoint scored on a prepared split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Checkpoint, Data, Device, ProtocolName, checkpoint_files, dataset_files


def evaluate(
    data: Data,
    out: Annotated[
        Path, typer.Option(help="Folder for scorecard.json, scorecard.md, scores.parquet and reports.jsonl.")
    ],
    checkpoint: Checkpoint = None,
    split: Annotated[str, typer.Option(help="train, validate or test.")] = "test",
    limit: Annotated[int | None, typer.Option(min=2, help="Score only the first studies.")] = None,
    protocol: ProtocolName = "full",
    card: Annotated[
        bool,
        typer.Option(
            "--card", help="Write the table into the checkpoint's MODEL_CARD.md too, and its figures into scores.json."
        ),
    ] = False,
    device: Device = "cpu",
) -> None:
    """Score a checkpoint on a prepared split, beside controls that do not see the right film.

    \b
    The folders in OUT hold the scorecards of baselines (the commonest report, the commonest sentences, the report of
    the nearest film by pixels and by features, that of the study that is looked up), for `radscribe compare`.
    Examples:
      radscribe evaluate --data work/phantoms --out work/packaged-test
      radscribe evaluate --checkpoint work/revtaf-mini --data work/phantoms --out work/revtaf-mini-test
      radscribe evaluate --checkpoint work/revtaf-iu-small --data work/iu --protocol r2gen-iu --out work/revtaf-iu-test
    """
    from radscribe.core.errors import WrongUse
    from radscribe.core.files import read_json
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.scores import companions_hash, save_scores
    from radscribe.drafting.session import drafting
    from radscribe.evaluation.card_scores import write_scores
    from radscribe.evaluation.checkpoint_scores import scores_of
    from radscribe.evaluation.controls.proof import proof_of
    from radscribe.evaluation.evaluate import evaluate as run
    from radscribe.evaluation.gate import gate_table

    if card and (checkpoint is None or not Path(checkpoint).is_dir()):
        raise WrongUse("--card: name the checkpoint's folder with --checkpoint")
    written = ("scorecard.json", "scorecard.md", "scores.parquet", "reports.jsonl")
    keep_inputs([out / name for name in written], [*dataset_files(data), *checkpoint_files(checkpoint)])
    dataset = PreparedDataset.open(data)
    with drafting(checkpoint, device) as reporter:
        found = run(reporter, dataset, split, limit, protocol=protocol)
        proof = proof_of(reporter, dataset, found)
        film = reporter.system.config.film
        gate = gate_table(reporter.gate, dataset, film, split) if card and reporter.gate else []
    table = found.save(out, proof)
    if card:
        folder = Path(str(checkpoint))
        write_scores(folder, found, table)
        save_scores(scores_of(read_json(out / "scorecard.json"), gate, companions_hash(folder)), folder)
    typer.echo(table)
