"""Where the lesions of a dataset's films are, as far as it tells (phantoms)."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radscribe.core.records import Study
from radscribe.data.dataset import PreparedDataset
from radscribe.data.sources.phantom import unpack_masks
from radscribe.drafting.reporter import Reporter
from radscribe.drafting.sides import MIDLINE_HALF_WIDTH
from radscribe.labels.conditions import CONDITIONS, POSITIVE

# Least share of a one-sided lesion that lies on its side, off the midline.
SIDED = 0.75


def rightly_stated(stated: Sequence[int], truth: Sequence[int]) -> list[str]:
    """The conditions that a sentence's 18 states call positive and that are positive in ``truth``."""
    return [name for name, state, true in zip(CONDITIONS, stated, truth, strict=True) if state == true == POSITIVE]


class Lesions:
    """The sides and masks of the conditions of the studies of ``dataset``, on films as ``reporter`` sees them."""

    def __init__(self, reporter: Reporter, dataset: PreparedDataset) -> None:
        known = set(dataset.table.column_names)
        self._sides = dataset.column("sides") if "sides" in known else {}
        self._masks = dataset.column("masks") if "masks" in known else {}
        self._reporter = reporter

    @property
    def have_sides(self) -> bool:
        """Whether the dataset tells the sides."""
        return bool(self._sides)

    def sides(self, study: Study) -> dict[str, str]:
        """The side of each one-sided condition of ``study``: "left" or "right" of the patient."""
        found: dict[str, str] = json.loads(self._sides[study.study_id]) if study.study_id in self._sides else {}
        return {name: side for name, side in found.items() if side in ("left", "right")}

    def one_sided(self, study: Study) -> dict[str, str]:
        """Of ``sides`` those whose lesion lies there: a tube that enters on one side and runs down the midline has its
        name from that side, and no place there."""
        return {name: side for name, side in self.sides(study).items() if self._lies_on(study, name, side)}

    def mask(self, study: Study, conditions: Collection[str]) -> NDArray[np.bool_] | None:
        """The pixels of the film, as the model sees it, that the ``conditions`` of ``study`` cover; None if unknown."""
        if study.study_id not in self._masks:
            return None
        lesions = unpack_masks(self._masks[study.study_id])
        found = [self._in_view(lesions[name]) for name in conditions if name in lesions]
        return np.logical_or.reduce(found) if found else None

    def _lies_on(self, study: Study, condition: str, side: str) -> bool:
        mask = self.mask(study, [condition])
        if mask is None:
            return True
        offset = (np.nonzero(mask)[1] + 0.5) / mask.shape[1] - 0.5  # the patient's right is the image's left
        return bool(np.mean((-offset if side == "right" else offset) > MIDLINE_HALF_WIDTH) >= SIDED)

    def _in_view(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask of the whole film (h x w) as the model sees the film: crop x crop."""
        size = self._reporter.system.config.film.resize
        picture = Image.fromarray(mask.astype(np.uint8) * 255).resize((size, size), Image.Resampling.NEAREST)
        return self._reporter.view(np.asarray(picture)) >= 128
