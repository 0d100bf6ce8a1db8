"""``radscribe inspect``: a prepared dataset as an HTML page, and in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radscribe.cli.shared import dataset_files


def inspect(
    data: Annotated[Path, typer.Argument(help="Prepared dataset, a folder made by `radscribe prepare`.")],
    out: Annotated[Path | None, typer.Option(help="The page to write (default: inspect.html in DATA).")] = None,
    samples: Annotated[int, typer.Option(min=0, help="Studies of each split to show, with films and reports.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for drawing the samples.")] = 0,
) -> None:
    """Show a prepared dataset as one HTML page with counts, leaks, rejected files and samples.

    \b
    The page holds films and reports: protect it as you protect the data. It loads nothing from the network.
    Example:
      radscribe inspect work/iu --out iu.html
    """
    from radscribe.core.files import write_text
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.data.inspect.facts import facts_of
    from radscribe.data.inspect.page import page_of

    path = out or data / "inspect.html"
    keep_inputs([path], dataset_files(data))
    facts = facts_of(PreparedDataset.open(data), samples, seed)
    write_text(path, page_of(facts))
    for split, counts in facts.counts.items():
        line = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        typer.echo(f"{split:11}{line}")
    for title, found in (
        ("leaks", facts.manifest.get("leaks", {})),
        ("dropped", facts.manifest.get("dropped", {})),
        ("set aside", facts.rejected),
    ):
        line = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.items())
        typer.echo(f"{title:11}{line or 'nothing'}")
    if facts.manifest.get("weakly_paired"):
        typer.echo(str(facts.manifest.get("notice", "weakly paired")))
    typer.echo(f"page in {path}")
