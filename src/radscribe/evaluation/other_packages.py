"""Compute figures of other packages, each in the Python environment where it is installed, for a scorecard.

None of their code is here or imported. Those that are judged by a language model get no report to a service unless the
user names the service: without it neither its key nor its address reaches the package.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.evaluation import other_driver
from radscribe.evaluation.language_judge import Judge
from radscribe.evaluation.scorecard.card import Scorecard
from radscribe.metrics.significance import Figure, Floats, interval

# What a message may have from a report: a word, an initial aside, or a number of three digits or more.
TOKEN = re.compile(r"[^\W\d_]{2,}|\d{3,}")
BETWEEN_DIGITS = re.compile(r"(?<=\d)[-./ ](?=\d)")
QUOTED = re.compile(r"""(?<!\w)(['"`‘“])(.+?)['"`’”](?!\w)""")
# Words of reports that are words of any message too, unless it quotes them.
_USUAL = """
    a about all already an and any are as at be been before both but by can cannot could did do does due each error
    failed for found from given has have if in into is it its least must no none not of off on one only or other out
    over same set should so such than that the their them then there these this to too two type under unexpected up
    use used using value was were when where which with within without
"""
USUAL_WORDS = frozenset(_USUAL.split())
LINE = 300


@dataclass(frozen=True)
class Metric:
    """What a metric needs beside its package and the models that it loads itself."""

    services: tuple[str, ...] = ()  # services to which it can send reports, for a language model to judge
    local: bool = True  # it also works without a service
    whole_set: bool = False  # some of its figures are of the whole set, no means over studies
    option: str = ""  # of a metric with both: the package's option for the service


@dataclass(frozen=True)
class Package:
    """A package that other environments may hold."""

    title: str
    requirement: str  # what pip installs
    metrics: Mapping[str, Metric]


@dataclass(frozen=True)
class OtherScores:
    """A package's figures of ``N`` pairs of reports."""

    package: str
    version: str
    values: Mapping[str, Floats]  # by figure, N numbers each in the order of the pairs
    errors: Mapping[str, str]  # by metric, why it has no figure
    whole_set: Mapping[str, float] = field(default_factory=dict)  # one number for all studies together
    shares: Mapping[str, Floats] = field(default_factory=dict)  # 2 x N: the figure is sum of row 0 / sum of row 1
    judge: str = ""  # the service and the model that judged the reports


OTHER_METRICS = {
    "cxrfescore": Package("CXRFEScore", "cxrfescore>=0.2.4", {"cxrfescore": Metric()}),
    "ratescore": Package("RaTEScore", "ratescore>=0.6' medspacy pandas 'numpy<2", {"ratescore": Metric()}),
    "crimson": Package("CRIMSON", "crimson-score>=0.2", {"crimson": Metric(("openai",), option="api")}),
    "radmatch": Package(
        "RadMatch", "radmatch>=0.2.2", {"radmatch": Metric(("openai", "azure", "anthropic", "mistral"), local=False)}
    ),
}


def pythons_of(text: Sequence[str]) -> dict[str, Path]:
    """The interpreter of each metric in ``NAME`` (this one) or ``NAME=PYTHON``.

    Raises ``WrongUse`` for an unknown name or an interpreter that is not there.
    """
    pythons = {}
    for entry in text:
        name, _, python = entry.partition("=")
        if name not in OTHER_METRICS:
            raise WrongUse(f"--other-metrics: {name!r} is not one of {', '.join(OTHER_METRICS)}; --radeval has more")
        pythons[name] = Path(python.strip() or sys.executable)
        require_interpreter(pythons[name], OTHER_METRICS[name])
    return pythons


def require_interpreter(python: Path, package: Package) -> None:
    """Raise ``WrongUse`` where there is no interpreter at this path."""
    if not python.is_file():
        install = f"DIR/bin/pip install '{package.requirement}'"
        raise WrongUse(f"{python}: no such interpreter; make one with python3 -m venv DIR; {install}")


def run_package(
    name: str,
    package: Package,
    python: Path,
    hypotheses: Sequence[str],
    references: Sequence[str],
    metrics: Collection[str],
    judge: Judge | None = None,
) -> OtherScores:
    """Score ``N`` pairs of raw reports with a package of the environment whose interpreter is ``python``.

    Raises:
        WrongUse: there is no such interpreter.
        RadscribeError: one line, when the package is not installed there or its answer cannot be used.
    """
    require_interpreter(python, package)
    judge, settings, errors = judge or Judge(), {}, {}
    for metric in metrics:
        try:
            settings[metric] = _settings(name, package.metrics[metric], judge)
        except RadscribeError as refused:
            errors[metric] = str(refused)
    asked = {
        "package": name,
        "metrics": list(settings),
        "settings": settings,
        "whole": [metric for metric in settings if package.metrics[metric].whole_set],
        "hypotheses": list(hypotheses),
        "references": list(references),
    }
    answer = _answer(package, python, asked, judge)
    if "failed" in answer:
        reason = "{type}: {line}".format(**answer["failed"])[:LINE]
        install = f"install it with {python} -m pip install '{package.requirement}'"
        raise RadscribeError(f"{python}: {package.title} cannot be imported ({reason}); {install}")
    for metric, error in answer["errors"].items():
        errors[metric] = _reason(error, bool(package.metrics[metric].services), (*hypotheses, *references))
    values, uneven = {}, f"{package.title} {answer['version']} has not one number a study"
    for figure, column in answer["values"].items():
        if len(column) == len(hypotheses):
            values[figure] = np.array(column, dtype=np.float64)
        else:
            errors[figure] = f"{uneven}; use {package.requirement}"
    judged = any(judge.reaches(package.metrics[metric].services) for metric in settings)
    return OtherScores(
        name,
        answer["version"],
        values,
        errors,
        answer["whole"],
        {figure: np.array(counts, dtype=np.float64) for figure, counts in answer["shares"].items()},
        str(judge) if judged else "",
    )


def _settings(name: str, metric: Metric, judge: Judge) -> dict[str, Any]:
    """The package's options for this metric; raises ``RadscribeError`` with the reason where it must not run."""
    if not metric.services:
        return {}
    sends = judge.reaches(metric.services)
    if sends:
        judge.require_key()
    elif not metric.local:
        services = f"{', '.join(metric.services)} or the URL of a server"
        raise RadscribeError(f"it sends the reports to a language model; allow it with --send-reports-to {services}")
    # A model of a service that this metric does not use is no model for this machine.
    model = judge.model if sends or judge.service is None else None
    if name == "radmatch":
        if model is None:
            raise RadscribeError("it needs a language model; name one with --judge")
        chosen = f"local:{model}" if judge.is_address else model
        return {"llm_extractor": chosen, "llm_judge": chosen}
    settings = {"model_name": model} if model else {}
    return {**settings, metric.option: "openai" if sends else "hf"} if metric.option else settings


def _answer(package: Package, python: Path, asked: Mapping[str, Any], judge: Judge) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("asked.json", "answered.json")]
        paths[0].write_text(json.dumps(asked), encoding="utf-8")
        # Not resolved: an environment's interpreter is a link. In the folder, since some packages write where they run.
        command = [os.path.abspath(python), "-c", inspect.getsource(other_driver), *map(str, paths)]
        # Progress bars are for a terminal; elsewhere the output of the models is noise.
        errors = None if sys.stderr.isatty() else subprocess.DEVNULL
        done = subprocess.run(
            command,
            cwd=folder,
            env=judge.environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            check=False,
        )
        if done.returncode or not paths[1].is_file():
            ended = f"{package.title} ended with exit code {done.returncode} and no answer"
            raise RadscribeError(f"{python}: {ended}; run it alone")
        answer: dict[str, Any] = json.loads(paths[1].read_text(encoding="utf-8"))
    return answer


def _reason(error: Mapping[str, Any], judged: bool, reports: Collection[str]) -> str:
    """One line on a metric that failed, without its message where that may hold text of a report."""
    # A language model's answer retells a report in other words.
    if (judged and not error["plain"]) or _quotes(error["line"], reports):
        return f"{error['type']} (its message is left out, since it may quote a report)"
    return f"{error['type']}: {error['line']}"[:LINE]


def _quotes(line: str, reports: Collection[str]) -> bool:
    """Whether a message may hold text of a report: a word or number of one, or letters that English has not."""
    if any(letter.isalpha() and not letter.isascii() for letter in line) or re.search(r"\\[xuU][0-9a-fA-F]{2}", line):
        return True
    line = re.sub(r"\\[abfnrtv]", " ", line)  # white space as Python quotes it
    shared = _tokens(line) & set().union(*map(_tokens, reports))
    quoted = " ".join(match[2] for match in QUOTED.finditer(line))
    return bool(shared - USUAL_WORDS or shared & _tokens(quoted))


def _tokens(text: str) -> set[str]:
    """Words without accents and case, and numbers: as they stand, and without the marks in them."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return {*TOKEN.findall(plain.casefold()), *TOKEN.findall(BETWEEN_DIGITS.sub("", plain.casefold()))}


def with_package(
    card: Scorecard, name: str, package: Package, python: Path, metrics: Collection[str], judge: Judge
) -> Scorecard:
    """The scorecard with a package's figures of its reports, or with the reason why they are missing.

    Raises ``WrongUse`` where there is no such interpreter, or the scorecard holds no reports.
    """
    rows = card.per_study
    if rows.hypotheses is None or rows.references is None:
        raise WrongUse("scorecard: its rows hold no reports; score the reports again")
    try:
        scores = run_package(name, package, python, rows.hypotheses, rows.references, metrics, judge)
    except WrongUse:
        raise
    except RadscribeError as error:
        return replace(card, missing={**card.missing, name: str(error)})
    return with_scores(card, scores)


def with_scores(card: Scorecard, scores: OtherScores) -> Scorecard:
    """The scorecard with a package's figures, each with its interval, or the reason it is missing.

    ``scores`` must be in the order of ``card.per_study.study_ids``.
    """
    rows, package = card.per_study, scores.package
    missing = {_label(package, name): reason for name, reason in scores.errors.items()}
    count = len(rows.study_ids)
    means = {name: np.stack([values, np.ones(count)]) for name, values in scores.values.items()}
    figures = {}
    for name, counts in {**means, **scores.shares}.items():
        lacking = count - int(np.isfinite(counts).all(axis=0).sum())
        if lacking:
            missing[_label(package, name)] = f"no finite number for {lacking} of {count} studies"
        elif not counts[1].sum():
            missing[_label(package, name)] = "there is nothing of which it is a share"
        else:
            figures[name] = _figure(rows.resampling.sums(counts.T))
    found = {_label(package, name, "_"): values for name, values in scores.values.items()}
    whole = {_label(package, name): value for name, value in scores.whole_set.items()}
    version = " ".join(filter(None, (scores.version, scores.judge)))
    if package == "radeval":
        card = replace(card, radeval=figures, signature={**card.signature, "radeval": version})
    else:
        signature = {**card.signature, "other_metrics": {**card.signature.get("other_metrics", {}), package: version}}
        card = replace(card, other_metrics={**card.other_metrics, **figures}, signature=signature)
    return replace(
        card,
        whole_set={**card.whole_set, **whole},
        missing={**card.missing, **missing},
        per_study=replace(rows, language={**rows.language, **found}),
    )


def _figure(sums: Floats) -> Figure:
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may hold nothing to share
        return interval(sums[:, 0] / sums[:, 1])


def _label(package: str, name: str, joint: str = " ") -> str:
    """The figure's name with its package; a name that begins with its package says it already."""
    return name if package != "radeval" and name.startswith(package) else f"{package}{joint}{name}"
