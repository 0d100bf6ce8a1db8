"""The vocabulary of published references: the words that R2Gen's tokenizer keeps of an annotation file."""

from __future__ import annotations

from pathlib import Path

from radscribe.core.errors import WrongUse
from radscribe.core.json_files import read_json_file
from radscribe.metrics.protocols import Protocol, vocabulary_of

FIX = 'give the annotation.json of R2Gen, {"train": [{"id": ..., "report": ...}, ...], ...}'


def words_of_annotation(path: Path, protocol: Protocol, threshold: int | None = None) -> frozenset[str]:
    """The words of the training reports of an R2Gen annotation that occur ``threshold`` times or more.

    Reports are cleaned by ``protocol``, which has the published threshold where None is given.

    Raises:
        WrongUse: one line, for a file that is no such annotation, or a protocol without a published threshold.
    """
    threshold = threshold or protocol.threshold
    if threshold is None:
        raise WrongUse(f"--vocabulary-from: no threshold is published for protocol {protocol.name}; give --threshold")
    content = read_json_file(path, FIX)
    training = content.get("train") if isinstance(content, dict) else None
    if not isinstance(training, list) or not training:
        raise WrongUse(f"{path}: it has no list of training reports; {FIX}")
    found = [entry.get("report") if isinstance(entry, dict) else None for entry in training]
    reports = [report for report in found if isinstance(report, str)]
    if len(reports) < len(found):
        raise WrongUse(f"{path}: a training entry has no report as text; {FIX}")
    return vocabulary_of(protocol, reports, threshold)
