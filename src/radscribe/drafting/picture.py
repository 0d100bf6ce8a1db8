"""Draw a draft: the film, and for each sentence its heat map and its reference."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from radscribe.core.files import replaced
from radscribe.core.records import Draft
from radscribe.imaging.drawing import KEYWORD, VALUE, mark

COLUMNS = 4
# Words of a memory slot's topic.
WORDS_SHOWN = 4


def draw_draft(draft: Draft, view: NDArray[np.uint8], path: Path) -> None:
    """Write a PNG of ``draft`` over the model's ``view`` (crop x crop) of its film.

    Raises ``OSError`` as the disk does.
    """
    panels = 1 + len(draft.sentences)
    rows = -(-panels // COLUMNS)
    figure = Figure(figsize=(3.6 * COLUMNS, 4.9 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    axes[0].imshow(view, cmap="gray", vmin=0, vmax=255)
    axes[0].set_title(_film_title(draft), fontsize=8, loc="left", va="top", y=-0.02)
    for axis, sentence in zip(axes[1:], draft.sentences, strict=False):
        axis.imshow(heat_over_film(np.array(sentence.attention), view))
        lines = [textwrap.fill(sentence.text, 46), f"confidence {sentence.confidence:.2f}"]
        if sentence.conditions:
            stated = "; ".join(f"{name}: {state}" for name, state in sentence.conditions.items())
            lines.append(textwrap.fill(stated, 52))
        if sentence.reference:
            quoted = f": “{sentence.reference.sentence}”" if sentence.reference.sentence else ""
            reference = f"nearest {sentence.reference.study_id} ({sentence.reference.similarity:.2f}){quoted}"
            lines.append(textwrap.fill(reference, 52))
        if sentence.slots:
            used = "; ".join(map(_slot_shown, sentence.slots))
            lines.append(textwrap.fill(f"memory slots {used}", 52))
        axis.set_title("\n".join(lines), fontsize=8, loc="left", va="top", y=-0.02)
    figure.suptitle(
        f"{draft.study_id}   ·   {draft.model['name']} {draft.model['fingerprint'][:12]}   ·   {draft.notice}",
        fontsize=9,
    )
    with replaced(path) as file:  # "tight", because the last row may have more lines than the others
        figure.savefig(file, format="png", dpi=100, bbox_inches="tight", pad_inches=0.1, metadata={KEYWORD: VALUE})


def _slot_shown(slot: Mapping[str, Any]) -> str:
    topic = f": {' '.join(slot['words'][:WORDS_SHOWN])}," if slot.get("words") else ""
    return f"{slot['slot']} ({slot['weight']:.2f}){topic} near {slot['studies'][0]}"


def draw_maps(draft: Draft, view: NDArray[np.uint8], folder: Path) -> Draft:
    """``draft`` with the file of each sentence's map, drawn over ``view`` (crop x crop) into ``folder``.

    Raises ``OSError`` as the disk does.
    """
    sentences = []
    for number, sentence in enumerate(draft.sentences, 1):
        path = folder / f"{draft.study_id}-map-{number}.png"
        with replaced(path) as file:
            Image.fromarray(heat_over_film(np.array(sentence.attention), view)).save(file, "PNG", pnginfo=mark())
        sentences.append(replace(sentence, map=str(path)))
    return replace(draft, sentences=tuple(sentences))


def drawn_files(study_id: str, folder: Path) -> list[Path]:
    """The files that drawing a draft into ``folder`` may replace: its picture, and its maps that are there already."""
    found = [path for path in folder.iterdir() if is_drawn_name(path.name, study_id)] if folder.is_dir() else []
    return [folder / f"{study_id}.png", *found]


def is_drawn_name(name: str, study_id: str) -> bool:
    """Whether the picture or a map of this study's draft has the file name ``name``, whatever its letter case."""
    return bool(re.fullmatch(re.escape(study_id) + r"(?:-map-\d+)?\.png", name, re.IGNORECASE))


def heat_over_film(attention: NDArray[np.float64], view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The film ``view`` (H x W) in grey with the ``attention`` map (h x w) over it in colour: H x W x 3."""
    low, high = float(attention.min()), float(attention.max())
    scaled = (attention - low) / (high - low) if high > low else np.zeros_like(attention)
    smooth = Image.fromarray((scaled * 255).astype(np.uint8)).resize(view.shape[::-1], Image.Resampling.BICUBIC)
    weight = np.asarray(smooth, dtype=np.float64)[..., None] / 255.0
    colour = colormaps["inferno"](weight[..., 0])[..., :3] * 255.0
    grey = np.repeat(view[..., None].astype(np.float64), 3, axis=2)
    blended: NDArray[np.uint8] = np.clip(grey * (1 - 0.55 * weight) + colour * 0.55 * weight, 0, 255).astype(np.uint8)
    return blended


def _film_title(draft: Draft) -> str:
    stated = [
        f"{finding.condition} {finding.probability:.2f}" for finding in draft.findings if finding.state == "positive"
    ]
    lines = ["positive: " + (", ".join(stated) or "none")]
    if draft.reference:
        report = f": “{draft.reference.report}”" if draft.reference.report else ""
        near = "" if draft.reference.distance is None else f", distance {draft.reference.distance:.2f}"
        lines.append(f"reference {draft.reference.study_id}{near}{report}")
    lines += [f"warning: {warning}" for warning in draft.warnings]
    return "\n".join(textwrap.fill(line, 52) for line in lines)
