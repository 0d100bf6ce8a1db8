"""Write a comparison to a folder: Markdown, CSV and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from radscribe.core.files import replaced_together, write_csv, write_text
from radscribe.evaluation.compare.compare import Comparison
from radscribe.evaluation.compare.tables import TITLES, csv_tables, markdown
from radscribe.metrics.significance import Figure

COLUMNS = 4
PANEL_WIDTH = 3.0


def save(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.md``, ``comparison.csv`` and two more CSV for tests and differences, ``comparison.png``.

    All appear whole or none does; raises ``RadscribeError`` where the disk refuses.
    """
    with replaced_together(folder) as staging:
        write_text(staging / "comparison.md", markdown(comparison))
        for name, rows in csv_tables(comparison).items():
            write_csv(staging / name, rows)
        draw(comparison, staging / "comparison.png")


def draw(comparison: Comparison, path: Path) -> None:
    """Write a PNG with one panel a figure and one line a system: points with 95 % intervals.

    Where scoring differs, full points are the figures as scored, open ones those scored by the same settings.
    """
    systems = comparison.systems
    names = list(next(iter(comparison.scored.values())))
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    alike = comparison.scored_alike
    height = 0.75 + (0.28 if alike else 0.4) * len(systems)
    picture = Picture(figsize=(PANEL_WIDTH * columns + 1.5, height * rows + 0.6), layout="constrained")
    axes = picture.subplots(rows, columns, squeeze=False, sharey=True)
    colours = colormaps["tab10"](range(len(systems)))
    lines = np.arange(len(systems))
    for axis, name in zip(axes.ravel(), names, strict=False):
        for line, (system, colour) in enumerate(zip(systems, colours, strict=True)):
            style = {"color": colour, "capsize": 2, "markersize": 5, "linewidth": 1.2}
            shift = 0 if alike else 0.16
            _point(axis, comparison.scored[system][name], line - shift, {**style, "fmt": "o"})
            if not alike and name in comparison.tested[system]:
                again = {**style, "fmt": "o", "markerfacecolor": "white", "linestyle": "none", "elinewidth": 0.8}
                _point(axis, comparison.tested[system][name], line + shift, again)
        axis.set_title(TITLES[name], fontsize=10, loc="left")
        axis.set_yticks(lines, systems)
        axis.set_ylim(len(systems) - 0.5, -0.5)
        axis.grid(axis="x", color="0.9")
        axis.set_axisbelow(True)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.locator_params(axis="x", nbins=4)
    for axis in axes.ravel()[len(names) :]:
        axis.set_visible(False)
    caption = f"{comparison.studies} studies in common; bars are 95 % bootstrap intervals"
    if not alike:
        caption += f". Full points: as scored; open points: on these studies, scored as {systems[0]} is"
    picture.supxlabel(caption, fontsize=8, x=0.01, ha="left")
    picture.savefig(path, dpi=150, format="png")


def _point(axis: Axes, figure: Figure, height: float, style: Mapping[str, Any]) -> None:
    around = [[figure.value - figure.low], [figure.high - figure.value]]
    axis.errorbar([figure.value], [height], xerr=around, **style)
