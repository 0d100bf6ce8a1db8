"""Read saved scorecards back, checked against the rows beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from radscribe.core.errors import WrongUse
from radscribe.core.files import read_given_json
from radscribe.evaluation.scorecard.card import FORMAT, SHUFFLED_IMAGES
from radscribe.evaluation.scorecard.per_study import STATES, PerStudy, content_hash, rows_path
from radscribe.metrics.areas import MEAN
from radscribe.metrics.clinical import AVERAGES, Uncertain
from radscribe.metrics.nlg import FIGURES
from radscribe.metrics.significance import Figure


@dataclass(frozen=True)
class SavedScorecard:
    """A system's scorecard as it was saved."""

    name: str  # what a comparison calls the system
    signature: Mapping[str, Any]
    figures: Mapping[str, Figure]  # by name, those that are not missing
    rows: PerStudy
    # Figures without an interval, those that the scorecard has: micro-F1 of 13 with shuffled films, shares of normal
    # and abnormal studies called normal, the mean ROC area, the distinct reports and the share of the commonest one.
    more: Mapping[str, float] = field(default_factory=dict)

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
    """The scorecards in ``paths`` (a folder stands for its ``scorecard.json``), each with one of ``names``.

    Without names they get those of their files, or of their folders where several files have the same name.

    Raises:
        WrongUse: fewer than two scorecards, names that do not fit, or (in one line with the file) a file that is
            missing, damaged, not a scorecard, or beside the rows of another one.
    """
    files = [path / "scorecard.json" if path.is_dir() else path for path in paths]
    if len(files) < 2:
        raise WrongUse("one scorecard alone cannot be compared; give at least two")
    if names and len(names) != len(files):
        raise WrongUse(f"--names: {len(names)} names for {len(files)} scorecards; give one for each")
    chosen = list(names) or _names(files)
    if len(set(chosen)) < len(chosen):
        raise WrongUse(f"--names: two scorecards are named {_twice(chosen)}; give each its own name")
    return [read_scorecard(file, name) for file, name in zip(files, chosen, strict=True)]


def read_scorecard(path: Path, name: str) -> SavedScorecard:
    """One scorecard and its rows; raises ``WrongUse`` as ``read_scorecards`` does."""
    content = _content(path)
    signature = content["signature"]
    beside = rows_path(path)
    if not beside.exists() and (path.parent / "scores.parquet").exists():
        beside = path.parent / "scores.parquet"  # where earlier versions put the rows of a scorecard of any name
    try:
        rows = PerStudy.of_table(pq.read_table(beside), signature["uncertain"])
        differing = _misfit(rows, content)
    except FileNotFoundError:
        raise WrongUse(f"{beside}: no such file; put the rows of {path.name} beside it") from None
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, WrongUse):
        raise WrongUse(f"{beside}: damaged, or not the rows of a scorecard; copy it or score again") from None
    if differing:
        raise WrongUse(f"{beside}: its {differing} are not those of {path.name}; copy both files of one scoring")
    return SavedScorecard(name, signature, _figures(content), rows, _more(content))


def _content(path: Path) -> Mapping[str, Any]:
    """The content of a scorecard's JSON, with all that ``read_scorecard`` takes from it."""
    content = read_given_json(path, "give a scorecard.json, made by radscribe score or radscribe evaluate")
    if content.get("format") != FORMAT:
        raise WrongUse(f"{path}: not a scorecard ({FORMAT}); make one with radscribe score or radscribe evaluate")
    try:
        _figures(content)
        protocol, uncertain, count = (
            content["signature"]["protocol"],
            content["signature"]["uncertain"],
            content["studies"],
        )
    except (KeyError, TypeError, AttributeError):
        raise WrongUse(f"{path}: damaged, figures or the signature are missing; copy it or score again") from None
    vocabulary = content["signature"].get("vocabulary")
    known = isinstance(vocabulary, str | None)
    if not (known and isinstance(protocol, str) and uncertain in get_args(Uncertain) and isinstance(count, int)):
        raise WrongUse(f"{path}: damaged, its signature has unknown values; copy it or score again")
    return content


def _figures(content: Mapping[str, Any]) -> dict[str, Figure]:
    found = {name: content["nlg"][name] for name in FIGURES if content["nlg"].get(name) is not None}
    clinical = content["clinical"]
    # Scorecards of earlier versions have no micro-average of 13.
    averages = [average for average in AVERAGES if average != "micro_13" or average in clinical]
    found |= {f"{average}_f1": clinical[average]["f1"] for average in averages}
    if not all(isinstance(value, int | float) for figure in found.values() for value in figure.values()):
        raise TypeError("a figure is no number")
    return {name: Figure(**figure) for name, figure in found.items()}


def _more(content: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    if shuffled := content.get("controls", {}).get(SHUFFLED_IMAGES):
        found["shuffled_micro_13_f1"] = shuffled["clinical"]["micro_13"]["f1"]["value"]
    for group, of_group in content.get("normality", {}).items():
        found[f"{group}_called_normal"] = of_group["called_normal"]["value"]
        found[f"{group}_bleu_4"] = of_group["language"].get("bleu_4", {}).get("value")
    if content.get("areas"):
        found["mean_area"] = content["areas"][MEAN]["value"]
    found["distinct_reports"] = content["distinct_reports"] * content["studies"]
    found["commonest_report"] = content["commonest_report"]
    return {name: value for name, value in found.items() if value is not None}


def _misfit(rows: PerStudy, content: Mapping[str, Any]) -> str | None:
    """Which part of the rows belongs to another scorecard, None where all belong to this one."""
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
    # Rows of earlier versions hold no text; the counts of each condition identify the hypotheses.
    counts = rows.outcomes().sum(axis=0).tolist()
    conditions = content["clinical"]["per_condition"].values()
    expected = [
        [scores[kind] for kind in ("true_positives", "false_positives", "false_negatives")] for scores in conditions
    ]
    return None if counts == expected else STATES[0].replace("_", " ")


def _names(files: Sequence[Path]) -> list[str]:
    """File stems where these differ, else folders, else as much of the ends of the paths as makes them differ."""
    whole = [file.resolve() for file in files]
    longest = max(len(path.parts) for path in whole)
    candidates = [[path.stem for path in whole], [path.parent.name for path in whole]]
    candidates += [["/".join(path.with_suffix("").parts[-depth:]) for path in whole] for depth in range(2, longest + 1)]
    for names in candidates:
        if len(set(names)) == len(names):
            return names
    raise WrongUse(f"{files[whole.index(_twice(whole))]}: given twice; give each scorecard once, or use --names")


def _twice(values: Sequence[Any]) -> Any:
    return next(value for value in values if values.count(value) > 1)
