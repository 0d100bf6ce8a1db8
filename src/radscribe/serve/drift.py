"""How far the films and findings of late are from those that the checkpoint was trained and calibrated on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radscribe.core.records import Draft
from radscribe.drafting.calibration import Calibration
from radscribe.drafting.gate import Gate, pooled, ranks

WINDOW = 500  # studies


class Drift:
    """The last ``WINDOW`` studies beside what the checkpoint knows; its methods may be called by any thread."""

    def __init__(self, gate: Gate | None, calibration: Calibration | None) -> None:
        self._gate = gate
        measured: Mapping[str, Any] = calibration.measured if calibration else {}
        # Mean probability of each condition over the validation films; newer calibrations hold it.
        self._expected: Mapping[str, float] = measured.get("mean_probabilities") or {}
        self._places: deque[NDArray[np.float64]] = deque(maxlen=WINDOW)
        self._present: deque[Mapping[str, float]] = deque(maxlen=WINDOW)
        self._lock = threading.Lock()

    def add(self, view: NDArray[np.uint8], draft: Draft) -> None:
        """Count a study: its frontal film as the model saw it (H x W), and its draft."""
        places = None if self._gate is None else _places(self._gate, view)
        with self._lock:
            if places is not None:
                self._places.append(places)
            if self._expected and not draft.abstain:
                self._present.append(dict(_present(draft)))

    def figures(self) -> Iterable[tuple[str, str, float]]:
        """Name, condition (or empty) and value of each figure that is known.

        ``film_distance``: of the mean film from that of the training films along the principal axes of these, in
        standard deviations of each, root mean square; N films of the same kind give about 1 / sqrt(N).
        ``probability_difference``: of the mean probability of a condition from that over the validation films.
        """
        with self._lock:
            places, present = list(self._places), list(self._present)
        yield "films", "", float(len(places))
        if places:
            yield "film_distance", "", float(np.sqrt(np.square(np.mean(places, axis=0)).mean()))
        for condition, expected in self._expected.items():
            seen = [each[condition] for each in present if condition in each]
            if seen:
                yield "probability_difference", condition, float(np.mean(seen)) - expected


def _places(gate: Gate, view: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Where a film (H x W) lies among the training films: P, in standard deviations along their axes."""
    centred = ranks(pooled(view[None]))[0] - gate.mean
    return np.asarray(centred @ gate.axes / np.maximum(gate.spread, 1e-6), dtype=np.float64)


def _present(draft: Draft) -> Iterable[tuple[str, float]]:
    for finding in draft.findings:
        if finding.probability is not None:
            held = finding.state in ("positive", "uncertain")
            yield finding.condition, finding.probability if held else 1 - finding.probability
