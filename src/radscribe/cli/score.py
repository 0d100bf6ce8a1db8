"""``radscribe score``: anyone's reports against references."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radscribe.core.errors import WrongUse

if TYPE_CHECKING:
    from radscribe.labels.labeler import Labeler


def chosen_labeler(checkpoint: Path | None, vocabulary: Path | None, device: str = "cpu") -> Labeler:
    """CheXbert where its checkpoint and vocabulary are given, else the rules."""
    from radscribe.labels.labeler import RuleLabeler

    if (checkpoint is None) != (vocabulary is None):
        raise WrongUse("--chexbert and --chexbert-vocabulary go together: give both or neither")
    if checkpoint is None or vocabulary is None:
        return RuleLabeler()
    from radscribe.labels.chexbert import read_chexbert

    return read_chexbert(checkpoint, vocabulary, device)


def score(
    hypotheses: Annotated[
        Path, typer.Option(help="Reports to score: CSV (study_id, report), JSON (id to report) or ReXrank's JSON.")
    ],
    references: Annotated[Path, typer.Option(help="Reference reports of the same studies, in any of these.")],
    out: Annotated[
        Path,
        typer.Option(
            help="scorecard.json to write; its rows come beside it: scores.parquet, or NAME.parquet for NAME.json."
        ),
    ],
    protocol: Annotated[str, typer.Option(help="r2gen-iu, r2gen-mimic, promptmrg or full.")] = "full",
    metrics: Annotated[
        str, typer.Option(help="Language figures to compute, by commas; clinical ones always are.")
    ] = "bleu,meteor,rouge_l,cider",
    chexbert: Annotated[
        Path | None,
        typer.Option(help="chexbert.pth, or its imported folder: CheXbert reads the conditions, not the rules."),
    ] = None,
    chexbert_vocabulary: Annotated[
        Path | None, typer.Option(help="A directory of bert-base-uncased, for CheXbert's words.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where CheXbert runs: cpu, cuda or another torch device.")] = "cpu",
    uncertain: Annotated[
        Literal["negative", "positive", "own"], typer.Option(help="What an uncertain statement counts as.")
    ] = "negative",
    patients: Annotated[
        Path | None, typer.Option(help="CSV (study_id, patient_id): intervals then resample patients.")
    ] = None,
    unknown_words: Annotated[
        Path | None,
        typer.Option(help="Vocabulary: every other word of a reference becomes <unk>, as in R2Gen."),
    ] = None,
    radeval: Annotated[
        Path | None,
        typer.Option(help="Python of an environment with the RadEval package, for its figures (see docs/scoring.md)."),
    ] = None,
    radeval_metrics: Annotated[
        str, typer.Option(help="Figures asked of RadEval, by commas.")
    ] = "radgraph,bertscore,radcliq,green,ratescore",
    resamples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
) -> None:
    """Score reports against references: language, clinical efficacy, intervals, and the signature of how.

    \b
    Example:
      radscribe score --hypotheses drafts.csv --references reports.csv --protocol r2gen-iu --out scorecard.json
    """
    from radscribe.evaluation.radeval import run_radeval, with_radeval
    from radscribe.evaluation.report_files import read_column, read_reports
    from radscribe.evaluation.scorecard.card import score as run
    from radscribe.evaluation.scorecard.tables import markdown
    from radscribe.metrics.nlg import METRICS
    from radscribe.metrics.protocols import protocol_named

    protocol_named(protocol)  # a wrong name is told before long files are read
    chosen = tuple(name.strip() for name in metrics.split(",") if name.strip())
    unknown = [name for name in chosen if name not in METRICS]
    if unknown:
        raise WrongUse(f"--metrics: {unknown[0]} is not one of {', '.join(METRICS)}")
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
        vocabulary=frozenset(unknown_words.read_text(encoding="utf-8").split()) if unknown_words else None,
        resamples=resamples,
        seed=seed,
    )
    if radeval:
        ids = card.per_study.study_ids
        asked = tuple(name.strip() for name in radeval_metrics.split(",") if name.strip())
        said, true = ([reports[study_id] for study_id in ids] for reports in (written, expected))
        card = with_radeval(card, run_radeval(radeval, said, true, asked))
    path = card.save(out)
    table = markdown(card)
    path.with_suffix(".md").write_text(table, encoding="utf-8")
    typer.echo(table)
