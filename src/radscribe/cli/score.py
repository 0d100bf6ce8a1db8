"""``radscribe score``: any reports against references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from radscribe.cli.shared import (
    Chexbert,
    ChexbertVocabulary,
    ProtocolName,
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
VocabularyFrom = Annotated[
    Path | None,
    typer.Option(
        help="The same, from R2Gen's annotation.json: the words of its training reports, as R2Gen keeps them."
    ),
]
Threshold = Annotated[
    int | None,
    typer.Option(min=1, help="How often --vocabulary-from must see a word (default: 3 r2gen-iu, 10 r2gen-mimic)."),
]
SectionName = Annotated[
    Literal["findings", "impression", "both"] | None,
    typer.Option(help="Score this section alone: of columns or fields that hold sections, or cut at the headings."),
]
Metrics = Annotated[
    str, typer.Option(help="Language figures to compute, separated by commas; clinical ones are always computed.")
]
RadevalPython = Annotated[
    Path | None,
    typer.Option(help="Python of an environment with the RadEval package, for its figures (see docs/scoring.md)."),
]
RadevalMetrics = Annotated[
    str,
    typer.Option(
        help="Metrics of RadEval, separated by commas: radgraph, bertscore, radcliq, green, ratescore, bleu, rouge, "
        "radeval_bertscore, f1chexbert, f1radbert_ct, radgraph_radcliq, srrbert, temporal, crimson, mammo_green, "
        "radfact_ct."
    ),
]
OtherMetrics = Annotated[
    str,
    typer.Option(
        help="Metrics of other packages, separated by commas: cxrfescore, ratescore, crimson, radmatch; each NAME or, "
        "where its package is in another environment, NAME=PYTHON (see docs/scoring.md)."
    ),
]
SendReportsTo = Annotated[
    str | None,
    typer.Option(
        metavar="SERVICE",
        help="Service that may receive the report texts, for metrics judged by a language model: openai, azure, "
        "gemini, anthropic, mistral, or the URL of a server with OpenAI's interface. Without it they are sent nowhere.",
    ),
]
JudgeModel = Annotated[str | None, typer.Option(help="Language model of the metrics that need one.")]
Resamples = Annotated[int, typer.Option(min=0, help="Bootstrap resamples of each interval.")]


def score(
    hypotheses: Hypotheses,
    references: References,
    out: Out,
    protocol: ProtocolName = "full",
    uncertain: UncertainPolicy = "negative",
    unknown_words: UnknownWords = None,
    vocabulary_from: VocabularyFrom = None,
    threshold: Threshold = None,
    section: SectionName = None,
    chexbert: Chexbert = None,
    chexbert_vocabulary: ChexbertVocabulary = None,
    device: LabelerDevice = "cpu",
    metrics: Metrics = "bleu,meteor,rouge_l,cider",
    radeval: RadevalPython = None,
    radeval_metrics: RadevalMetrics = "radgraph,bertscore,radcliq,green,ratescore",
    other_metrics: OtherMetrics = "",
    send_reports_to: SendReportsTo = None,
    judge: JudgeModel = None,
    patients: Patients = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
) -> None:
    """Score reports against references: language and clinical figures with intervals, and every setting recorded.

    \b
    Examples:
      radscribe score --hypotheses drafts.csv --references reports.csv --out scorecard.json
      radscribe score --hypotheses drafts.csv --references reports.csv --protocol r2gen-iu --out scorecard.json
      radscribe score --hypotheses rexrank.json --references rexrank.json --section findings --out scorecard.json
    """
    from radscribe.evaluation.report_files import read_column
    from radscribe.evaluation.scorecard.card import score as run
    from radscribe.metrics.protocols import protocol_named

    _keep(out, hypotheses, references, unknown_words, vocabulary_from, patients, chexbert, chexbert_vocabulary)
    protocol_named(protocol)  # an unknown name fails before long files are read
    chosen = _language_metrics(metrics)
    with_others = _others(radeval, names_of(radeval_metrics), names_of(other_metrics), send_reports_to, judge)
    labeler = chosen_labeler(chexbert, chexbert_vocabulary, device)
    vocabulary = _vocabulary(protocol, unknown_words, vocabulary_from, threshold)
    written, expected, notes = _reports(hypotheses, references, section)
    notes += () if patients else _unused_patients((hypotheses, references))
    card = run(
        written,
        expected,
        protocol,
        patients=read_column(patients, "patient_id") if patients else None,
        metrics=chosen,
        labeler=labeler,
        uncertain=uncertain,
        vocabulary=vocabulary,
        section=section,
        resamples=resamples,
        seed=seed,
    )
    _save(with_others(replace(card, warnings=(*card.warnings, *notes))), out)


def _keep(out: Path, *inputs: Path | None) -> None:
    """Refuse an ``out`` that would replace an input, or whose rows or table beside it would."""
    from radscribe.core.outputs import keep_inputs
    from radscribe.evaluation.scorecard.per_study import rows_path

    card = out if out.suffix == ".json" else out / "scorecard.json"
    keep_inputs([card, rows_path(card), card.with_suffix(".md")], inputs)


def _save(card: Scorecard, out: Path) -> None:
    """Write the scorecard with its table beside it, and show the table."""
    from radscribe.core.files import write_text
    from radscribe.evaluation.scorecard.tables import markdown

    path, table = card.save(out), markdown(card)
    write_text(path.with_suffix(".md"), table)
    typer.echo(table)


def _vocabulary(
    protocol: str, words: Path | None, annotation: Path | None, threshold: int | None
) -> frozenset[str] | None:
    from radscribe.evaluation.vocabulary import words_of_annotation
    from radscribe.metrics.protocols import protocol_named

    if words and annotation:
        raise WrongUse("--unknown-words and --vocabulary-from both give the vocabulary; give one of them")
    if threshold and not annotation:
        raise WrongUse("--threshold: it counts the words of --vocabulary-from, which is missing; give both")
    if annotation:
        known = words_of_annotation(annotation, protocol_named(protocol), threshold)
        if not known:
            raise WrongUse(f"{annotation}: no training word is as frequent as the threshold; give a lower --threshold")
        return known
    return words_of(words) if words else None


def _reports(
    hypotheses: Path, references: Path, section: Literal["findings", "impression", "both"] | None
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Both sides by study id, and notes on what a chosen section left out."""
    from radscribe.evaluation.report_files import read_reports
    from radscribe.evaluation.sections import read_section

    if section is None:
        return read_reports(hypotheses), read_reports(references, "references"), ()
    found = read_section(hypotheses, references, section)
    return found.hypotheses, found.references, found.notes


def _unused_patients(tables: Sequence[Path]) -> tuple[str, ...]:
    """A warning where a table of reports has a column of patients, some with several studies, that nobody reads."""
    from radscribe.core.csv_files import read_csv

    for path in (path for path in tables if path.suffix.lower() != ".json"):
        rows = read_csv(path, ("study_id",))
        for column in ("patient_id", "subject_id"):
            if rows and column in rows[0].cells and len({row.cells[column] for row in rows}) < len(rows):
                return (
                    f"{path.name} has patients with several studies ({column}), but intervals draw single studies and "
                    "are too narrow; give --patients, a CSV (study_id, patient_id)",
                )
    return ()


def _language_metrics(metrics: str) -> tuple[str, ...]:
    from radscribe.metrics.nlg import METRICS

    chosen = names_of(metrics)
    unknown = [name for name in chosen if name not in METRICS]
    if unknown:
        raise WrongUse(f"--metrics: {unknown[0]} is not one of {', '.join(METRICS)}")
    return chosen


def _others(
    radeval: Path | None, metrics: Sequence[str], others: Sequence[str], service: str | None, model: str | None
) -> Callable[[Scorecard], Scorecard]:
    """What adds the figures of other packages to a scorecard; wrong names fail before long files are read."""
    from radscribe.evaluation.language_judge import Judge
    from radscribe.evaluation.other_packages import OTHER_METRICS, pythons_of, require_interpreter, with_package
    from radscribe.evaluation.radeval import RADEVAL, require_radeval

    judge, pythons = Judge(service, model), pythons_of(others)
    if radeval:
        require_radeval(metrics)
        require_interpreter(radeval, RADEVAL)

    def add(card: Scorecard) -> Scorecard:
        if radeval:
            card = with_package(card, "radeval", RADEVAL, radeval, metrics, judge)
        for name, python in pythons.items():
            card = with_package(card, name, OTHER_METRICS[name], python, (name,), judge)
        return card

    return add
