"""Brings a film upright whose header says that it is on its side, upside down or seen from behind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radscribe.imaging.levels import Pixels

OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
ACROSS = {"frontal": "LR", "lateral": "AP"}


def upright(pixels: Pixels, orientation: Sequence[str], view: str | None) -> Pixels:
    """``pixels`` (height x width) with the feet down and, in a frontal film, the patient's left on the right.

    Args:
        orientation: Patient Orientation (PS3.3 C.7.6.1.1.1): the directions of the rows and of the columns.
        view: "frontal", "lateral", or None where the header does not say.

    A wrongly mirrored film puts a finding on the wrong side unnoticed, so a film is moved only when the header is
    unambiguous: two values of one letter each, one of them head or feet, the other across the body as the view
    requires, left or right in a frontal film, front or back in a lateral one. Anything else, including two letters in
    a value or a contradicting view, leaves the film as it is.

    A frontal film is turned or mirrored to L\\F, the way films are read. A lateral film is only turned, never mirrored:
    it is read facing either way, and its letters do not say which way it was. Text in the picture moves with it.
    """
    if isinstance(orientation, str) or len(orientation) != 2:
        return pixels
    right, down = (str(letter).strip(" \0").upper() for letter in orientation)
    letters = [letter for letter in (right, down) if letter not in ("H", "F")]
    if len(letters) != 1 or letters[0] not in OPPOSITE:
        return pixels
    lies = next(kind for kind, across in ACROSS.items() if letters[0] in across)
    if view not in (None, lies):
        return pixels
    mirrored = False
    if right in ("H", "F"):
        pixels, right, down, mirrored = pixels.T, down, right, True
    if down == "H":
        pixels, mirrored = pixels[::-1], not mirrored
    if right == "R" if lies == "frontal" else mirrored:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
