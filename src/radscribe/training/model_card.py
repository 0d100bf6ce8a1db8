"""Write the records of a training: its log, its curves, and a model card made from the measured figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from radscribe.core.files import read_json, replaced, saving, write_json_lines, write_text
from radscribe.core.records import NOTICE
from radscribe.models.mcsam import MEMORY
from radscribe.models.systems import SYSTEMS
from radscribe.training.cache import Step


def write_training_report(out: Path, steps: Sequence[Step], about: dict[str, Any]) -> None:
    """Write ``training.jsonl``, ``curves.png`` and ``MODEL_CARD.md`` into the checkpoint folder ``out``.

    Raises ``RadscribeError`` where the disk refuses.
    """
    rows = [row for step in steps for row in read_log(step.folder / "training.jsonl")]
    write_json_lines(out / "training.jsonl", rows)
    draw_curves(rows, out / "curves.png")
    memory = read_json(out / MEMORY) if (out / MEMORY).exists() else None
    write_text(out / "MODEL_CARD.md", model_card(about, rows, memory))


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a training log; none where a step was not trained."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def draw_curves(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a PNG with a row of panels for each stage: training losses on the left, validation figures on the right.

    Without rows nothing is written. Raises ``RadscribeError`` where the disk refuses.
    """
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    if not stages:
        return
    figure = Figure(figsize=(11, 3.2 * len(stages)), layout="constrained")
    panels = figure.subplots(len(stages), 2, squeeze=False)
    for stage, (losses, scores) in zip(stages, panels, strict=True):
        own = [row for row in rows if row["stage"] == stage]
        epochs = [row["epoch"] for row in own]
        skipped = {"stage", "epoch", "step", "learning_rate", "seconds", "validation_score"}
        for name in (name for name, value in own[0].items() if name not in skipped and not isinstance(value, list)):
            panel = scores if name.startswith("validation_") else losses
            panel.plot(
                epochs, [row.get(name) for row in own], marker="o", markersize=3, label=name.removeprefix("validation_")
            )
        losses.set(title=f"{stage}: training", xlabel="epoch")
        scores.set(title=f"{stage}: validation", xlabel="epoch")
        for panel in (losses, scores):
            panel.grid(alpha=0.3)
            if panel.lines:
                panel.legend(fontsize=8)
    with saving(path), replaced(path) as file:
        figure.savefig(file, format="png", dpi=90)


def model_card(about: dict[str, Any], rows: Sequence[dict[str, Any]], memory: Mapping[str, Any] | None = None) -> str:
    """Markdown from the configuration and the measured figures alone; ``memory`` is how a memory bank began."""
    recipe, dataset = about["recipe"], about["dataset"]
    paper = SYSTEMS[recipe["model"].get("method", "revtaf")].model.paper
    paired = (
        "Films and reports are weakly paired: they come from different patients. " if dataset["weakly_paired"] else ""
    )
    studies = ", ".join(f"{count} {name}" for name, count in dataset["studies"].items())
    alone = recipe["generator"].get("chosen_by") == "micro_f1_13"
    conditions = "13 conditions (all but no finding)" if alone else "14 conditions"
    labelled = sum(films["films"] for films in about.get("labelled", ()))
    further = f" The image encoder was trained on the labels of {labelled:,} further films too." if labelled else ""
    lines = [
        f"# {recipe['name']}",
        "",
        f"**{NOTICE}**",
        "",
        f"A {paper}, independent reimplementation) that drafts chest X-ray reports, trained by radscribe.",
        "",
        f"- Data: {studies} studies; dataset {dataset['fingerprint'][:16]}. {paired}".rstrip() + further,
        f"- Section drafted: {recipe['section']}. Seed {recipe['seed']}.",
        f"- Weights: {'half' if recipe['half_precision'] else 'single'} precision.",
        "",
        "| step | minutes | epochs | best epoch | validation score |",
        "|---|---|---|---|---|",
    ]
    for name, summary in about["measured"].items():
        best = summary.get("best") or {}
        epochs = sum(row["stage"] == name.replace("-", " ") for row in rows)
        score = f"{best['score']:.3f}" if best else "-"
        lines.append(f"| {name} | {summary['seconds'] / 60:.1f} | {epochs} | {best.get('epoch', '-')} | {score} |")
    lines += [
        "",
        f"The generator's score is the micro-F1 over {conditions} of the reports written for the validation split; the "
        "best epoch was chosen by it alone. `curves.png` shows every epoch.",
        "",
        *(_memory_lines(memory, rows, about["measured"]) if memory else ()),
        "Not validated in any clinic. Drafts need a radiologist's reading of the film.",
        "",
    ]
    return "\n".join(lines)


def _memory_lines(memory: Mapping[str, Any], rows: Sequence[dict[str, Any]], measured: Mapping[str, Any]) -> list[str]:
    """How the memory bank began, which slots are dead, and its topics where it has them."""
    kept = memory["kept"]
    lines = [
        f"Memory: {len(kept)} slots, started by `{memory['mode']}` from {memory['studies']} studies; as learned they "
        f"have a cosine of {sum(kept) / len(kept):.2f} with their start ({min(kept):.2f} at the least).",
        "",
    ]
    best = (measured["generator"].get("best") or {}).get("epoch")
    dead = next(
        (row["validation_dead_slots"] for row in rows if row["stage"] == "generator" and row["epoch"] == best), None
    )
    if dead is not None:
        named = ", ".join(map(str, dead)) or "none"
        lines += [f"Dead slots, which patches and words of the validation studies hardly retrieve: {named}.", ""]
    if topics := memory.get("topics"):
        lines += [
            "| slot | share of reports | topic: its nearest words | studies of the nearest reports |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {slot} | {share:.3f} | {' '.join(topic['words'])} | {', '.join(topic['studies'])} |"
            for slot, (topic, share) in enumerate(zip(topics, memory["usage"], strict=True))
        ]
        lines.append("")
    return lines
