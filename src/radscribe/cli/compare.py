"""``radscribe compare``: scorecards side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import Chexbert, ChexbertVocabulary, Seed, chosen_labeler, names_of, words_of


def compare(
    scorecards: Annotated[
        list[Path], typer.Argument(help="Two or more scorecard.json files, each with its rows (parquet) beside it.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for comparison.md, .png and .csv files (figures, tests, differences).")
    ] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Test each system against each other one, not only against the first.")
    ] = False,
    resamples: Annotated[int, typer.Option(min=1, help="Random draws of each test and interval.")] = 1000,
    seed: Seed = 0,
    names: Annotated[
        str, typer.Option(help="Names of the systems, separated by commas (default: those of their files).")
    ] = "",
    unknown_words: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Vocabulary that a scorecard was made with; repeatable."),
    ] = None,
    vocabulary_from: Annotated[
        list[Path] | None,
        typer.Option(help="Annotation that a scorecard's vocabulary was taken from, by the published threshold."),
    ] = None,
    chexbert: Chexbert = None,
    chexbert_vocabulary: ChexbertVocabulary = None,
) -> None:
    """Compare scorecards: figures, paired tests, and the effect of each difference in scoring.

    \b
    The reports in the rows are scored again by the settings of the first scorecard, and the tests compare these
    figures: paired bootstrap and approximate randomization, by patients where they are known, Holm-adjusted.
    --unknown-words, --vocabulary-from and --chexbert give what a scorecard was made with, so that it can be scored
    again.
    Example:
      radscribe compare ours/scorecard.json theirs.json --names ours,theirs --out comparison
    """
    from radscribe.evaluation.compare.compare import compare as run
    from radscribe.evaluation.compare.tables import markdown
    from radscribe.evaluation.scorecard.saved import read_scorecards
    from radscribe.evaluation.vocabulary import words_of_annotation
    from radscribe.labels.labeler import RuleLabeler
    from radscribe.metrics.protocols import PROTOCOLS

    if out:
        others = [*(unknown_words or ()), *(vocabulary_from or ()), chexbert, chexbert_vocabulary]
        _keep(out, scorecards, others)
    cards = read_scorecards(scorecards, names_of(names))
    words = [words_of(path) for path in unknown_words or []]
    published = [protocol for protocol in PROTOCOLS.values() if protocol.threshold]
    words += [words_of_annotation(path, protocol) for path in vocabulary_from or [] for protocol in published]
    labelers = [
        RuleLabeler(),
        *([chosen_labeler(chexbert, chexbert_vocabulary)] if chexbert or chexbert_vocabulary else []),
    ]
    comparison = run(cards, all_pairs=all_pairs, resamples=resamples, seed=seed, vocabularies=words, labelers=labelers)
    if out:
        from radscribe.evaluation.compare.files import save

        save(comparison, out)
    typer.echo(markdown(comparison))


def _keep(out: Path, scorecards: Sequence[Path], others: Sequence[Path | None]) -> None:
    """Refuse an ``out`` whose files would replace a scorecard, its rows or another input."""
    from radscribe.core.outputs import keep_inputs
    from radscribe.evaluation.scorecard.per_study import rows_path

    cards = [path / "scorecard.json" if path.is_dir() else path for path in scorecards]
    rows = [rows for path in cards for rows in (rows_path(path), path.with_name("scores.parquet"))]
    written = [out / f"comparison{end}" for end in (".md", ".csv", "-tests.csv", "-differences.csv", ".png")]
    keep_inputs(written, [*cards, *rows, *others])
