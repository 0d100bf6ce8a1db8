"""Pairs labelled real images that have no reports with real reports of the same findings.

No report was written for its film: the pairs teach a model to state what is on a film's label, in the words of real
reports, and nothing more. Everything made from them is marked "weakly paired".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from radscribe.core.errors import RadscribeError
from radscribe.core.files import sha256_of
from radscribe.core.records import SPLITS
from radscribe.data.pairing import Conditions, Pair, pair
from radscribe.data.raw import RawStudy
from radscribe.data.source import Source
from radscribe.data.sources.iu_reports import IuReport, read_reports
from radscribe.data.sources.labelled import IMAGE_FIELDS, film_study, image_inputs, study_ids
from radscribe.data.sources.labelled_images import COMPARED, LabelledImage, is_ignored, labelled_images
from radscribe.data.splits import split_of
from radscribe.labels.conditions import CONDITIONS, POSITIVE, UNCERTAIN
from radscribe.labels.old_changes import without_old_changes
from radscribe.labels.rules import label_report

# An image is only paired with a report that agrees on whether there is any of these airspace opacities.
AIRSPACE = ("lung opacity", "consolidation", "pneumonia")
MINIMUM_POOL = 60
EXTRA_FIELDS = {"report_id": pa.string(), "pair_distance": pa.int8(), **IMAGE_FIELDS}


def unpaired_source(
    places: Sequence[Path],
    reports_archive: Path,
    section: str = "findings",
    seed: int = 0,
    minimum_pool: int = MINIMUM_POOL,
) -> Source:
    """Pair the labelled images under ``places`` with the reports of the Indiana University collection.

    Images are split by patient and reports by their id; an image only gets a report of its own split. A report
    states a condition when its label is positive or uncertain: an uncertain pneumonia still describes one.
    If fewer than ``minimum_pool`` reports of the whole collection are equally near (each split has its share of this
    number), those at the next distance are added, so that a few reports do not serve hundreds of films. A report
    whose only opacity is a scar or another old change is not used.

    Raises:
        RadscribeError: for unreadable tables, images that share a name, or a split without reports.
    """
    images = [image for place in places for image in labelled_images(place)]
    ids = study_ids(images)
    all_reports = [report for report in read_reports(reports_archive) if report.section(section)]
    reports = [report for report in all_reports if not _opacity_is_old(report.section(section))]
    stated = [_stated(report.section(section)) for report in reports]
    pairs = _pair_within_splits(images, reports, stated, minimum_pool, seed)
    tasks = [
        _study(image, study_id, reports[chosen.report], chosen)
        for image, study_id, chosen in zip(images, ids, pairs, strict=True)
    ]
    return Source(
        name="unpaired",
        studies=lambda scratch: tasks,
        settings={
            "images": [place.resolve().name for place in places],
            "seed": seed,
            "uncertain": "positive",
            "pneumonia_is_opacity": True,
            "airspace_must_agree": list(AIRSPACE),
            "minimum_pool": minimum_pool,
            "compared": list(COMPARED),
        },
        inputs={
            **image_inputs(places, images),
            reports_archive.name: sha256_of(reports_archive),
        },
        notes={
            "pairing": {
                **_summary(images, reports, stated, pairs),
                "reports_left_out_as_their_opacity_is_old": len(all_reports) - len(reports),
            }
        },
        extra_fields=EXTRA_FIELDS,
        weakly_paired=True,
    )


def _stated(text: str) -> Conditions:
    compared = {CONDITIONS.index(name) for name in COMPARED}
    states = label_report(text)
    return frozenset(index for index in compared if states[index] in (POSITIVE, UNCERTAIN))


def _opacity_is_old(text: str) -> bool:
    """Whether all airspace opacity that ``text`` states is a scar or another old change."""
    airspace = {CONDITIONS.index(name) for name in AIRSPACE}
    return bool(_stated(text) & airspace) and not _stated(without_old_changes(text)) & airspace


def _pair_within_splits(
    images: Sequence[LabelledImage],
    reports: Sequence[IuReport],
    stated: Sequence[Conditions],
    minimum_pool: int,
    seed: int,
) -> list[Pair]:
    pairs: dict[int, Pair] = {}
    decisive = {CONDITIONS.index(name) for name in AIRSPACE}
    for split in SPLITS:
        films = [index for index, image in enumerate(images) if split_of(image.patient_id) == split]
        texts = [index for index, report in enumerate(reports) if split_of(report.report_id) == split]
        try:
            chosen = pair(
                [images[index].positive for index in films],
                [stated[index] for index in texts],
                decisive,
                round(minimum_pool * len(texts) / len(reports)),
                seed,
            )
        except ValueError as error:
            raise RadscribeError(
                f"the {split} split has no report for some of its images; give more reports"
            ) from error
        for film, found in zip(films, chosen, strict=True):
            pairs[film] = replace(found, report=texts[found.report])
    return [pairs[index] for index in range(len(images))]


def _study(image: LabelledImage, study_id: str, report: IuReport, chosen: Pair) -> RawStudy:
    study = film_study(image, study_id)
    return replace(
        study,
        findings=report.findings,
        impression=report.impression,
        extra={"report_id": report.report_id, "pair_distance": chosen.distance, **study.extra},
    )


def _summary(
    images: Sequence[LabelledImage],
    reports: Sequence[IuReport],
    stated: Sequence[Conditions],
    pairs: Sequence[Pair],
) -> dict[str, Any]:
    """What the pairing did, for the manifest: counts by distance, and for each set of labels in each split."""
    distances = Counter(chosen.distance for chosen in pairs)
    groups: dict[tuple[str, str], list[Pair]] = {}
    for image, chosen in zip(images, pairs, strict=True):
        names = " + ".join(CONDITIONS[index] for index in sorted(image.positive)) or "none"
        groups.setdefault((names, split_of(image.patient_id)), []).append(chosen)
    return {
        "exact": distances[0],
        "nearest": len(pairs) - distances[0],
        "nearest_of_a_widened_pool": sum(chosen.widened for chosen in pairs),
        "by_distance": {str(distance): count for distance, count in sorted(distances.items())},
        "distinct_reports": len({chosen.report for chosen in pairs}),
        "most_used_report": max(Counter(chosen.report for chosen in pairs).values()),
        "ignored_labels": dict(
            sorted(Counter(label for image in images for label in image.labels if is_ignored(label)).items())
        ),
        "label_sets": [
            {
                "labels": names,
                "split": split,
                "images": len(members),
                "distinct_reports": len({chosen.report for chosen in members}),
                "exact": sum(chosen.distance == 0 for chosen in members),
            }
            for (names, split), members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        ],
    }
