"""Draw a draft: the film, each finding outlined on it with its reference, and the other sentences."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from radscribe.core.files import replaced, written_whole
from radscribe.core.records import Draft, DraftSentence, EvidenceMap
from radscribe.drafting.text import not_assessed, statements
from radscribe.imaging.drawing import KEYWORD, VALUE, mark

COLUMNS = 4
FILM = 3.6  # inches of a film's side, and of a line below it
LINE = 0.15
BELOW = -0.03  # where a panel's words begin, as a share of its height
# Contours of a map, as shares of its peak.
LEVELS = (0.6, 0.85)
# Told apart on grey by everyone (Okabe and Ito, "Color Universal Design").
COLOURS = ("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00")
# Words of a memory slot's topic.
WORDS_SHOWN = 4


def draw_draft(draft: Draft, view: NDArray[np.uint8], path: Path) -> None:
    """Write the picture of ``draft_picture``; raises ``OSError`` as the disk does."""
    with written_whole(path) as file:
        file.write(draft_picture(draft, view))


def draft_picture(draft: Draft, view: NDArray[np.uint8]) -> bytes:
    """A PNG of ``draft`` over the model's ``view`` (crop x crop) of its film.

    The film, beside it a panel for each sentence with a map, its contours on the film; the other sentences as a list.
    """
    mapped = [sentence for sentence in draft.sentences if sentence.evidence]
    others = [sentence for sentence in draft.sentences if not sentence.evidence]
    panels = 1 + len(mapped)
    rows = -(-panels // COLUMNS)
    columns = max(2, -(-panels // rows))  # rows as even as may be
    text = [
        line
        for title, items in _lists(draft, others, bool(mapped))
        for line in ([title] if title else []) + [line for item in items for line in _bullet(item, 50 * columns)]
    ]
    height = 0.17 * len(text) + 0.3
    titles = [_film_title(draft), *map(_sentence_title, mapped)]
    panel = FILM + LINE * (1 + max(title.count("\n") + 1 for title in titles))
    figure = Figure(figsize=(FILM * columns, panel * rows + height + 0.5), layout="constrained")
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[*[panel] * rows, height])
    axes = [figure.add_subplot(grid[place // columns, place % columns], anchor="N") for place in range(panels)]
    for axis in axes:
        axis.imshow(view, cmap="gray", vmin=0, vmax=255)
        axis.autoscale(False)  # a box at the edge leaves the film as large as it is
    axes[0].set_title(titles[0], fontsize=8, loc="left", va="top", y=BELOW)
    for number, (axis, sentence) in enumerate(zip(axes[1:], mapped, strict=True)):
        assert sentence.evidence is not None
        _outline(axis, sentence.evidence, view.shape, COLOURS[number % len(COLOURS)])
        axis.set_title(titles[1 + number], fontsize=8, loc="left", va="top", y=BELOW)
    listed = figure.add_subplot(grid[rows, :])
    listed.text(0, 1, "\n".join(text), fontsize=8, va="top", transform=listed.transAxes)
    for axis in (*axes, listed):
        axis.axis("off")
    figure.suptitle(
        f"{draft.study_id}   ·   {draft.model['name']} {draft.model['fingerprint'][:12]}   ·   {draft.notice}",
        fontsize=9,
    )
    content = BytesIO()  # "tight", because the last row may have more lines than the others
    figure.savefig(content, format="png", dpi=150, bbox_inches="tight", pad_inches=0.1, metadata={KEYWORD: VALUE})
    return content.getvalue()


def _outline(axis: Any, evidence: EvidenceMap, shape: Sequence[int], colour: str) -> None:
    """Draw the contours and the box of a map over a film of ``shape`` (H x W)."""
    values = np.array(evidence.values)
    down, across = ((np.arange(count) + 0.5) / count * size for count, size in zip(values.shape, shape, strict=True))
    axis.contour(across, down, values, levels=LEVELS, colors=colour, linewidths=(1.0, 1.8))
    if evidence.box:
        left, top, right, bottom = (
            edge * size for edge, size in zip(evidence.box, (shape[1], shape[0]) * 2, strict=True)
        )
        box = Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linestyle="--")
        axis.add_patch(box)


def _lists(draft: Draft, others: Sequence[DraftSentence], mapped: bool) -> list[tuple[str, Sequence[str]]]:
    """What stands under the panels: titles with their items."""
    plain = ["   ".join(filter(None, (each.text, statements(each), each.unmapped))) for each in others]
    withheld = [f"“{sentence.text}” {sentence.reason}" for sentence in draft.withheld]
    unknown = not_assessed(draft)
    lists = [
        ("No draft:", draft.reasons),
        ("Without a map:" if mapped else "", plain),
        ("Withheld:", withheld),
        ("Not assessed:", [", ".join(unknown)] if unknown else []),
    ]
    return [(title, items) for title, items in lists if items]


def _bullet(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="- ", subsequent_indent="  ")


def _sentence_title(sentence: DraftSentence) -> str:
    lines = [textwrap.fill(sentence.text, 46)]
    if stated := statements(sentence):
        lines.append(textwrap.fill(stated, 52))
    if not sentence.probabilities:
        lines.append(f"confidence {sentence.confidence:.2f}")
    if sentence.reference:
        quoted = f": “{sentence.reference.sentence}”" if sentence.reference.sentence else ""
        reference = f"nearest {sentence.reference.study_id} ({sentence.reference.similarity:.2f}){quoted}"
        lines.append(textwrap.fill(reference, 52))
    if sentence.slots:
        used = "; ".join(map(_slot_shown, sentence.slots))
        lines.append(textwrap.fill(f"memory slots {used}", 52))
    return "\n".join(lines)


def _slot_shown(slot: Mapping[str, Any]) -> str:
    topic = f": {' '.join(slot['words'][:WORDS_SHOWN])}," if slot.get("words") else ""
    return f"{slot['slot']} ({slot['weight']:.2f}){topic} near {slot['studies'][0]}"


def draw_maps(draft: Draft, view: NDArray[np.uint8], folder: Path) -> Draft:
    """``draft`` with the file of each map, drawn over ``view`` (crop x crop) into ``folder``.

    Raises ``OSError`` as the disk does.
    """
    sentences = []
    for number, sentence in enumerate(draft.sentences, 1):
        if not sentence.evidence:
            sentences.append(sentence)
            continue
        path = folder / f"{draft.study_id}-map-{number}.png"
        with replaced(path) as file:
            Image.fromarray(heat_over_film(np.array(sentence.evidence.values), view)).save(file, "PNG", pnginfo=mark())
        sentences.append(replace(sentence, map=str(path)))
    return replace(draft, sentences=tuple(sentences))


def drawn_files(study_id: str, folder: Path) -> list[Path]:
    """The files that drawing a draft into ``folder`` may replace: its picture, and its maps that are there already."""
    found = [path for path in folder.iterdir() if is_drawn_name(path.name, study_id)] if folder.is_dir() else []
    return [folder / f"{study_id}.png", *found]


def is_drawn_name(name: str, study_id: str) -> bool:
    """Whether the picture or a map of this study's draft has the file name ``name``, whatever its letter case."""
    return bool(re.fullmatch(re.escape(study_id) + r"(?:-map-\d+)?\.png", name, re.IGNORECASE))


def heat_over_film(values: NDArray[np.float64], view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The film ``view`` (H x W) in grey with a map (h x w, 0 to 1) over it in colour: H x W x 3."""
    smooth = Image.fromarray((values * 255).astype(np.uint8)).resize(view.shape[::-1], Image.Resampling.BICUBIC)
    weight = np.asarray(smooth, dtype=np.float64)[..., None] / 255.0
    colour = colormaps["inferno"](weight[..., 0])[..., :3] * 255.0
    grey = np.repeat(view[..., None].astype(np.float64), 3, axis=2)
    blended: NDArray[np.uint8] = np.clip(grey * (1 - 0.55 * weight) + colour * 0.55 * weight, 0, 255).astype(np.uint8)
    return blended


def _film_title(draft: Draft) -> str:
    stated = [
        f"{finding.condition} {finding.probability:.2f}"
        for finding in draft.findings
        if finding.state in ("positive", "uncertain") and finding.probability is not None
    ]
    lines = [] if draft.abstain else ["positive or possible: " + (", ".join(stated) or "none")]
    if draft.reference:
        report = f": “{draft.reference.report}”" if draft.reference.report else ""
        near = "" if draft.reference.distance is None else f", distance {draft.reference.distance:.2f}"
        lines.append(f"reference {draft.reference.study_id}{near}{report}")
    lines += [f"warning: {warning}" for warning in draft.warnings]
    return "\n".join(textwrap.fill(line, 52) for line in lines)
