"""``radscribe inspect``: a prepared dataset as a page to look at, and in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    data: Annotated[Path, typer.Argument(help="Prepared dataset, a folder made by `radscribe prepare`.")],
    out: Annotated[Path | None, typer.Option(help="The page (default: inspect.html in DATA).")] = None,
    samples: Annotated[int, typer.Option(min=0, help="Studies of each split to show, films and reports.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other studies.")] = 0,
) -> None:
    """Look into a prepared dataset: one HTML page with counts, leaks, what was set aside, and samples.

    \b
    The page holds films and reports: treat it as you treat the data. It loads nothing from anywhere.
    Example:
      radscribe inspect work/iu --out iu.html
    """
    from radscribe.core.files import written_whole
    from radscribe.data.dataset import PreparedDataset
    from radscribe.data.inspect.facts import facts_of
    from radscribe.data.inspect.page import page_of

    facts = facts_of(PreparedDataset.open(data), samples, seed)
    path = out or data / "inspect.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        file.write(page_of(facts).encode())
    for split, counts in facts.counts.items():
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        typer.echo(f"{split:11}{told}")
    for title, found in (
        ("leaks", facts.manifest.get("leaks", {})),
        ("dropped", facts.manifest.get("dropped", {})),
        ("set aside", facts.rejected),
    ):
        told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.items())
        typer.echo(f"{title:11}{told or 'nothing'}")
    if facts.manifest.get("weakly_paired"):
        typer.echo(str(facts.manifest.get("notice", "weakly paired")))
    typer.echo(f"page in {path}")
