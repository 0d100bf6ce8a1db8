"""``radscribe import``: published weights as a folder that recipes can name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def import_file(
    kind: Annotated[
        str,
        typer.Argument(
            help="resnet, medklip, clinicalbert, bert, medclip, bert-decoder, chexbert, r2gen, r2gencmn, promptmrg or "
            "revtaf."
        ),
    ],
    file: Annotated[
        Path, typer.Argument(help="The published file (.pth, .pt, .bin or .safetensors), or a BERT folder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write: model.safetensors and import.json.")],
    vocabulary: Annotated[
        Path | None,
        typer.Option(help="BERT folder, vocab.txt or tokenizer.json with the file's words (default: beside the file)."),
    ] = None,
    book: Annotated[
        Path | None, typer.Option(help="MedKLIP's 'observation explanation.json', with --text-encoder.")
    ] = None,
    text_encoder: Annotated[
        Path | None, typer.Option(help="Imported ClinicalBERT that reads MedKLIP's book, with --book.")
    ] = None,
) -> None:
    """Convert a published checkpoint to a folder of safetensors that recipes can name; no code in it is run.

    \b
    docs/weights.md says where each file comes from and which parts are used. A file that is not exactly of its kind is
    refused, and nothing is written.
    Examples:
      radscribe import clinicalbert Bio_ClinicalBERT/pytorch_model.bin --out weights/clinicalbert
      radscribe import medklip checkpoint_final.pth --out weights/medklip \\
          --book 'observation explanation.json' --text-encoder weights/clinicalbert
    """
    from radscribe.core.outputs import keep_inputs
    from radscribe.weights.carry import Extras
    from radscribe.weights.folder import ABOUT, MODEL, TOKENIZER
    from radscribe.weights.kinds import import_weights, kind_named

    given = [path for path in (file, vocabulary, book, text_encoder) if path]
    inside = [each for path in given if path.is_dir() for each in path.iterdir()]
    keep_inputs([out if out.is_dir() else None, *(out / name for name in (MODEL, ABOUT, TOKENIZER))], [*given, *inside])
    about = import_weights(kind, file, out, Extras(vocabulary, book, text_encoder))
    typer.echo("\n".join(report(about, out, kind_named(kind).use.replace("DIR", str(out)))))


def report(about: dict[str, Any], out: Path, use: str) -> list[str]:
    """The lines that report which tensors were mapped, and which were left out and why."""
    lines = [f"{about['kind']}: {len(about['mapped'])} tensors mapped to {out}"]
    for title, rows in (
        ("left out", about["left_out"]),
        ("filled without the file", about["made_up"]),
        ("not in the file", about["started"]),
    ):
        for reason, names in _by_reason(rows).items():
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            lines.append(f"{title}: {names[0]}{more}: {reason}")
    return [*lines, *(f"note: {note}" for note in about["notes"]), f"to use it: {use}"]


def _by_reason(rows: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, reason in rows:
        found.setdefault(reason, []).append(name)
    return found
