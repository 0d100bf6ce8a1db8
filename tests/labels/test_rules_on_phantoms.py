"""On every report that the phantom grammar writes the rules read the exact labels that it was written from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from radscribe.data.phantom.cohort import patients
from radscribe.data.phantom.grammar import PhantomReport, write_report
from radscribe.labels.rules import label_report


def _reports(studies: int, seed: int) -> Iterator[PhantomReport]:
    for plan in patients(studies, seed):
        prior = None
        for visit, findings in enumerate(plan.visits):
            yield write_report(findings, prior, np.random.default_rng((seed, plan.number, visit)))
            prior = findings


@pytest.mark.parametrize("seed", [1, 2])
def test_labels_are_exact(seed: int) -> None:
    for report in _reports(1_500, seed):
        assert tuple(label_report(report.findings)) == report.labels, report.findings
        assert tuple(label_report(f"{report.findings} {report.impression}")) == report.labels, report.impression
