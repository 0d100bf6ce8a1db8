"""The map that a drafted sentence shows: where on the film the finding is that it states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label
from torch import Tensor
from torch.nn import functional

from radscribe.core.records import EvidenceMap
from radscribe.labels.conditions import NO_FINDING, POSITIVE, UNCERTAIN
from radscribe.models.activation import activation_maps
from radscribe.models.report_model import ReportModel

# Cells of a map along each side of the film.
GRID = 28
# A second look at the film, enlarged so far: its patches are finer, and the padding at its edge weighs less.
ENLARGED = 12 / 7
# Standard deviation of the blur, in patches of the film.
BLUR_PATCHES = 0.75
# What a box holds: the cells around the peak with at least this share of its height over the lowest cell.
BOX_LEVEL = 0.6


def film_activations(model: ReportModel, films: Tensor) -> Tensor | None:
    """The activation maps of 18 conditions on B films (B x 1 x H x W), smoothed: B x 18 x GRID x GRID.

    The maps of the film itself and of the film enlarged are summed, each in its own standard deviations, and blurred by
    three quarters of a patch of the first. None for a model without a head of states.
    """
    head = model.state_head
    if head is None:
        return None
    size = round(films.shape[-1] * ENLARGED)
    larger = functional.interpolate(films, size=(size, size), mode="bilinear")
    found = [activation_maps(model.image_encoder, head, each) for each in (films, larger)]
    patches = found[0].shape[-1]
    fine = [functional.interpolate(each, size=(GRID, GRID), mode="bicubic") for each in found]
    total = torch.stack([each / each.std((-2, -1), keepdim=True).clamp(min=1e-9) for each in fine]).sum(0)
    return blurred(total, BLUR_PATCHES * GRID / patches)


def blurred(maps: Tensor, deviation: float) -> Tensor:
    """``maps`` (... x H x W) under a Gaussian of this ``deviation`` (cells); the edges are continued."""
    reach = min(round(3 * deviation), min(maps.shape[-2:]) - 1)
    offsets = torch.arange(-reach, reach + 1, device=maps.device)
    weights = torch.exp(-0.5 * (offsets / deviation) ** 2)
    weights = (weights / weights.sum()).to(maps.dtype)
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    flat = functional.conv2d(functional.pad(flat, (reach, reach, 0, 0), "replicate"), weights.view(1, 1, 1, -1))
    flat = functional.conv2d(functional.pad(flat, (0, 0, reach, reach), "replicate"), weights.view(1, 1, -1, 1))
    return flat.reshape(maps.shape)


def attention_map(attention: Tensor) -> EvidenceMap:
    """The map of where a sentence looked (h x w), for a model without a head of states."""
    return evidence_map("attention", attention.cpu().numpy())


def stated_map(activations: NDArray[np.floating], states: Sequence[int]) -> EvidenceMap | None:
    """The map of a sentence that states the 18 ``states``, from the film's ``activations`` (18 x H x W).

    It is that of the conditions that the sentence holds present or possible; None where it holds none. A normal chest
    is no finding, and nowhere.
    """
    stated = [number for number, state in enumerate(states) if state in (POSITIVE, UNCERTAIN) and number != NO_FINDING]
    return evidence_map("activation", activations[stated].mean(0)) if stated else None


def evidence_map(kind: str, values: NDArray[np.floating]) -> EvidenceMap:
    """A map (H x W) from 0 at its lowest cell to 1 at its peak, with the box around the peak."""
    spread = float(values.max() - values.min())
    scaled = (values - values.min()) / spread if spread > 0 else np.zeros_like(values)
    rows = tuple(tuple(round(float(value), 3) for value in row) for row in scaled)
    return EvidenceMap(kind, rows, peak_box(scaled) if spread > 0 else None)


def peak_box(values: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """The box around the peak of a map (H x W, 0 to 1): left, top, right and bottom as shares of the film's view."""
    regions, _ = label(values >= BOX_LEVEL)
    peak = np.unravel_index(int(values.argmax()), values.shape)
    rows, columns = np.nonzero(regions == regions[peak])
    height, width = values.shape
    box = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    return tuple(round(float(edge), 3) for edge in box)  # type: ignore[return-value]
