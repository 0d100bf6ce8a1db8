"""Write the table of an ablation to a folder: Markdown, CSV and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from matplotlib.figure import Figure as Picture

from radscribe.ablation.table import MICRO, MICRO_13, RARE, AblationTable, AgainstFull, RowFigures
from radscribe.core.files import replaced_together, write_csv, write_text
from radscribe.evaluation.scorecard.tables import table

TITLES = {
    MICRO: "micro-F1",
    MICRO_13: "micro-F1 of 13",
    "macro_f1": "macro-F1",
    RARE: "rare macro-F1",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
}
MORE = {
    "shuffled_micro_13_f1": "micro-F1 of 13, shuffled films",
    "mean_area": "ROC area, mean",
    "normal_called_normal": "normal called normal",
    "abnormal_called_normal": "abnormal called normal",
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "abnormal_bleu_4": "BLEU-4, abnormal",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
    "distinct_reports": "distinct reports",
    "commonest_report": "commonest report",
}
DRAWN = (MICRO, RARE, "bleu_4")


def save(ablation: AblationTable, folder: Path) -> str:
    """Write ``ablations.md`` and ``ablations-more.md``, ``ablations.csv`` (and the tests' CSV) and ``ablations.png``;
    returns the Markdown of both.

    All appear whole or none does; raises ``RadscribeError`` where the disk refuses.
    """
    text, more = markdown(ablation), further(ablation)
    with replaced_together(folder) as staging:
        write_text(staging / "ablations.md", text)
        write_text(staging / "ablations-more.md", more)
        write_csv(staging / "ablations.csv", tidy(ablation))
        write_csv(staging / "ablations-tests.csv", tests(ablation))
        draw(ablation, staging / "ablations.png")
    return f"{text}\n{more}"


def markdown(ablation: AblationTable) -> str:
    """The table with one row a recipe, then notes on the figures and on unfinished runs."""
    figures = ablation.figures
    tested = [name for name in (MICRO, RARE) if name in figures]
    head = (
        "row",
        "parameters (million)",
        *(TITLES[name] for name in figures),
        "minutes a run",
        *(f"{ablation.full} less this: {TITLES[name]}" for name in tested),
    )
    rows = [
        (
            row.name,
            f"{row.parameters:.2f}",
            *(_spread(row.figures[name]) for name in figures),
            f"{mean(row.minutes):.1f}",
            *(_difference(row.tests.get(name)) for name in tested),
        )
        for row in ablation.rows
    ]
    rare = ", ".join(ablation.rare) or "none"
    units = "patients" if ablation.unit == "patient" else "studies"
    notes = [
        f"- {row.name}: {len(row.seeds)} of {ablation.wanted} seeds finished"
        for row in ablation.rows
        if len(row.seeds) < ablation.wanted
    ]
    notes += [f"- {name}: no seed finished" for name in ablation.unfinished]
    explained = [
        f"Studies: {ablation.studies}; seeds: {ablation.wanted}. Figures are means over seeds, with the least, the "
        "greatest and the standard deviation. Minutes are for training the generator, drafting and scoring; the steps "
        f"before are shared. Rare conditions, stated in under 5 % of training studies: {rare}.",
        f"Differences: 95 % interval and p of a paired bootstrap of the means over seeds, {ablation.resamples} draws, "
        f"the {ablation.unit} as the unit, p adjusted by Holm over the rows for each figure. It resamples {units}, not "
        "trainings: a difference within the spread of the seeds may come from them, whatever its p. For rare "
        "conditions p is that of an approximate randomization: the bootstrap rejects equal systems too often there.",
    ]
    return "\n\n".join(["# Ablations", table(head, rows), *explained, *(["\n".join(notes)] if notes else [])]) + "\n"


def further(ablation: AblationTable) -> str:
    """The table of what is not tested: how reports read, what they owe to the film, how alike they are."""
    shown = [name for name in MORE if any(name in row.more for row in ablation.rows)]
    rows = [(row.name, *(_range(row.more.get(name, ()), name) for name in shown)) for row in ablation.rows]
    note = "Means over seeds, with the least and the greatest. ROC area: of the conditions' probabilities, where a "
    note += "system gives them, the mean over conditions with ten positives."
    return "\n\n".join([table(("row", *(MORE[name] for name in shown)), rows), note]) + "\n"


def tidy(ablation: AblationTable) -> list[Sequence[object]]:
    """Row, seed, figure, value: one line each, the head first."""
    lines: list[Sequence[object]] = [("row", "seed", "figure", "value")]
    for row in ablation.rows:
        for place, seed in enumerate(row.seeds):
            lines += [(row.name, seed, name, row.figures[name][place]) for name in ablation.figures]
            more = (name for name in row.more if name not in ablation.figures)
            lines += [(row.name, seed, name, row.more[name][place]) for name in more]
            lines += [(row.name, seed, "parameters_million", row.parameters)]
            lines += [(row.name, seed, "minutes", row.minutes[place])]
    return lines


def tests(ablation: AblationTable) -> list[Sequence[object]]:
    """The full system minus each row, figure by figure, the head first."""
    lines: list[Sequence[object]] = [("row", "figure", "difference", "low", "high", "p", "p_holm")]
    for row in ablation.rows:
        for name, found in row.tests.items():
            by = found.test.difference
            lines.append((row.name, name, by.value, by.low, by.high, found.test.p_value, found.adjusted))
    return lines


def draw(ablation: AblationTable, path: Path) -> None:
    """Write a PNG with one line a row: a dot per seed, a bar at their mean, a dashed line at the full system's mean."""
    names = [name for name in DRAWN if name in ablation.figures]
    count = len(ablation.rows)
    picture = Picture(figsize=(3.4 * len(names) + 2, 0.34 * count + 1.3), layout="constrained")
    panels = picture.subplots(1, len(names), squeeze=False, sharey=True)[0]
    full = next((row for row in ablation.rows if row.name == ablation.full), None)
    for panel, name in zip(panels, names, strict=True):
        if full is not None:
            panel.axvline(mean(full.figures[name]), color="tab:orange", linewidth=1.2, linestyle="--", zorder=1)
        for line, row in enumerate(ablation.rows):
            values = row.figures[name]
            colour = "tab:orange" if row is full else "tab:blue"
            panel.plot([mean(values)] * 2, [line - 0.3, line + 0.3], color=colour, linewidth=2, zorder=2)
            panel.scatter(values, [line] * len(values), s=22, color=colour, alpha=0.6, linewidths=0, zorder=3)
        panel.set_title(TITLES[name], fontsize=10, loc="left")
        panel.set_yticks(np.arange(count), [_label(row, ablation.wanted) for row in ablation.rows])
        panel.set_ylim(count - 0.5, -0.5)
        panel.grid(axis="x", color="0.9")
        panel.set_axisbelow(True)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
        panel.locator_params(axis="x", nbins=5)
    caption = f"{ablation.studies} studies. A dot is a seed, a bar the mean of a row"
    caption += f", the dashed line the mean of {ablation.full}" if full is not None else ""
    picture.supxlabel(caption, fontsize=8, x=0.01, ha="left")
    picture.savefig(path, dpi=150, format="png")


def _label(row: RowFigures, wanted: int) -> str:
    return row.name if len(row.seeds) == wanted else f"{row.name} ({len(row.seeds)} of {wanted})"


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f}, sd {stdev(values):.3f})"


def _range(values: Sequence[float], name: str) -> str:
    if not values:
        return ""
    digits = 0 if name == "distinct_reports" else 3
    numbers = [f"{value:.{digits}f}" for value in (mean(values), min(values), max(values))]
    return numbers[0] if len(values) == 1 else f"{numbers[0]} ({numbers[1]} to {numbers[2]})"


def _difference(found: AgainstFull | None) -> str:
    if found is None:
        return ""
    by = found.test.difference
    return f"{by.value:+.3f} ({by.low:+.3f} to {by.high:+.3f}) p = {found.adjusted:.3f}"
