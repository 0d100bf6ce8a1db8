"""Write a comparison as Markdown, and as tidy tables for CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radscribe.evaluation.compare.compare import Comparison, SystemTest
from radscribe.evaluation.compare.differences import Difference
from radscribe.evaluation.scorecard.tables import table
from radscribe.metrics.significance import Figure

TITLES = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
    "micro_f1": "micro-F1",
    "macro_f1": "macro-F1",
    "example_f1": "example F1",
    "micro_5_f1": "micro-F1 of 5",
    "macro_5_f1": "macro-F1 of 5",
    "micro_13_f1": "micro-F1 of 13",
}
P_VALUES = ("bootstrap_p", "bootstrap_p_holm", "randomization_p", "randomization_p_holm")
# Figures that the table of differences has a column for; the CSV has all.
MAIN = ("bleu_4", "meteor", "rouge_l", "cider", "micro_f1", "macro_f1", "example_f1")


def markdown(comparison: Comparison) -> str:
    """Figures, tests, and for each system the settings that differ from the first's with their effects."""
    systems = comparison.systems
    parts = [
        f"# Comparison of {', '.join(systems)}",
        f"{comparison.studies} studies. Brackets: 95 % bootstrap interval.",
        "## Figures as scored",
        _figures(comparison.scored, systems),
    ]
    if not comparison.scored_alike:
        parts += [
            f"## Figures on the {comparison.studies} studies that all have, scored as {systems[0]} is",
            _figures(comparison.tested, systems),
        ]
    parts += [
        "## Tests",
        f"First minus second. p: paired bootstrap and approximate randomization, {comparison.resamples} draws, the "
        f"{comparison.unit} as the unit; adjusted by Holm over the {len(comparison.tests)} tests of each kind. "
        "Macro-F1 is tested by randomization alone: the bootstrap rejects equal systems too often where conditions are "
        "rare.",
        table(
            ("systems", "figure", "difference", "bootstrap p", "adjusted", "randomization p", "adjusted"),
            [_test_row(test) for test in comparison.tests],
        ),
    ]
    for system in systems[1:]:
        found = [difference for difference in comparison.differences if difference.system == system]
        if found:
            parts += [
                f"## Scored otherwise: {system} against {systems[0]}",
                f"By how much the figures of {system} change when it is scored as {systems[0]} is.",
                *_differences(found, comparison),
            ]
    if comparison.notes:
        parts.append("\n".join(f"- {note}" for note in comparison.notes))
    return "\n\n".join(parts) + "\n"


def csv_tables(comparison: Comparison) -> dict[str, list[Sequence[object]]]:
    """Tidy tables by file name, the head first: a row per system, figure and scoring; per test; per difference and
    figure.

    ``scoring`` is "own" for the figures as scored, "compared" for those that the tests compare.
    """
    figures: list[Sequence[object]] = [("system", "figure", "scoring", "studies", "value", "low", "high")]
    both = (("own", comparison.scored, comparison.counts), ("compared", comparison.tested, None))
    for scoring, of_system, counts in both:
        for system, found in of_system.items():
            studies = comparison.studies if counts is None else counts[system]
            figures += [(system, name, scoring, studies, f.value, f.low, f.high) for name, f in found.items()]
    tests: list[Sequence[object]] = [(*("first", "second", "figure", "difference", "low", "high"), *P_VALUES)]
    for test in comparison.tests:
        by = test.bootstrap.difference
        tests.append((test.first, test.second, test.figure, by.value, by.low, by.high, *_p_values(test)))
    differences: list[Sequence[object]] = [("system", "setting", "first", "own", "figure", "change", "not_measured")]
    for each in comparison.differences:
        setting = (each.system, each.setting, each.first, each.own)
        differences += [(*setting, name, change, "") for name, change in each.changes.items()]
        if each.reason:
            differences.append((*setting, "", "", each.reason))
    return {
        "comparison.csv": figures,
        "comparison-tests.csv": tests,
        "comparison-differences.csv": differences,
    }


def _figures(figures: Mapping[str, Mapping[str, Figure]], systems: Sequence[str]) -> str:
    names = list(figures[systems[0]])
    return table(
        ("figure", *systems), [(TITLES[name], *(figures[system][name] for system in systems)) for name in names]
    )


def _test_row(test: SystemTest) -> Sequence[object]:
    p_values = ("" if p_value is None else f"{p_value:.4f}" for p_value in _p_values(test))
    return f"{test.first} - {test.second}", TITLES[test.figure], test.bootstrap.difference, *p_values


def _p_values(test: SystemTest) -> tuple[float | None, ...]:
    """The p-values of a test in the order of ``P_VALUES``; None for those that are not to be trusted."""
    bootstrap = (None, None) if test.by_randomization_alone else (test.bootstrap.p_value, test.bootstrap_adjusted)
    return *bootstrap, test.randomization, test.randomization_adjusted


def _differences(found: Sequence[Difference], comparison: Comparison) -> list[str]:
    """A table of the effects that were measured, and a list of all settings that differ with both values."""
    names = [name for name in MAIN if name in comparison.scored[comparison.systems[0]]]
    rows = [(each.setting, *(_change(each.changes.get(name)) for name in names)) for each in found if each.changes]
    lines = []
    for each in found:
        values = f" `{each.first}` for {comparison.systems[0]}, `{each.own}` for {each.system}" if each.first else ""
        reason = f"{'; in part' if each.changes else ';'} not measured: {each.reason}" if each.reason else ""
        if values or reason:
            lines.append(f"- {each.setting}:{values}{reason}")
    return [*([table(("change by", *(TITLES[name] for name in names)), rows)] if rows else []), "\n".join(lines)]


def _change(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}" if value else "0"
