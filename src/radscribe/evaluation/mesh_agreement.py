"""Compare the rule labeler with the MeSH tags that human indexers gave the IU X-Ray reports.

Tags name what a report calls present or possible, so a condition counts as stated where the labeler finds it positive
or uncertain. Half of the reports, by hash of their id, are *open*: rules may be written by looking at them. The other
half is *sealed*: it is only counted, and its counts are the published ones. In ``docs/results/labeler.md``:

    python -m radscribe.evaluation.mesh_agreement NLMCXR_reports.tgz > docs/results/labeler.md
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from radscribe.core.errors import RadscribeError
from radscribe.data.sources.iu_reports import IuReport, read_reports
from radscribe.evaluation.scorecard.tables import table
from radscribe.labels.conditions import CHEXBERT_COUNT, CONDITIONS, NO_FINDING, POSITIVE, SUPPORT_DEVICES, UNCERTAIN
from radscribe.labels.rules import label_report
from radscribe.metrics.clinical import condition_sums, micro, precision_recall_f1
from radscribe.metrics.significance import Resampling, interval

# Tags by the labeler's own conventions: a scar is an opacity, fibrosis is "pleural other", clips are not a support
# device, and (below) a calcified nodule is not a lesion.
# Tags that no convention assigns ("density", "bronchovascular markings", "calcinosis of the lung") are ignored.
TAGS: dict[str, str] = {
    "enlarged cardiomediastinum": r"mediastinum/(?!.*lymph nodes).*(?:enlarged|prominent)",
    "cardiomegaly": r"cardiomegaly|cardiac shadow/.*(?:enlarged|borderline)|heart/.*enlarged",
    "lung opacity": r"opacity(?!/adipose)|airspace disease|infiltrate|cicatrix(?!/pleura|/breast)"
    r"|markings/.*interstitial|lung diseases, interstitial",
    "lung lesion": r"nodule|mass/(?:lung|thorax|bilateral)",
    "edema": r"pulmonary edema|pulmonary congestion|heart failure",
    "consolidation": r"consolidation",
    "pneumonia": r"pneumonia\b",
    "atelectasis": r"pulmonary atelectasis",
    "pneumothorax": r"\w*pneumothorax",
    "pleural effusion": r"pleural effusion|hydropneumothorax",
    "pleural other": r"thickening/pleura|cicatrix/pleura|(?:pulmonary )?fibrosis",
    "fracture": r"fractures, bone",
    "support devices": r"catheters, indwelling|tube, inserted|(?:implanted )?medical device",
    "aorta": r"aorta(?:, thoracic)?/.*(?:tortuous|enlarged|prominent)|(?:atherosclerosis|calcinosis)/aorta",
    "bone/spine": r"(?:spine|thoracic vertebrae|lumbar vertebrae)/.*degenerative|scoliosis|kyphosis|osteophyte"
    r"|spondylosis|arthritis|hyperostosis|bone diseases, metabolic|deformity/.*(?:vertebrae|spine|clavicle|ribs)",
    "hemidiaphragm": r"diaphragm/.*elevated|diaphragmatic eventration",
    "lung volume abnormal": r"lung/.*(?:hypoinflation|hyperdistention)",
}
# Tags of what the CheXpert labeler's list of other abnormal findings names: they too leave no "no finding".
OTHER_TAGS = re.compile(
    r".*emphysema|costophrenic angle/.*blunted|density|diaphragm/.*elevated|diaphragmatic eventration|scoliosis|"
    r"kyphosis|.*degenerative|calcinosis|calcified granuloma|granuloma|lung/.*hyperdistention|.*hernia|"
    r"pulmonary disease, chronic obstructive|thickening|atherosclerosis|osteophyte|bone diseases, metabolic|deformity|"
    r".*prominent|hypertension|contusion|mediastinal emphysema|pneumoperitoneum|bronchitis|hemorrhage|hematoma|"
    r"markings/.*interstitial|aortic diseases?|asthma|airways? disease"
)
NOT_TAGGED = "no indexing"


def tagged_conditions(tags: Iterable[str]) -> frozenset[int]:
    """Indices into ``CONDITIONS`` that a report's tags name; "no finding" where no tag is of anything abnormal."""
    lower = [tag.lower() for tag in tags]
    calcified = {tag.removeprefix("calcinosis/") for tag in lower if tag.startswith("calcinosis/")}
    lower = [tag for tag in lower if not (tag.startswith("nodule/") and tag.removeprefix("nodule/") in calcified)]
    named = {CONDITIONS.index(name) for name, tag in TAGS.items() if any(re.match(tag, found) for found in lower)}
    healthy = not any(index < NO_FINDING and index != SUPPORT_DEVICES for index in named)
    healthy = healthy and not any(OTHER_TAGS.match(tag) for tag in lower)
    return frozenset(named | {NO_FINDING}) if healthy else frozenset(named)


def is_sealed(report_id: str) -> bool:
    """Whether a report is in the half that rules are never written by."""
    return int(hashlib.sha256(report_id.encode()).hexdigest(), 16) % 2 == 1


def agreement_table(reports: Sequence[IuReport]) -> str:
    """A Markdown table of the labeler's precision, recall and F1 for the tags of ``reports``, by condition."""
    states = np.array([label_report(report.section("both")) for report in reports])
    stated = np.isin(states, (POSITIVE, UNCERTAIN))
    true = np.zeros_like(stated)
    for row, report in enumerate(reports):
        true[row, list(tagged_conditions(report.mesh))] = True
    counts = np.stack([stated & true, stated & ~true, ~stated & true], axis=-1)
    sums = condition_sums(counts.astype(np.int64), Resampling())
    by_condition = precision_recall_f1(sums)
    groups = {"all 18": 18, "the first 14": CHEXBERT_COUNT, "13, without no finding": NO_FINDING}
    figures = {name: micro(sums[:, :count]) for name, count in groups.items()}
    figures |= {name: by_condition[:, index] for index, name in enumerate(CONDITIONS)}
    tagged = [*(true[:, :count].sum() for count in groups.values()), *true.sum(axis=0)]
    rows = [
        (name, int(count), float(values[0, 0]), float(values[0, 1]), interval(values[:, 2]))
        for (name, values), count in zip(figures.items(), tagged, strict=True)
    ]
    return table(("condition", "tagged", "precision", "recall", "F1"), rows)


def page(archive: Path) -> str:
    """Both halves as Markdown; raises ``RadscribeError`` for a file that is not the collection's archive."""
    reports = [
        report
        for report in read_reports(archive)
        if report.section("both") and report.mesh and NOT_TAGGED not in (tag.lower() for tag in report.mesh)
    ]
    halves = {
        sealed: [report for report in reports if is_sealed(report.report_id) is sealed] for sealed in (True, False)
    }
    if not all(halves.values()):
        raise RadscribeError(f"{archive}: it holds no tagged report; give NLMCXR_reports.tgz")
    return "\n\n".join(
        f"{'Sealed' if sealed else 'Open'} half, {len(half):,} reports\n\n{agreement_table(half)}"
        for sealed, half in halves.items()
    )


if __name__ == "__main__":
    print(page(Path(sys.argv[1])))
