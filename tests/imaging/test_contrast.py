"""Films that come out nearly black, white or flat carry a warning; ordinary films carry none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import deep_png, encoded
from PIL import Image
from pydicom import Dataset
from radiographs import COLOURS, dicom, pixels_of

from radscribe.imaging.film import read_film

# 12 bits: a chest of many levels between a black border and a white collimator edge.
rows, columns = np.mgrid[:200, :160]
FILM = (
    2000 + 900 * np.sin(rows / 23) * np.cos(columns / 17) + np.random.default_rng(0).normal(0, 80, rows.shape)
).astype(np.uint16)
FILM[:, :40], FILM[:20] = 0, 4095


def table(entries: np.ndarray) -> Dataset:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4096, 0, 16], entries.astype(int).tolist()
    item["LUTData"].VR = "US"
    return item


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "fields",
    [
        {"WindowCenter": 40, "WindowWidth": 400},
        {"WindowCenter": 128, "WindowWidth": 256},
        {"WindowCenter": 3900, "WindowWidth": 400},
        {"WindowCenter": 32768, "WindowWidth": 65536},
        {"WindowCenter": 0, "WindowWidth": 65536},
        {"WindowCenter": 2000, "WindowWidth": 1},
        {"WindowCenter": 40, "WindowWidth": 80, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 2048, "WindowWidth": 4096, "RescaleSlope": 16, "RescaleIntercept": 0},
        {"VOILUTSequence": [table(np.minimum(np.arange(4096) * 400, 65535))]},
    ],
)
def test_a_window_that_leaves_hardly_any_contrast_is_reported_and_applied(
    fields: dict[str, Any], photometric: str
) -> None:
    film = read_film(dicom(FILM, PhotometricInterpretation=photometric, **fields))
    assert ["its window or VOI table turns nearly all" in warning for warning in film.warnings] == [True]
    assert not np.array_equal(film.pixels, pixels_of(dicom(FILM, PhotometricInterpretation=photometric)))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"WindowCenter": 2048, "WindowWidth": 4096},
        {"WindowCenter": 2000, "WindowWidth": 1800},
        {"WindowCenter": 2300, "WindowWidth": 1500},
        {"WindowCenter": 8192, "WindowWidth": 16384},
        {"PixelPaddingValue": 0},
        {"VOILUTSequence": [table(np.arange(4096) * 16)]},
    ],
)
def test_an_ordinary_window_gives_no_warning(fields: dict[str, Any]) -> None:
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        assert read_film(dicom(FILM, PhotometricInterpretation=photometric, **fields)).warnings == ()


def test_padding_counts_for_nothing() -> None:
    film = np.pad(FILM + 1, 400)
    window = {"WindowCenter": 2000, "WindowWidth": 1800}
    assert read_film(dicom(film, PixelPaddingValue=0, **window)).warnings == ()
    assert len(read_film(dicom(film, **window)).warnings) == 1


def test_masks_and_pictures_that_lost_their_depth_are_reported() -> None:
    mask = np.where(FILM > 2000, 255, 0).astype(np.uint8)
    dark = (FILM >> 8).astype(np.uint8)
    colours = np.dstack([mask] * 3)
    for data in (encoded(Image.fromarray(mask)), encoded(Image.fromarray(dark)), dicom(colours, **COLOURS)):
        film = read_film(data)
        assert ["nearly all of the picture is black, white or one grey" in line for line in film.warnings] == [True]


def test_ordinary_pictures_give_no_warning() -> None:
    grey = (FILM >> 4).astype(np.uint8)
    for data in (
        encoded(Image.fromarray(grey)),
        encoded(Image.fromarray(grey), "JPEG"),
        deep_png(np.dstack([FILM] * 3)),
        dicom(np.dstack([grey] * 3), **COLOURS),
    ):
        assert read_film(data).warnings == ()


def test_ordinary_films_of_six_collections_give_no_warning(shared_data: Path) -> None:
    folders = ("iu_xray/films", "iu_xray/images", "nih_cxr14_sample/images", "nih_extra/images", "dicom")
    films = [path for folder in folders for path in sorted((shared_data / folder).iterdir())[:60]]
    films += sorted((shared_data / "kermany_pneumonia").rglob("*.jpeg"))[::100]
    assert len(films) > 200
    assert {path.name: read_film(path).warnings for path in films if read_film(path, longest=256).warnings} == {}
