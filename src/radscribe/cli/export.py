"""``radscribe export``: a prepared dataset as the files that the published repositories of this field run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radscribe.exports.layout import Layout

if TYPE_CHECKING:
    from radscribe.data.dataset import PreparedDataset
    from radscribe.exports.folder import Contents

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A prepared dataset as the files that published repositories run on (docs/exports.md).",
)


class Labels(StrEnum):
    """How many states a training entry has."""

    CHEXBERT = "14"
    ALL = "18"


Data = Annotated[Path, typer.Option(help="Prepared dataset, a folder made by `radscribe prepare`.")]
Out = Annotated[Path, typer.Option(help="Folder of the export; an interrupted one goes on, another one stays.")]
LayoutOption = Annotated[Layout, typer.Option(help="Files as of IU X-Ray (two images a study) or of MIMIC-CXR (one).")]
TestLayout = Annotated[
    Layout, typer.Option(help="mimic: train, val and test. iu: one list of all studies, to be tested on.")
]
Database = Annotated[
    Path | None, typer.Option(help="Prepared dataset whose training studies are looked up (default: DATA).")
]
Neighbours = Annotated[int, typer.Option(min=1, help="Training studies that each study is given.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or another torch device.")]


@app.command()
def r2gen(data: Data, out: Out, layout: LayoutOption = Layout.MIMIC) -> None:
    """R2Gen and R2GenCMN: annotation.json and images/.

    \b
    Example:
      radscribe export r2gen --data work/iu --out R2Gen/data/iu_xray --layout iu
    """
    from radscribe.exports.annotation import write_annotation

    _run("r2gen", data, out, {"layout": layout.value}, lambda d, f: write_annotation(f, d, layout))


@app.command()
def promptmrg(
    data: Data,
    out: Out,
    layout: TestLayout = Layout.MIMIC,
    labels: Annotated[Labels, typer.Option(help="States of a training entry; the others have 14.")] = Labels.ALL,
    neighbours: Neighbours = 21,
    database: Database = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Checkpoint folder or hub id, for likeness and text vectors (default: pixels, no vectors)."),
    ] = None,
    device: Device = "cpu",
) -> None:
    """PromptMRG: annotation.json with labels and clip_indices, base_probs.json, clip_text_features.json, images/.

    \b
    Example:
      radscribe export promptmrg --data work/mimic --out PromptMRG/data/mimic_cxr --checkpoint work/revtaf-mimic
    """
    from radscribe.core.compute import threads
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.reporter import load_reporter
    from radscribe.exports.promptmrg import write_promptmrg

    keys = PreparedDataset.open(database or data)
    reporter = load_reporter(checkpoint, device) if checkpoint else None
    settings = {
        "layout": layout.value,
        "labels": int(labels),
        "neighbours": neighbours,
        "database": keys.fingerprint,
        "features": reporter.fingerprint if reporter else "pixels",
    }
    with threads(reporter.threads if reporter else None):
        _run(
            "promptmrg",
            data,
            out,
            settings,
            lambda d, f: write_promptmrg(f, d, keys, layout, int(labels), neighbours, reporter),
        )


@app.command()
def revtaf(
    data: Data,
    out: Out,
    layout: TestLayout = Layout.MIMIC,
    neighbours: Neighbours = 21,
    database: Database = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="Checkpoint folder or hub id of a REVTAF model (default: the packaged one).")
    ] = None,
    device: Device = "cpu",
) -> None:
    """The published REVTAF: annotation, JSON-lines features and .npy embeddings by a checkpoint's networks, images/.

    \b
    Example:
      radscribe export revtaf --data work/mimic --out REVTAF-RRG/data/mimic_cxr --checkpoint work/revtaf-mimic
    """
    from radscribe.core.compute import threads
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.reporter import load_reporter
    from radscribe.exports.revtaf import write_revtaf

    keys = PreparedDataset.open(database or data)
    reporter = load_reporter(checkpoint, device)
    settings = {
        "layout": layout.value,
        "neighbours": neighbours,
        "database": keys.fingerprint,
        "features": reporter.fingerprint,
    }
    with threads(reporter.threads):
        _run("revtaf", data, out, settings, lambda d, f: write_revtaf(f, d, keys, layout, neighbours, reporter))


@app.command()
def xpronet(data: Data, out: Out, layout: LayoutOption = Layout.MIMIC) -> None:
    """XProNet: R2Gen's files and labels.json, which two lines make into its pickle (docs/exports.md).

    \b
    Example:
      radscribe export xpronet --data work/iu --out XProNet/data/iu_xray --layout iu
    """
    from radscribe.exports.xpronet import ORDERS, write_xpronet

    settings = {"layout": layout.value, "labels": list(ORDERS[layout])}
    _run("xpronet", data, out, settings, lambda d, f: write_xpronet(f, d, layout))


@app.command()
def derived(data: Data, out: Out) -> None:
    """Tables read from the reports: labels of 18 conditions, class rates, entity triplets, distinct sentences.

    \b
    Example:
      radscribe export derived --data work/iu --out work/iu-derived
    """
    from radscribe.exports.derived import write_derived

    _run("derived", data, out, {}, lambda d, f: write_derived(f, d))


def _run(
    kind: str,
    data: Path,
    out: Path,
    settings: Mapping[str, Any],
    write: Callable[[PreparedDataset, Path], Contents],
) -> None:
    from radscribe.data.dataset import PreparedDataset
    from radscribe.exports.folder import RECORD, export

    dataset = PreparedDataset.open(data)
    record = export(dataset, out, kind, settings, lambda folder: write(dataset, folder))
    for name, counts in record["counts"].items():
        typer.echo(f"{name:11}" + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    if "notice" in record["dataset"]:
        typer.echo(record["dataset"]["notice"])
    for name, reason in record["missing"].items():
        typer.echo(f"{name} is not written: {reason}")
    typer.echo(f"{kind} in {out}; hashes in {out / RECORD}")
