"""Write a scorecard as Markdown, for the terminal, a README or a model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from radscribe.evaluation.scorecard.breakdown import GROUP_FIGURES, StudyGroup
from radscribe.evaluation.scorecard.card import Scorecard
from radscribe.metrics.clinical import Clinical
from radscribe.metrics.significance import Figure


def markdown(card: Scorecard, more: str = "") -> str:
    """The figures of a scorecard beside its controls, then severity, frequency, agreement, conditions and ROC areas.

    ``more`` follows the tables; flags, warnings and what is missing come last, a line each.
    """
    reports = f"{card.distinct_reports:.1%} distinct reports (commonest {card.commonest_report:.1%})"
    notice = f", {card.notice}" if card.notice else ""
    parts = [f"{card.studies} studies{notice}, {reports}. Brackets: 95 % bootstrap interval."]
    shares = card.prior_references
    parts.append(
        f"An earlier film is spoken of in {shares['hypotheses']:.1%} of these reports "
        f"({shares['references']:.1%} of the references)."
    )
    systems = [_system("this system", card.nlg, card.clinical, "")]
    for name, control in card.controls.items():
        drop = control.micro_f1_drop
        fall = f"{drop.difference} p = {drop.p_value:.3f}"
        systems.append(_system(name.replace("_", " "), control.nlg, control.clinical, fall))
    averages = ("micro-F1", "micro-F1 of 13", "macro-F1", "example F1", "micro-F1 of 5")
    head = ("reports", *averages, "BLEU-4", "ROUGE-L", "drop of micro-F1")
    parts.append(table(head, systems))
    packages = [*((f"radeval {name}", value) for name, value in card.radeval.items()), *card.other_metrics.items()]
    whole = [(f"{name} of the whole set", value) for name, value in card.whole_set.items()]
    if packages or whole:
        parts.append(table(("other packages", "figure"), [*packages, *whole]))
    if card.normality:
        groups = [(name, group.studies, *_group(group)) for name, group in card.normality.items()]
        parts.append(table(("references", "studies", "called normal", "micro-F1 of 13", "BLEU-4", "ROUGE-L"), groups))
    if card.severity:
        grades = [(name, band.support, band.recall, band.f1) for name, band in card.severity.items()]
        parts.append(table(("severity", "positives", "recall", "F1"), grades))
    if card.frequency:
        bands = [(n, len(b.conditions), b.support, b.micro_f1, b.macro_f1) for n, b in card.frequency.items()]
        parts.append(table(("training frequency", "conditions", "positives", "micro-F1", "macro-F1"), bands))
    if card.agreement:
        others = (card.agreement_without_old_changes, card.agreement_shuffled)
        rows = [(name, value, *(other.get(name) for other in others)) for name, value in card.agreement.items()]
        kinds = ("balanced accuracy for the image's label", "without scars and other old changes", "shuffled films")
        parts.append(table(("films", *kinds), rows))
    if card.source_transfer:
        titles = ("patches of films", "ROC area for pneumonia, fitted on its own training films", "on those of others")
        areas = [(name, found["own"], found["others"]) for name, found in card.source_transfer.items()]
        parts.append(table(titles, areas))
    scores = card.clinical.per_condition.items()
    conditions = [(name, s.support, s.precision.value, s.recall.value, s.f1) for name, s in scores]
    parts.append(table(("condition", "positives", "precision", "recall", "F1"), conditions))
    if card.areas:
        parts.append(table(("condition", "ROC area of its probability"), card.areas.items()))
    if more:
        parts.append(more.strip())
    notes = [f"- flag: {flag}" for flag in card.flags]
    notes += [f"- warning: {warning}" for warning in card.warnings]
    notes += [f"- {name} is missing: {reason}" for name, reason in card.missing.items()]
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(parts) + "\n"


def _system(name: str, nlg: Mapping[str, Figure | None], clinical: Clinical, drop: str) -> Sequence[object]:
    averages = (clinical.micro, clinical.micro_13, clinical.macro, clinical.example, clinical.micro_5)
    return name, *(scores.f1 for scores in averages), _brief(nlg["bleu_4"]), _brief(nlg["rouge_l"]), drop


def _group(group: StudyGroup) -> Sequence[object]:
    language = (_brief(group.language.get(figure)) for figure in GROUP_FIGURES)
    return group.called_normal, group.micro_f1_13, *language


def _brief(figure: Figure | None) -> str:
    return "" if figure is None else f"{figure.value:.3f}"


def _cell(value: object) -> str:
    if value is None:
        return "one class only"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table whose columns line up in a terminal: the first is left-aligned, the others right-aligned."""
    lines = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, [":".rjust(width, "-") if column else "-" * width for column, width in enumerate(widths)])
    return "\n".join(
        "| " + " | ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) + " |" for line in lines
    )
