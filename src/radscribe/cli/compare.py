"""``radscribe compare``: scorecards side by side."""

from __future__ import annotations

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
    chexbert: Chexbert = None,
    chexbert_vocabulary: ChexbertVocabulary = None,
) -> None:
    """Compare scorecards: figures, paired tests, and the effect of each difference in scoring.

    \b
    The reports in the rows are scored again by the settings of the first scorecard, and the tests compare these
    figures: paired bootstrap and approximate randomization, by patients where they are known, Holm-adjusted.
    --unknown-words and --chexbert give what a scorecard was made with, so that it can be scored again.
    Example:
      radscribe compare ours/scorecard.json theirs.json --names ours,theirs --out comparison
    """
    from radscribe.evaluation.compare.compare import compare as run
    from radscribe.evaluation.compare.tables import markdown
    from radscribe.evaluation.scorecard.saved import read_scorecards
    from radscribe.labels.labeler import RuleLabeler

    cards = read_scorecards(scorecards, names_of(names))
    words = [words_of(path) for path in unknown_words or []]
    labelers = [
        RuleLabeler(),
        *([chosen_labeler(chexbert, chexbert_vocabulary)] if chexbert or chexbert_vocabulary else []),
    ]
    comparison = run(cards, all_pairs=all_pairs, resamples=resamples, seed=seed, vocabularies=words, labelers=labelers)
    if out:
        from radscribe.evaluation.compare.files import save

        save(comparison, out)
    typer.echo(markdown(comparison))
