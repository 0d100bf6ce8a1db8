"""``radscribe compare``: scorecards side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.score import chosen_labeler


def compare(
    scorecards: Annotated[
        list[Path], typer.Argument(help="Two or more scorecard.json, each with its rows (parquet) beside it.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for comparison.md, .png and .csv (figures, tests, differences).")
    ] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Test each system against each, not against the first alone.")
    ] = False,
    resamples: Annotated[int, typer.Option(min=1, help="Draws of each test and interval.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    names: Annotated[str, typer.Option(help="What to call the systems, by commas (default: by their files).")] = "",
    unknown_words: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, dir_okay=False, help="Vocabulary of a scorecard, to score with it again; may be repeated."
        ),
    ] = None,
    chexbert: Annotated[
        Path | None, typer.Option(help="chexbert.pth of a scorecard, to read its reports with again.")
    ] = None,
    chexbert_vocabulary: Annotated[
        Path | None, typer.Option(help="A directory of bert-base-uncased, for CheXbert's words.")
    ] = None,
) -> None:
    """Compare scorecards: figures, paired tests, and what each difference of scoring does to the figures.

    \b
    The reports in the rows are scored again by the settings of the first scorecard, and the tests compare these
    figures: paired bootstrap and approximate randomization, by patients where they are known, Holm-adjusted.
    Example:
      radscribe compare ours/scorecard.json theirs.json --names ours,theirs --out comparison
    """
    from radscribe.evaluation.compare.compare import compare as run
    from radscribe.evaluation.compare.tables import markdown
    from radscribe.evaluation.scorecard.saved import read_scorecards
    from radscribe.labels.labeler import RuleLabeler

    cards = read_scorecards(scorecards, [name.strip() for name in names.split(",")] if names else [])
    words = [frozenset(path.read_text(encoding="utf-8").split()) for path in unknown_words or []]
    labelers = [
        RuleLabeler(),
        *([chosen_labeler(chexbert, chexbert_vocabulary)] if chexbert or chexbert_vocabulary else []),
    ]
    comparison = run(cards, all_pairs=all_pairs, resamples=resamples, seed=seed, vocabularies=words, labelers=labelers)
    if out:
        from radscribe.evaluation.compare.files import save

        save(comparison, out)
    typer.echo(markdown(comparison))
