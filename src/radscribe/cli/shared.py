"""Options that several verbs share, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radscribe.core.errors import WrongUse

if TYPE_CHECKING:
    from radscribe.labels.labeler import Labeler

Data = Annotated[Path, typer.Option(help="Prepared dataset, a folder made by `radscribe prepare`.")]
Checkpoint = Annotated[str | None, typer.Option(help="Checkpoint folder or hub id (default: the packaged one).")]
AcceptanceFile = Annotated[
    Path | None,
    typer.Option(help="What a checkpoint must show to replace the one that drafted last (default: the package's)."),
]
AcceptUnscored = Annotated[
    str | None,
    typer.Option(help="Why a checkpoint that does not show it may replace it; this is kept."),
]
Device = Annotated[str, typer.Option(help="cpu, cuda or another torch device.")]
ProtocolName = Annotated[
    str, typer.Option(help="How reports are cleaned: full, r2gen-iu, r2gen-mimic, promptmrg or as-is.")
]
Labelled = Annotated[
    list[Path] | None,
    typer.Option(
        exists=True,
        file_okay=False,
        help="Films with labels and without reports (radscribe prepare labelled), for recipes with label_training; "
        "repeatable.",
    ),
]
Weights = Annotated[Path, typer.Option(help="Folder of the weights files that recipes name.")]
Chexbert = Annotated[
    Path | None,
    typer.Option(help="chexbert.pth, or its imported folder: CheXbert labels the reports instead of the rules."),
]
ChexbertVocabulary = Annotated[Path | None, typer.Option(help="A folder of bert-base-uncased, for CheXbert's words.")]
Seed = Annotated[int, typer.Option(min=0, help="Random seed for bootstrap resampling.")]


def chosen_labeler(checkpoint: Path | None, vocabulary: Path | None, device: str = "cpu") -> Labeler:
    """CheXbert where its checkpoint and vocabulary are given, else the rules; raises ``WrongUse`` for one alone."""
    from radscribe.labels.labeler import RuleLabeler

    if (checkpoint is None) != (vocabulary is None):
        raise WrongUse("--chexbert and --chexbert-vocabulary go together; give both or neither")
    if checkpoint is None or vocabulary is None:
        return RuleLabeler()
    from radscribe.labels.chexbert import read_chexbert

    return read_chexbert(checkpoint, vocabulary, device)


def words_of(vocabulary: Path) -> frozenset[str]:
    """The words of a vocabulary file (UTF-8), separated by white space; raises ``WrongUse`` where it is no text."""
    from radscribe.core.text_files import read_text

    return frozenset(read_text(vocabulary, "give a vocabulary, words separated by white space").split())


def dataset_files(data: Path | None) -> list[Path]:
    """The files of a prepared dataset that a verb reads, to be kept."""
    names = ("manifest.json", "studies.parquet", "pixels.npy", "rejected.csv", "texts.json", "salt")
    return [data / name for name in names] if data else []


def checkpoint_files(checkpoint: str | Path | None) -> list[Path]:
    """The files of a checkpoint folder that a verb reads, to be kept; none of the packaged one or of a hub id."""
    if checkpoint is None or not Path(checkpoint).is_dir():
        return []
    from radscribe.drafting.checkpoint import checkpoint_names

    return [Path(checkpoint) / name for name in checkpoint_names()]


def names_of(text: str) -> tuple[str, ...]:
    """The names in a list with commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def exit_if_refused(count: int) -> None:
    """Exit with code 1 where ``count`` files were refused."""
    if count:
        typer.echo(f"refused: {count}", err=True)
        raise typer.Exit(1)
