"""Labelled images as films without reports: they teach an image encoder what a film shows, and no words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from radscribe.core.errors import WrongUse
from radscribe.core.files import listing_hash, sha256_of
from radscribe.data.raw import FilmFile, FilmRefused, RawFilm, RawStudy
from radscribe.data.source import Source
from radscribe.data.sources.labelled_images import LabelledImage, labelled_images

# What is kept of an image beside its film.
IMAGE_FIELDS = {
    "image_labels": pa.list_(pa.string()),
    "image_source": pa.string(),
    "image_view_position": pa.string(),
}


def labelled_source(places: Sequence[Path]) -> Source:
    """The labelled images under ``places``, split by patient; to be prepared for the section "none".

    Raises ``RadscribeError`` for unreadable tables, or images that share a name.
    """
    images = [image for place in places for image in labelled_images(place)]
    tasks = [film_study(image, study_id) for image, study_id in zip(images, study_ids(images), strict=True)]
    return Source(
        name="labelled",
        studies=lambda scratch: tasks,
        settings={"images": [place.resolve().name for place in places]},
        inputs=image_inputs(places, images),
        extra_fields=IMAGE_FIELDS,
    )


def film_study(image: LabelledImage, study_id: str) -> RawStudy:
    """The study of one image, without a report."""
    load = FilmFile(image.path, image.name) if image.path else FilmRefused(image.name, image.missing or "")
    return RawStudy(
        study_id=study_id,
        patient_id=image.patient_id,
        films=(RawFilm(load, image.name, image.view),),
        extra={
            "image_labels": list(image.labels),
            "image_source": image.source,
            "image_view_position": image.view_position,
        },
    )


def study_ids(images: Sequence[LabelledImage]) -> list[str]:
    """The stems of the images' names; raises ``WrongUse`` where two are alike."""
    ids = [Path(image.name).stem for image in images]
    repeated = [study_id for study_id, count in Counter(ids).items() if count > 1]
    if repeated:
        raise WrongUse(f"{repeated[0]}: {len(repeated)} image names occur twice among --images; rename one of each")
    return ids


def image_inputs(places: Sequence[Path], images: Sequence[LabelledImage]) -> dict[str, str]:
    """Name -> SHA-256 of the tables among ``places``, and of the listing of the images below each."""
    tables = {f"{place.resolve().parent.name}/{place.name}": sha256_of(place) for place in places if place.is_file()}
    return {**tables, **{f"images of {place.resolve().name}": _images_hash(place, images) for place in places}}


def _images_hash(place: Path, images: Sequence[LabelledImage]) -> str:
    """Hash of which images exist below ``place`` (a folder, or the folder of a table)."""
    folder = place if place.is_dir() else place.parent
    return listing_hash([image.path for image in images if image.path and image.path.is_relative_to(folder)], folder)
