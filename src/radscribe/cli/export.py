"""``radscribe export``: a prepared dataset as the files that published repositories of the field run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radscribe.cli.shared import Checkpoint, Data, Device, dataset_files
from radscribe.exports.layout import Layout

if TYPE_CHECKING:
    from radscribe.data.dataset import PreparedDataset
    from radscribe.exports.folder import Contents

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Write a prepared dataset as the files that published repositories run on (docs/exports.md).",
)


class Labels(StrEnum):
    """The number of states of a training entry."""

    CHEXBERT = "14"
    ALL = "18"


Out = Annotated[
    Path, typer.Option(help="Folder of the export; an interrupted one is continued, another one is not touched.")
]
LayoutOption = Annotated[
    Layout, typer.Option(help="Files as for IU X-Ray (two images a study) or for MIMIC-CXR (one).")
]
TestLayout = Annotated[
    Layout, typer.Option(help="mimic: train, val and test. iu: one list of all studies, for testing.")
]
Database = Annotated[
    Path | None, typer.Option(help="Prepared dataset whose training studies are looked up (default: DATA).")
]
Neighbours = Annotated[int, typer.Option(min=1, help="Nearest training studies listed for each study.")]


@app.command()
def r2gen(data: Data, out: Out, layout: LayoutOption = Layout.MIMIC) -> None:
    """Write annotation.json and images/ for R2Gen and R2GenCMN.

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
    labels: Annotated[Labels, typer.Option(help="States of a training entry; other entries have 14.")] = Labels.ALL,
    neighbours: Neighbours = 21,
    database: Database = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="Checkpoint folder or hub id, for similarity and text vectors (default: pixels, no vectors)."
        ),
    ] = None,
    device: Device = "cpu",
) -> None:
    """Write annotation.json (labels, clip_indices), base_probs.json, clip_text_features.json, images/ for PromptMRG.

    \b
    Example:
      radscribe export promptmrg --data work/mimic --out PromptMRG/data/mimic_cxr --checkpoint work/revtaf-mimic
    """
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.session import drafting
    from radscribe.exports.promptmrg import write_promptmrg

    keep_inputs([out], [data, database, Path(checkpoint or data)])
    keys = PreparedDataset.open(database or data)
    with drafting(checkpoint, device) if checkpoint else nullcontext() as reporter:
        settings = {
            "layout": layout.value,
            "labels": int(labels),
            "neighbours": neighbours,
            "database": keys.fingerprint,
            "features": reporter.fingerprint if reporter else "pixels",
        }
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
    checkpoint: Checkpoint = None,
    device: Device = "cpu",
) -> None:
    """Write annotation, JSON-lines features, .npy embeddings and images/ for the published REVTAF, by a checkpoint.

    \b
    Example:
      radscribe export revtaf --data work/mimic --out REVTAF-RRG/data/mimic_cxr --checkpoint work/revtaf-mimic
    """
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.drafting.session import drafting
    from radscribe.exports.revtaf import write_revtaf

    keep_inputs([out], [data, database, Path(checkpoint or data)])
    keys = PreparedDataset.open(database or data)
    with drafting(checkpoint, device) as reporter:
        settings = {
            "layout": layout.value,
            "neighbours": neighbours,
            "database": keys.fingerprint,
            "features": reporter.fingerprint,
        }
        _run("revtaf", data, out, settings, lambda d, f: write_revtaf(f, d, keys, layout, neighbours, reporter))


@app.command()
def xpronet(data: Data, out: Out, layout: LayoutOption = Layout.MIMIC) -> None:
    """Write R2Gen's files and labels.json for XProNet; docs/exports.md makes labels.json into its pickle.

    \b
    Example:
      radscribe export xpronet --data work/iu --out XProNet/data/iu_xray --layout iu
    """
    from radscribe.exports.xpronet import ORDERS, write_xpronet

    settings = {"layout": layout.value, "labels": list(ORDERS[layout])}
    _run("xpronet", data, out, settings, lambda d, f: write_xpronet(f, d, layout))


@app.command()
def derived(data: Data, out: Out) -> None:
    """Write tables read from the reports: labels of 18 conditions, class rates, entity triplets, distinct sentences.

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
    from radscribe.core.outputs import keep_inputs
    from radscribe.data.dataset import PreparedDataset
    from radscribe.exports.folder import RECORD, export

    keep_inputs([out, out / RECORD], [data, *dataset_files(data)])
    dataset = PreparedDataset.open(data)
    record = export(dataset, out, kind, settings, lambda folder: write(dataset, folder))
    for name, counts in record["counts"].items():
        typer.echo(f"{name:11}" + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    if "notice" in record["dataset"]:
        typer.echo(record["dataset"]["notice"])
    for name, reason in record["missing"].items():
        typer.echo(f"{name} is not written: {reason}")
    typer.echo(f"{kind} in {out}; hashes in {out / RECORD}")
