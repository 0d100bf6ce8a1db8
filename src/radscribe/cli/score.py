"""``radscribe score``: any reports against references."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radscribe.cli.shared import (
    Chexbert,
    ChexbertVocabulary,
    Seed,
    chosen_labeler,
    names_of,
    words_of,
)
from radscribe.core.errors import WrongUse

if TYPE_CHECKING:
    from radscribe.evaluation.scorecard.card import Scorecard

Hypotheses = Annotated[
    Path, typer.Option(help="Reports to score: CSV (study_id, report), JSON (id to report) or ReXrank's JSON.")
]
References = Annotated[Path, typer.Option(help="Reference reports of the same studies, in any of these formats.")]
Out = Annotated[
    Path,
    typer.Option(help="scorecard.json to write, with its rows beside it: scores.parquet, or NAME.parquet."),
]
ProtocolName = Annotated[str, typer.Option(help="How reports are cleaned: r2gen-iu, r2gen-mimic, promptmrg or full.")]
UncertainPolicy = Annotated[
    Literal["negative", "positive", "own"],
    typer.Option(help="How uncertain statements count: as negative, as positive, or as a class of their own."),
]
LabelerDevice = Annotated[str, typer.Option(help="Where CheXbert runs: cpu, cuda or another torch device.")]
Patients = Annotated[
    Path | None, typer.Option(help="CSV (study_id, patient_id): intervals then resample patients, not studies.")
]
UnknownWords = Annotated[
    Path | None, typer.Option(help="Vocabulary file: every other word of a reference becomes <unk>, as in R2Gen.")
]
Metrics = Annotated[
    str, typer.Option(help="Language figures to compute, separated by commas; clinical ones are always computed.")
]
RadevalPython = Annotated[
    Path | None,
    typer.Option(help="Python of an environment with the RadEval package, for its figures (see docs/scoring.md)."),
]
RadevalMetrics = Annotated[str, typer.Option(help="Figures of RadEval, separated by commas.")]
Resamples = Annotated[int, typer.Option(min=0, help="Bootstrap resamples of each interval.")]


def score(
    hypotheses: Hypotheses,
    references: References,
    out: Out,
    protocol: ProtocolName = "full",
    uncertain: UncertainPolicy = "negative",
    unknown_words: UnknownWords = None,
    chexbert: Chexbert = None,
    chexbert_vocabulary: ChexbertVocabulary = None,
    device: LabelerDevice = "cpu",
    metrics: Metrics = "bleu,meteor,rouge_l,cider",
    radeval: RadevalPython = None,
    radeval_metrics: RadevalMetrics = "radgraph,bertscore,radcliq,green,ratescore",
    patients: Patients = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
) -> None:
    """Score reports against references: language and clinical figures with intervals, and every setting recorded.

    \b
    Examples:
      radscribe score --hypotheses drafts.csv --references reports.csv --out scorecard.json
      radscribe score --hypotheses drafts.csv --references reports.csv --protocol r2gen-iu --out scorecard.json
    """
    from radscribe.core.files import write_text
    from radscribe.evaluation.report_files import read_column, read_reports
    from radscribe.evaluation.scorecard.card import score as run
    from radscribe.evaluation.scorecard.tables import markdown
    from radscribe.metrics.protocols import protocol_named

    protocol_named(protocol)  # an unknown name fails before long files are read
    chosen = _language_metrics(metrics)
    labeler = chosen_labeler(chexbert, chexbert_vocabulary, device)
    written, expected = read_reports(hypotheses), read_reports(references, "references")
    card = run(
        written,
        expected,
        protocol,
        patients=read_column(patients, "patient_id") if patients else None,
        metrics=chosen,
        labeler=labeler,
        uncertain=uncertain,
        vocabulary=words_of(unknown_words) if unknown_words else None,
        resamples=resamples,
        seed=seed,
    )
    if radeval:
        card = _with_radeval(card, written, expected, radeval, names_of(radeval_metrics))
    path, table = card.save(out), markdown(card)
    write_text(path.with_suffix(".md"), table)
    typer.echo(table)


def _language_metrics(metrics: str) -> tuple[str, ...]:
    from radscribe.metrics.nlg import METRICS

    chosen = names_of(metrics)
    unknown = [name for name in chosen if name not in METRICS]
    if unknown:
        raise WrongUse(f"--metrics: {unknown[0]} is not one of {', '.join(METRICS)}")
    return chosen


def _with_radeval(
    card: Scorecard,
    written: Mapping[str, str],
    expected: Mapping[str, str],
    python: Path,
    metrics: tuple[str, ...],
) -> Scorecard:
    from radscribe.evaluation.radeval import run_radeval, with_radeval

    said, true = ([reports[study_id] for study_id in card.per_study.study_ids] for reports in (written, expected))
    return with_radeval(card, run_radeval(python, said, true, metrics))
