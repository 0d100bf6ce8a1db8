"""Scorecards as they lie on disk, read back and held against the rows beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from radscribe.core.errors import WrongUse
from radscribe.evaluation.scorecard.card import FORMAT
from radscribe.evaluation.scorecard.per_study import STATES, PerStudy, content_hash, rows_path
from radscribe.metrics.clinical import AVERAGES, Uncertain
from radscribe.metrics.nlg import FIGURES
from radscribe.metrics.significance import Figure


@dataclass(frozen=True)
class SavedScorecard:
    """A system's scorecard: its ``signature``, its ``figures`` by name (those that are not missing) and its rows."""

    name: str
    signature: Mapping[str, Any]
    figures: Mapping[str, Figure]
    rows: PerStudy

    @property
    def has_texts(self) -> bool:
        """Whether the rows hold the reports, without which nothing can be scored again."""
        return self.rows.hypotheses is not None

    def hypotheses(self) -> dict[str, str]:
        """The hypotheses by study id; empty where the rows hold none."""
        return dict(zip(self.rows.study_ids, self.rows.hypotheses, strict=True)) if self.rows.hypotheses else {}

    def references(self) -> dict[str, str]:
        """The references by study id; empty where the rows hold none."""
        return dict(zip(self.rows.study_ids, self.rows.references, strict=True)) if self.rows.references else {}


def read_scorecards(paths: Sequence[Path], names: Sequence[str] = ()) -> list[SavedScorecard]:
    """The scorecards in ``paths`` (a folder stands for its ``scorecard.json``), told apart by ``names``.

    Without names they are called by their files, or their folders where files are of one name. Raises ``WrongUse``,
    in one line that names the file, for what is missing, damaged, no scorecard, or beside rows that are not its own.
    """
    files = [path / "scorecard.json" if path.is_dir() else path for path in paths]
    if len(files) < 2:
        raise WrongUse("one scorecard has nothing to be compared with: give at least two")
    if names and len(names) != len(files):
        raise WrongUse(f"{len(names)} names for {len(files)} scorecards: give one a scorecard")
    called = list(names) or _names(files)
    if len(set(called)) < len(called):
        raise WrongUse(f"two scorecards are called {_twice(called)}: give each a name of its own")
    return [read_scorecard(file, name) for file, name in zip(files, called, strict=True)]


def read_scorecard(path: Path, name: str) -> SavedScorecard:
    """One scorecard and its rows; raises ``WrongUse`` as ``read_scorecards`` does."""
    content = _content(path)
    signature = content["signature"]
    beside = rows_path(path)
    if not beside.exists() and (path.parent / "scores.parquet").exists():
        beside = path.parent / "scores.parquet"  # where earlier versions put the rows of a scorecard of any name
    try:
        rows = PerStudy.of_table(pq.read_table(beside), signature["uncertain"])
        told = _misfit(rows, content)
    except FileNotFoundError:
        raise WrongUse(f"{beside}: no such file; the rows of {path.name} must lie beside it") from None
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, IndexError, WrongUse):
        raise WrongUse(f"{beside}: damaged, or no rows of a scorecard; copy it again or score anew") from None
    if told:
        raise WrongUse(f"{beside}: its {told} are not those of {path.name}; copy both files of one scoring")
    return SavedScorecard(name, signature, _figures(content), rows)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongUse(f"{path}: no such file; give a scorecard.json") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise WrongUse(f"{path}: damaged, it is no JSON; copy it again or score anew") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise WrongUse(f"{path}: it is no scorecard ({FORMAT}); make one with radscribe score or radscribe evaluate")
    try:
        _figures(content)
        protocol, uncertain, count = (
            content["signature"]["protocol"],
            content["signature"]["uncertain"],
            content["studies"],
        )
    except (KeyError, TypeError, AttributeError):
        raise WrongUse(f"{path}: damaged, it lacks figures or its signature; copy it again or score anew") from None
    if not (isinstance(protocol, str) and uncertain in get_args(Uncertain) and isinstance(count, int)):
        raise WrongUse(f"{path}: damaged, its signature holds something else; copy it again or score anew")
    return content


def _figures(content: Mapping[str, Any]) -> dict[str, Figure]:
    found = {name: content["nlg"][name] for name in FIGURES if content["nlg"].get(name) is not None}
    found |= {f"{average}_f1": content["clinical"][average]["f1"] for average in AVERAGES}
    return {name: Figure(**figure) for name, figure in found.items()}


def _misfit(rows: PerStudy, content: Mapping[str, Any]) -> str | None:
    """What of the rows belongs to another scorecard, if anything."""
    if len(rows.study_ids) != content["studies"] or len(set(rows.study_ids)) != content["studies"]:
        return "studies"
    found = {"reference_states": content_hash(dict(zip(rows.study_ids, rows.reference_states.tolist(), strict=True)))}
    if rows.hypotheses is not None and rows.references is not None:
        for kind, texts in (("hypotheses", rows.hypotheses), ("references", rows.references)):
            found[kind] = content_hash(dict(zip(rows.study_ids, texts, strict=True)))
    hashes = content["signature"].get("hashes", {})
    for kind, value in found.items():
        if hashes.get(kind, value) != value:
            return kind.replace("_", " ")
    # Rows of earlier versions hold no text: the counts of each condition tell the hypotheses.
    counts = rows.outcomes().sum(axis=0).tolist()
    conditions = content["clinical"]["per_condition"].values()
    told = [
        [scores[kind] for kind in ("true_positives", "false_positives", "false_negatives")] for scores in conditions
    ]
    return None if counts == told else STATES[0].replace("_", " ")


def _names(files: Sequence[Path]) -> list[str]:
    """File stems where these differ, else folders, else as much of the paths as it takes."""
    whole = [file.resolve() for file in files]
    longest = max(len(path.parts) for path in whole)
    candidates = [[path.stem for path in whole], [path.parent.name for path in whole]]
    candidates += [["/".join(path.with_suffix("").parts[-depth:]) for path in whole] for depth in range(2, longest + 1)]
    for names in candidates:
        if len(set(names)) == len(names):
            return names
    raise WrongUse(f"{files[whole.index(_twice(whole))]}: given twice; give each scorecard once, or --names")


def _twice(values: Sequence[Any]) -> Any:
    return next(value for value in values if values.count(value) > 1)
